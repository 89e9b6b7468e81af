"""The shape of a JSON value: values of equal shape get the same verdict, so one is validated.

A shape leaves out what no schema in the copy can distinguish. A string that some schema lists is
kept; any other string is reduced to the patterns that it matches and how its length compares with
the limits in the copy (``maxLength`` and the like). Numbers are reduced likewise, and lists to the
shapes that occur in them and how their length compares.
"""

from __future__ import annotations

import re
from bisect import bisect_left, bisect_right
from collections.abc import Hashable, Iterator
from functools import cache
from typing import Any, Final

from openai_double.conformance.schemas import published
from openai_double.types import Json

_LIMITS: Final = (
    "minLength",
    "maxLength",
    "minItems",
    "maxItems",
    "minimum",
    "maximum",
    "exclusiveMinimum",
    "exclusiveMaximum",
)
"""The limits of JSON Schema: of the length of a string or list, or of a number."""


class Shapes:
    """Computes shapes by what the schemas of the copy can distinguish."""

    def __init__(self) -> None:
        self._listed: set[Any] = set()
        self._patterns: set[re.Pattern[str]] = set()
        limits: set[float] = set()
        for node in _nodes(list(published()["schemas"].values())):
            self._listed.update(node.get("enum", ()))
            if "pattern" in node:
                self._patterns.add(re.compile(node["pattern"]))
            limits.update(node[name] for name in _LIMITS if name in node)
        self._limits = sorted(limits)

    def shape(self, value: Any) -> Hashable:
        """Return the shape of `value`."""
        match value:
            case dict():
                in_order = sorted(value.items())
                return tuple((key, self.shape(field)) for key, field in in_order)
            case list():
                members = frozenset(map(self.shape, value))
                return (list, self._compared(len(value)), members)
            case bool() | None:
                return value
            case str() if value in self._listed:
                return value
            case str():
                fitting = frozenset(one for one in self._patterns if one.search(value))
                return (str, self._compared(len(value)), fitting)
        # JSON Schema counts 1.0 as an integer.
        kind = int if value == int(value) else float
        return (kind, self._compared(value))

    def _compared(self, size: float) -> tuple[int, int]:
        """Return how many limits are below `size`, and how many are not above it."""
        return (bisect_left(self._limits, size), bisect_right(self._limits, size))


@cache
def openai_shapes() -> Shapes:
    """Return the shapes that the schemas of the copy in this package distinguish."""
    return Shapes()


def _nodes(node: Any) -> Iterator[Json]:
    if isinstance(node, dict):
        yield node
        for key, value in node.items():
            # A property may have the name of a keyword.
            below = list(value.values()) if key == "properties" else value
            yield from _nodes(below)
    elif isinstance(node, list):
        for value in node:
            yield from _nodes(value)
