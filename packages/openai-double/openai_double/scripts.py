"""Scripted answers in their JSON form."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import Any, Final, get_args

from openai_double.answer import Answer, Call, Item, Message, Phase, Reasoning, Search, said

_OUTPUT_FIELDS: Final = {*("text", "function_calls", "annotations", "web_search", "items")}
_ITEM_FIELDS: Final = {
    "reasoning": {"type"},
    "web_search": {"type", "query"},
    "message": {"type", "text", "parts", "phase", "annotations"},
    "function_call": {"type", "name", "arguments"},
}


class ControlError(ValueError):
    """A control request names something that does not exist; the message says what."""


def known_fields(given: Any, names: Iterable[str], what: str) -> dict[str, Any]:
    """Return a copy of the JSON object, or raise `ControlError` for a name that is not known."""
    if not isinstance(given, dict):
        raise ControlError("Send a JSON object.")
    for name in given:
        if name not in names:
            raise ControlError(f"Unknown {what} {name!r}: use {', '.join(sorted(names))}.")
    return dict(given)


def answer_in(output: Any) -> Answer:
    """Return the answer that the ``output`` of a script describes, or raise `ControlError`."""
    output = known_fields(output, _OUTPUT_FIELDS, "output field")
    if "items" in output:
        if len(output) > 1:
            raise ControlError("Output field 'items' takes the place of all others.")
        return Answer(tuple(map(_item, output["items"])))
    return said(
        output.get("text", ""),
        *map(_call, output.get("function_calls", [])),
        annotations=tuple(output.get("annotations", [])),
        web_search=output.get("web_search", False),
    )


def expanded(answer: Answer, found: re.Match[str]) -> Answer:
    """Return an answer with the groups of a match in its texts."""
    items = (
        replace(one, parts=tuple(map(found.expand, one.parts))) if isinstance(one, Message) else one
        for one in answer.items
    )
    return Answer(tuple(items))


def _item(given: Any) -> Item:
    kind = given.get("type") if isinstance(given, dict) else None
    if kind not in _ITEM_FIELDS:
        raise ControlError(f"The type of an item must be one of {', '.join(_ITEM_FIELDS)}.")
    item = known_fields(given, _ITEM_FIELDS[kind], f"field of a {kind} item")
    match kind:
        case "reasoning":
            return Reasoning()
        case "web_search":
            return Search(query=item.get("query", "news"))
        case "function_call":
            return _call(item)
    if item.get("phase") not in {None, *get_args(Phase)}:
        raise ControlError(f"A phase must be one of {', '.join(get_args(Phase))}.")
    return Message(
        parts=tuple(item.get("parts") or (item["text"],)),
        phase=item.get("phase"),
        annotations=tuple(item.get("annotations", [])),
    )


def _call(given: Mapping[str, Any]) -> Call:
    name, arguments = given["name"], given["arguments"]
    if not isinstance(arguments, str):
        arguments = json.dumps(arguments, ensure_ascii=False)
    return Call(name=name, arguments=arguments)
