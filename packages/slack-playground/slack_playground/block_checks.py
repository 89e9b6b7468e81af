"""Checks to build Block Kit's rules from: strings, lists, objects, text objects.

Errors read as Slack's do: "must be less than 151 characters [json-pointer:/blocks/0/text/text]".
"""

from collections.abc import Callable, Mapping
from typing import Any

Errors = list[str]
Check = Callable[[Any, str, Errors], None]


def fail(errors: Errors, what: str, pointer: str) -> None:
    """Add one error, as Slack words it."""
    errors.append(f"{what} [json-pointer:{pointer}]")


def string(most: int | None = None, *, least: int = 1) -> Check:
    """A string of `least` to `most` characters."""

    def check(value: Any, pointer: str, errors: Errors) -> None:
        if not isinstance(value, str):
            fail(errors, "must be a string", pointer)
        elif len(value) < least:
            fail(errors, f"must be more than {least - 1} characters", pointer)
        elif most is not None and len(value) > most:
            fail(errors, f"must be less than {most + 1} characters", pointer)

    return check


def boolean(value: Any, pointer: str, errors: Errors) -> None:
    """true or false."""
    if not isinstance(value, bool):
        fail(errors, "must be a boolean", pointer)


def integer(value: Any, pointer: str, errors: Errors) -> None:
    """A whole number."""
    if not isinstance(value, int) or isinstance(value, bool):
        fail(errors, "must be an integer", pointer)


def anything(value: Any, pointer: str, errors: Errors) -> None:
    """Not looked into."""


def one_of(*values: str) -> Check:
    """One of some strings."""

    def check(value: Any, pointer: str, errors: Errors) -> None:
        if not isinstance(value, str) or value not in values:
            fail(errors, f"must be one of: {', '.join(values)}", pointer)

    return check


def array(item: Check, most: int, *, least: int = 1) -> Check:
    """A list of `least` to `most` items."""

    def check(value: Any, pointer: str, errors: Errors) -> None:
        if not isinstance(value, list):
            fail(errors, "must be an array", pointer)
            return
        if len(value) < least:
            fail(errors, f"no less than {least} items allowed", pointer)
        if len(value) > most:
            fail(errors, f"no more than {most} items allowed", pointer)
        for index, entry in enumerate(value[:most]):
            item(entry, f"{pointer}/{index}", errors)

    return check


def fields(required: Mapping[str, Check], optional: Mapping[str, Check] | None = None) -> Check:
    """An object with exactly these fields."""
    known = {**(optional or {}), **required}

    def check(value: Any, pointer: str, errors: Errors) -> None:
        if not isinstance(value, dict):
            fail(errors, "must be an object", pointer)
            return
        for name in required.keys() - value.keys():
            fail(errors, f"missing required field: {name}", pointer)
        for name, entry in value.items():
            if name in known:
                known[name](entry, f"{pointer}/{name}", errors)
            elif name != "type":
                fail(errors, f"invalid additional property: {name}", pointer)

    return check


def typed(kinds: Mapping[str, Check]) -> Check:
    """An object whose `type` says which check it must pass."""

    def check(value: Any, pointer: str, errors: Errors) -> None:
        kind = value.get("type") if isinstance(value, dict) else None
        if not isinstance(kind, str):
            fail(errors, "missing required field: type", pointer)
        elif kind not in kinds:
            fail(errors, f"unsupported type: {kind}", f"{pointer}/type")
        else:
            kinds[kind](value, pointer, errors)

    return check


def text(most: int, *kinds: str) -> Check:
    """A text object: plain_text or mrkdwn, or only the kinds named."""
    shapes = {
        "plain_text": fields({"text": string(most)}, {"emoji": boolean}),
        "mrkdwn": fields({"text": string(most)}, {"verbatim": boolean}),
    }
    return typed({kind: shapes[kind] for kind in kinds or tuple(shapes)})


def plain(most: int) -> Check:
    """A plain_text object."""
    return text(most, "plain_text")
