"""Parsing of control requests; each error message is one sentence."""

import json
from typing import Any, Self
from urllib.parse import urlsplit

from aiohttp import web

from slack_playground.records import LOOPBACK, Json

_MISSING = object()


class BadRequestError(ValueError):
    """A control request is invalid; the message says why."""


class Input:
    """The JSON object of a control request; null counts as not given.

    Every method raises BadRequestError for a bad value.
    """

    def __init__(self, content: Json) -> None:
        self.content = {name: value for name, value in content.items() if value is not None}
        self.nulls = content.keys() - self.content.keys()

    @classmethod
    async def read(cls, request: web.Request) -> Self:
        """Read a request's body; an empty one is {}."""
        try:
            content = json.loads(await request.text() or "{}")
        except ValueError:
            raise BadRequestError("The body is not JSON.") from None
        if not isinstance(content, dict):
            raise BadRequestError("The body must be a JSON object.")
        return cls(content)

    def text(self, name: str, *, default: Any = _MISSING) -> str:
        """A string."""
        value = self.content.get(name, default)
        if value is _MISSING:
            raise BadRequestError(f"{name} is missing.")
        if not isinstance(value, str):
            raise BadRequestError(f"{name} must be a string.")
        return value

    def optional(self, name: str) -> str | None:
        """A string, or None when it is not given."""
        return self.text(name) if name in self.content else None

    def integer(self, name: str, *, default: int | None = None) -> int:
        """A whole number."""
        value = self.content.get(name, default)
        if isinstance(value, str) and value.isdecimal():
            return int(value)
        if not isinstance(value, int) or isinstance(value, bool):
            raise BadRequestError(f"{name} must be a whole number.")
        return value

    def flag(self, name: str, *, default: bool = False) -> bool:
        """true or false."""
        value = self.content.get(name, default)
        if not isinstance(value, bool):
            raise BadRequestError(f"{name} must be true or false.")
        return value

    def number(self, name: str, *, default: float) -> float:
        """A number that is not negative."""
        value = self.content.get(name, default)
        if not isinstance(value, int | float) or isinstance(value, bool) or value < 0:
            raise BadRequestError(f"{name} must be a number, 0 or more.")
        return float(value)

    def numbers(self, name: str) -> tuple[float, ...]:
        """A list of numbers that are not negative."""
        values = self.content.get(name)
        if not isinstance(values, list):
            raise BadRequestError(f"{name} must be a list of numbers.")
        return tuple(Input({name: value}).number(name, default=0) for value in values)

    def strings(self, name: str, *, default: list[str] | None = None) -> list[str]:
        """A list of strings."""
        values = self.content.get(name, default)
        if not isinstance(values, list) or not all(isinstance(value, str) for value in values):
            raise BadRequestError(f"{name} must be a list of strings.")
        return values

    def objects(self, name: str) -> list[Json] | None:
        """A list of objects, or None when it is not given."""
        values = self.content.get(name)
        if values is None:
            return None
        if not isinstance(values, list) or not all(isinstance(value, dict) for value in values):
            raise BadRequestError(f"{name} must be a list of objects.")
        return values

    def object(self, name: str) -> Json:
        """An object, {} when it is not given."""
        value = self.content.get(name, {})
        if not isinstance(value, dict):
            raise BadRequestError(f"{name} must be an object.")
        return value

    def span(self, name: str) -> tuple[int, int]:
        """A whole number of at least 1, or [least, most] of such."""
        value = self.content[name]
        pair = value if isinstance(value, list) else [value, value]
        if len(pair) != 2 or not all(type(part) is int and part >= 1 for part in pair):
            raise BadRequestError(f"{name} must be a number from 1, or [least, most].")
        if pair[0] > pair[1]:
            raise BadRequestError(f"{name} must be [least, most].")
        return pair[0], pair[1]

    @staticmethod
    def check_loopback(url: str) -> None:
        """Refuse a URL that is not on this machine."""
        parts = urlsplit(url)
        if parts.scheme != "http" or parts.hostname not in LOOPBACK:
            raise BadRequestError(
                "url must be http on 127.0.0.1: the playground sends to no other host."
            )
