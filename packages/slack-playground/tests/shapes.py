"""The shape of a JSON value: which fields it may have, and of which types.

A shape is "string", "number", "boolean" or "any", several of them joined by "|", a list with the
shape of its elements, or an object with the shape of each field. {} is an object, and [] a list,
of which nothing more is known.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

Shape = Any

# Block Kit has its own rules, in `slack_playground.block_kit`; the others are never sent.
_NOT_FOLLOWED = frozenset(
    {
        "blocks",
        "elements",
        "initial_comment",
        "latest",
        "media_progress",
        "message_blocks",
        "room",
        "shares",
        "title_blocks",
        "transcription",
    }
)


def shape_of(value: Any) -> Shape:
    """The shape of `value`; a null may be anything."""
    match value:
        case None:
            return "any"
        case bool():
            return "boolean"
        case int() | float():
            return "number"
        case str():
            return "string"
        case list():
            return [merged(shape_of(one) for one in value)] if value else []
    return {
        name: shape_of(type(one)() if name in _NOT_FOLLOWED else one)
        for name, one in value.items()
    }


def merged(shapes: Iterable[Shape]) -> Shape:
    """The shape that each value of these shapes fits."""
    result: Shape = None
    for shape in shapes:
        result = shape if result is None else _both(result, shape)
    return "any" if result is None else result


def _both(one: Shape, other: Shape) -> Shape:
    if isinstance(one, dict) and isinstance(other, dict):
        return {
            name: merged(shape[name] for shape in (one, other) if name in shape)
            for name in [*one, *(name for name in other if name not in one)]
        }
    if isinstance(one, list) and isinstance(other, list):
        return [merged([*one, *other])] if one or other else []
    if isinstance(one, str) and isinstance(other, str) and "any" not in (one, other):
        return "|".join(sorted({*one.split("|"), *other.split("|")}))
    return one if one == other else "any"


def departures(value: Any, shape: Shape, path: str = "") -> list[str]:
    """The parts of `value` that `shape` does not have, as "PATH: what"; a null fits everywhere."""
    if value is None or shape == "any":
        return []
    if isinstance(shape, dict) and isinstance(value, dict):
        return [
            found
            for name, one in value.items()
            if shape
            for found in (
                departures(one, shape[name], f"{path}.{name}".lstrip("."))
                if name in shape
                else [f"{path}.{name}".lstrip(".") + ": unknown"]
            )
        ]
    if isinstance(shape, list) and isinstance(value, list):
        return [
            found
            for one in value
            if shape
            for found in departures(one, shape[0], f"{path}[]")
        ]
    kind = shape_of(value)
    if isinstance(kind, str) and isinstance(shape, str) and kind in shape.split("|"):
        return []
    return [f"{path}: {_kind(kind)}, not {_kind(shape)}"]


def _kind(shape: Shape) -> str:
    if isinstance(shape, str):
        return shape
    return "object" if isinstance(shape, dict) else "array"
