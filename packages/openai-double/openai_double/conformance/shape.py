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

_LIMITS: Final[dict[type, frozenset[str]]] = {
    str: frozenset({"minLength", "maxLength"}),
    list: frozenset({"minItems", "maxItems"}),
    int: frozenset({"minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum"}),
}


class Shapes:
    """Computes shapes by what the schemas of one copy can distinguish."""

    def __init__(self, schemas: Mapping[str, Any]) -> None:
        nodes = [node for schema in schemas.values() for node in _nodes(schema)]
        self._limits = {
            kind: sorted({node[name] for node in nodes for name in names & node.keys()})
            for kind, names in _LIMITS.items()
        }
        self._listed = {
            value for node in nodes for value in node.get("enum", ()) if isinstance(value, str)
        }
        self._patterns = {re.compile(node["pattern"]) for node in nodes if "pattern" in node}

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
