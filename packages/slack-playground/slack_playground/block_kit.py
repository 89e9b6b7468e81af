"""Checks JSON against the table of Block Kit, block_kit.toml, which explains its notation.

Errors read as Slack's do: "must be less than 151 characters [json-pointer:/blocks/0/text/text]".
"""

import tomllib
from functools import cache
from importlib.resources import files
from typing import Any

Errors = list[str]
_WHOLE: dict[str, Any] = tomllib.loads(
    files("slack_playground").joinpath("block_kit.toml").read_text("utf-8")
)
LIMITS: dict[str, int] = _WHOLE["limits"]
"""The limits that span several fields, in characters, blocks or inputs."""
_TABLE: dict[str, dict[str, str]] = {
    name: part for name, part in _WHOLE.items() if name != "limits"
}
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
_SCALARS = {"bool": (bool, "a boolean"), "int": (int, "an integer")}


def limit(section: str, name: str, field: str) -> int:
    """Return the most characters of a text, or items of a list, in a field of the table.

    ``limit("interactive", "button", "value")`` is 2,000. Raises `KeyError` for a field that the
    table does not have, and `ValueError` for a field without a limit.
    """
    spec, _ = _fields(_TABLE[section][name])[field]
    _, most, *_ = f"{spec}:".split(":")
    return int(most)


def fail(errors: Errors, what: str, pointer: str) -> None:
    """Add one error, as Slack words it."""
    errors.append(f"{what} [json-pointer:{pointer}]")


def check(spec: str, value: Any, pointer: str, errors: Errors) -> None:
    """Add the errors of a value to `errors`; `spec` is its type in the table's notation."""
    kind, _, rest = spec.partition(":")
    match kind:
        case "any":
            return
        case "str" | "str0":
            _check_text(value, int(kind == "str"), int(rest or 0), pointer, errors)
        case "bool" | "int":
            scalar, name = _SCALARS[kind]
            if type(value) is not scalar:
                fail(errors, f"must be {name}", pointer)
        case "one":
            if value not in rest.split("|"):
                fail(errors, f"must be one of: {rest.replace('|', ', ')}", pointer)
        case "list" | "list0":
            most, _, item = rest.partition(":")
            _check_list(value, int(kind == "list"), int(most), item, pointer, errors)
        case "plain" | "text":
            shapes = {"plain_text": f"text str:{rest}, emoji? bool"}
            if kind == "text":
                shapes["mrkdwn"] = f"text str:{rest}, verbatim? bool"
            _check_typed(value, shapes, pointer, errors)
        case _ if kind.startswith("@"):
            _check_typed(value, _SETS[kind[1:]], pointer, errors)
        case _:
            _check_fields(value, _OBJECTS[kind], pointer, errors)


def _check_text(value: Any, least: int, most: int, pointer: str, errors: Errors) -> None:
    if not isinstance(value, str):
        fail(errors, "must be a string", pointer)
    elif len(value) < least:
        fail(errors, f"must be more than {least - 1} characters", pointer)
    elif most and len(value) > most:
        fail(errors, f"must be less than {most + 1} characters", pointer)


def _check_list(value: Any, least: int, most: int, item: str, pointer: str, errors: Errors) -> None:
    if not isinstance(value, list):
        fail(errors, "must be an array", pointer)
        return
    if len(value) < least:
        fail(errors, f"no less than {least} items allowed", pointer)
    if len(value) > most:
        fail(errors, f"no more than {most} items allowed", pointer)
    for index, entry in enumerate(value[:most]):
        check(item, entry, f"{pointer}/{index}", errors)


def _check_typed(value: Any, kinds: dict[str, str], pointer: str, errors: Errors) -> None:
    """Check an object whose `type` determines its fields."""
    kind = value.get("type") if isinstance(value, dict) else None
    if not isinstance(kind, str):
        fail(errors, "missing required field: type", pointer)
    elif kind not in kinds:
        fail(errors, f"unsupported type: {kind}", f"{pointer}/type")
    else:
        _check_fields(value, kinds[kind], pointer, errors)


@cache
def _fields(listed: str) -> dict[str, tuple[str, bool]]:
    """The fields of an object: the type of each, and whether it is required."""
    found: dict[str, tuple[str, bool]] = {}
    for field in listed.split(", "):
        if not field:
            continue
        name, _, spec = field.partition(" ")
        if name.startswith("+"):
            found |= _fields(_OBJECTS[name[1:]])
        else:
            found[name.rstrip("?")] = (spec, not name.endswith("?"))
    return found


def _check_fields(value: Any, listed: str, pointer: str, errors: Errors) -> None:
    if not isinstance(value, dict):
        fail(errors, "must be an object", pointer)
        return
    known = _fields(listed)
    for name, (_, required) in known.items():
        either = name.split("|")
        if required and name != "*" and not value.keys() & set(either):
            fail(errors, f"missing required field: {either[0]}", pointer)
    for name, entry in value.items():
        if name in known:
            check(known[name][0], entry, f"{pointer}/{name}", errors)
        elif name != "type" and "*" not in known:
            fail(errors, f"invalid additional property: {name}", pointer)
