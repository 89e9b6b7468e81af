"""Checks of JSON values against Python types."""

from types import NoneType, UnionType
from typing import Any, get_args, get_origin

_NAMES: dict[Any, str] = {
    str: "a string",
    bool: "true or false",
    int: "a whole number",
    float: "a number, 0 or more",
    dict: "an object",
    list: "a list",
}


class WrongTypeError(ValueError):
    """A value has another type; the message says which it must be."""


def checked(name: str, value: Any, kind: Any) -> Any:
    """Return a value that has the type `kind`; raises WrongTypeError."""
    if kind is Any:
        return value
    if isinstance(kind, UnionType):
        if value is None:
            return None
        kind = next(one for one in get_args(kind) if one is not NoneType)
    if kind is int and isinstance(value, str) and value.isdecimal():
        return int(value)
    plain = get_origin(kind) or kind
    fits = (int, float) if plain is float else plain
    if not isinstance(value, fits) or (isinstance(value, bool) and plain is not bool):
        raise WrongTypeError(f"{name} must be {_NAMES[plain]}.")
    if plain is float:
        if value < 0:
            raise WrongTypeError(f"{name} must be {_NAMES[plain]}.")
        return float(value)
    if isinstance(value, list):
        return [checked(f"each of {name}", one, get_args(kind)[0]) for one in value]
    return value
