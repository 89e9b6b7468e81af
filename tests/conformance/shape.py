"""The shape of a JSON value: equal shapes get the same verdict, so that one of them is validated.

A shape leaves out what no schema of the copy can tell apart. Strings and numbers keep only how they
compare with the limits that occur in the copy (``maxLength`` and the like), except where a property
of that name has its values listed or a pattern; lists keep which shapes occur and their length.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Hashable, Iterator, Mapping
from typing import Any, Final

_LIMITS: Final[dict[type, frozenset[str]]] = {
    str: frozenset({"minLength", "maxLength"}),
    list: frozenset({"minItems", "maxItems"}),
    int: frozenset({"minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum"}),
}
_EXACT: Final = frozenset({"const", "enum", "multipleOf", "pattern"})


class Shapes:
    """Computes shapes by what the schemas of one copy can tell apart."""

    def __init__(self, schemas: Mapping[str, Any]) -> None:
        self._schemas = schemas
        self._limits = {
            kind: sorted({limit for one in schemas.values() for limit in _limits(one, names)})
            for kind, names in _LIMITS.items()
        }
        erased: dict[str, bool] = {}
        for schema in schemas.values():
            for name, below in _properties(schema):
                erased[name] = erased.get(name, True) and not self._exact(below, ())
        self._erased = frozenset(name for name, free in erased.items() if free)

    def shape(self, value: Any) -> Hashable:
        """Return the shape of `value`."""
        return self._of(value, erased=False)

    def _of(self, value: Any, *, erased: bool) -> Hashable:
        if isinstance(value, dict):
            return tuple(
                (key, self._of(one, erased=key in self._erased))
                for key, one in sorted(value.items())
            )
        if isinstance(value, list):
            members = frozenset(self._of(one, erased=erased) for one in value)
            return (list, self._compared(list, len(value)), members)
        if isinstance(value, bool) or value is None or not erased:
            return (type(value), value)
        if isinstance(value, str):
            return (str, self._compared(str, len(value)))
        # JSON Schema counts 1.0 as an integer.
        return (int if value == int(value) else float, self._compared(int, value))

    def _compared(self, kind: type, size: float) -> tuple[int, int]:
        limits = self._limits[kind]
        return (bisect_left(limits, size), bisect_right(limits, size))

    def _exact(self, schema: Any, seen: tuple[str, ...]) -> bool:
        """Whether a scalar at this schema, or in a list there, can be judged by its very value."""
        if not isinstance(schema, dict):
            return False
        if not _EXACT.isdisjoint(schema):
            return True
        name = str(schema.get("$ref", "")).rpartition("/")[2]
        if name:
            return name not in seen and self._exact(self._schemas[name], (*seen, name))
        below = [schema.get("items"), *schema.get("anyOf", ()), *schema.get("oneOf", ())]
        return any(self._exact(one, seen) for one in [*below, *schema.get("allOf", ())])


def _nodes(node: Any) -> Iterator[dict[str, Any]]:
    if isinstance(node, dict):
        yield node
        for key, value in node.items():
            for below in value.values() if key == "properties" else [value]:
                yield from _nodes(below)
    elif isinstance(node, list):
        for value in node:
            yield from _nodes(value)


def _limits(schema: Any, names: frozenset[str]) -> Iterator[float]:
    for node in _nodes(schema):
        yield from (value for key, value in node.items() if key in names)


def _properties(schema: Any) -> Iterator[tuple[str, Any]]:
    for node in _nodes(schema):
        yield from node.get("properties", {}).items()
