"""The shape of a JSON value: values of equal shape get the same verdict, so one is validated.

A shape leaves out what no schema in the copy can distinguish. A string that some schema lists is
kept; any other string is reduced to the patterns that it matches and how its length compares with
the limits in the copy (``maxLength`` and the like). Numbers are reduced likewise, and lists to the
shapes that occur in them and how their length compares.
"""

from __future__ import annotations

import re
from bisect import bisect_left, bisect_right
from collections.abc import Hashable, Iterator, Mapping
from typing import Any, Final

_LIMITED: Final[dict[str, type]] = {
    "minLength": str,
    "maxLength": str,
    "minItems": list,
    "maxItems": list,
    "minimum": int,
    "maximum": int,
    "exclusiveMinimum": int,
    "exclusiveMaximum": int,
}
"""What each limit of JSON Schema limits: the length of a string or list, or a number."""


class Shapes:
    """Computes shapes by what the schemas of one copy can distinguish."""

    def __init__(self, schemas: Mapping[str, Any]) -> None:
        limits: dict[type, set[float]] = {str: set(), list: set(), int: set()}
        self._listed: set[str] = set()
        self._patterns: set[re.Pattern[str]] = set()
        for node in _nodes(list(schemas.values())):
            for name, kind in _LIMITED.items():
                if name in node:
                    limits[kind].add(node[name])
            self._listed |= {value for value in node.get("enum", ()) if isinstance(value, str)}
            if "pattern" in node:
                self._patterns.add(re.compile(node["pattern"]))
        self._limits = {kind: sorted(found) for kind, found in limits.items()}

    def shape(self, value: Any) -> Hashable:
        """Return the shape of `value`."""
        if isinstance(value, dict):
            return tuple((key, self.shape(one)) for key, one in sorted(value.items()))
        if isinstance(value, list):
            members = frozenset(self.shape(one) for one in value)
            return (list, self._compared(list, len(value)), members)
        if isinstance(value, bool) or value is None or value in self._listed:
            return (type(value), value)
        if isinstance(value, str):
            fitting = tuple(bool(pattern.search(value)) for pattern in self._patterns)
            return (str, self._compared(str, len(value)), fitting)
        # JSON Schema counts 1.0 as an integer.
        return (int if value == int(value) else float, self._compared(int, value))

    def _compared(self, kind: type, size: float) -> tuple[int, int]:
        limits = self._limits[kind]
        return (bisect_left(limits, size), bisect_right(limits, size))


def _nodes(node: Any) -> Iterator[dict[str, Any]]:
    if isinstance(node, dict):
        yield node
        for key, value in node.items():
            for below in value.values() if key == "properties" else [value]:
                yield from _nodes(below)
    elif isinstance(node, list):
        for value in node:
            yield from _nodes(value)
