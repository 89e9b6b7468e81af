"""Checks JSON against the table of Block Kit, block_kit.toml, which explains its notation.

Errors read as Slack's do: "must be less than 151 characters [json-pointer:/blocks/0/text/text]".
"""

import tomllib
from collections.abc import Iterator
from functools import cache
from importlib.resources import files
from typing import Any, NamedTuple

from slack_playground.records import Json

_FILE = files("slack_playground").joinpath("block_kit.toml")
_TABLE: dict[str, Json] = tomllib.loads(_FILE.read_text("utf-8"))
LIMITS: dict[str, int] = _TABLE.pop("limits")
"""The limits that span several fields, in characters, blocks or inputs."""
_OBJECTS = _TABLE["objects"]
_INTERACTIVE = _TABLE["interactive"]
HELD = _TABLE["held"]
"""The name of the value in each type of element that has one."""
UNCHECKED_BLOCKS = {kind for kind, fields in _TABLE["blocks"].items() if fields == "*"}
"""Newer blocks, stored as they are given."""


def _with_block_id(blocks: dict[str, str]) -> dict[str, str]:
    return {kind: f"{fields}, block_id? str:255" for kind, fields in blocks.items()}


_INPUTS = _INTERACTIVE | _TABLE["typed"]
del _INPUTS["button"], _INPUTS["overflow"]
_SETS = {
    **_TABLE,
    "inputs": _INPUTS,
    "accessories": _INTERACTIVE | _TABLE["image"],
    "context": _TABLE["image"] | _TABLE["words"],
    "view_blocks": _with_block_id(_TABLE["blocks"]),
    "message_blocks": _with_block_id(_TABLE["blocks"] | _TABLE["only_in_messages"]),
}
_PLAIN_TEXT = "text str:{}, emoji? bool"
_MRKDWN = "text str:{}, verbatim? bool"
_SCALARS = {"bool": (bool, "a boolean"), "int": (int, "an integer")}


def limit(section: str, name: str, field: str) -> int:
    """Return the most characters of a text, or items of a list, in a field of the table.

    ``limit("interactive", "button", "value")`` is 2,000. Raises `KeyError` for a field that the
    table does not have, and `ValueError` for a field without a limit.
    """
    fields = _fields(_TABLE[section][name])
    _, _, rest = fields[field].spec.partition(":")
    most, _, _ = rest.partition(":")
    return int(most)


def error_at(pointer: str, what: str) -> str:
    """Return an error as Slack words it."""
    return f"{what} [json-pointer:{pointer}]"


def check(spec: str, value: Any, pointer: str) -> Iterator[str]:
    """Yield the errors of a value; `spec` is its type in the table's notation."""
    kind, _, rest = spec.partition(":")
    match kind:
        case "any":
            return
        case "str" | "str0":
            least = 1 if kind == "str" else 0
            yield from _check_text(value, least, int(rest or 0), pointer)
        case "bool" | "int":
            scalar, name = _SCALARS[kind]
            if type(value) is not scalar:
                yield error_at(pointer, f"must be {name}")
        case "one":
            if value not in rest.split("|"):
                yield error_at(pointer, f"must be one of: {rest.replace('|', ', ')}")
        case "list" | "list0":
            most, _, item = rest.partition(":")
            least = 1 if kind == "list" else 0
            yield from _check_list(value, least, int(most), item, pointer)
        case "plain":
            yield from _check_typed(
                value, {"plain_text": _PLAIN_TEXT.format(rest)}, pointer
            )
        case "text":
            shapes = {
                "plain_text": _PLAIN_TEXT.format(rest),
                "mrkdwn": _MRKDWN.format(rest),
            }
            yield from _check_typed(value, shapes, pointer)
        case _ if kind.startswith("@"):
            yield from _check_typed(value, _SETS[kind[1:]], pointer)
        case _:
            yield from _check_fields(value, _OBJECTS[kind], pointer)


def _check_text(value: Any, least: int, most: int, pointer: str) -> Iterator[str]:
    if not isinstance(value, str):
        yield error_at(pointer, "must be a string")
    elif len(value) < least:
        yield error_at(pointer, f"must be more than {least - 1} characters")
    elif most and len(value) > most:
        yield error_at(pointer, f"must be less than {most + 1} characters")


def _check_list(
    value: Any, least: int, most: int, item: str, pointer: str
) -> Iterator[str]:
    if not isinstance(value, list):
        yield error_at(pointer, "must be an array")
        return
    if len(value) < least:
        yield error_at(pointer, f"no less than {least} items allowed")
    if len(value) > most:
        yield error_at(pointer, f"no more than {most} items allowed")
    for index, entry in enumerate(value[:most]):
        yield from check(item, entry, f"{pointer}/{index}")


def _check_typed(value: Any, kinds: dict[str, str], pointer: str) -> Iterator[str]:
    """Check an object whose `type` determines its fields."""
    kind = value.get("type") if isinstance(value, dict) else None
    if not isinstance(kind, str):
        yield error_at(pointer, "missing required field: type")
    elif kind not in kinds:
        yield error_at(f"{pointer}/type", f"unsupported type: {kind}")
    else:
        yield from _check_fields(value, kinds[kind], pointer)


def _check_fields(value: Any, listed: str, pointer: str) -> Iterator[str]:
    if not isinstance(value, dict):
        yield error_at(pointer, "must be an object")
        return
    known = _fields(listed)
    for name, field in known.items():
        if not field.is_required or name == "*":
            continue
        alternatives = name.split("|")
        if value.keys().isdisjoint(alternatives):
            yield error_at(pointer, f"missing required field: {alternatives[0]}")
    for name, entry in value.items():
        if name in known:
            yield from check(known[name].spec, entry, f"{pointer}/{name}")
        elif name != "type" and "*" not in known:
            yield error_at(pointer, f"invalid additional property: {name}")


class _Field(NamedTuple):
    """The type of a field in the table's notation, and whether the field is required."""

    spec: str
    is_required: bool


@cache
def _fields(listed: str) -> dict[str, _Field]:
    """The fields of an object by their names."""
    found: dict[str, _Field] = {}
    for entry in listed.split(", "):
        if not entry:
            continue
        name, _, spec = entry.partition(" ")
        if name.startswith("+"):
            included = name.removeprefix("+")
            found |= _fields(_OBJECTS[included])
        else:
            is_required = not name.endswith("?")
            found[name.rstrip("?")] = _Field(spec, is_required)
    return found
