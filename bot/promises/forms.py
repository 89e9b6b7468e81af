"""The day and time of a promise in the form of its memory."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress
from datetime import date, datetime, time

from bot.acts.blocks import (
    Block,
    entered,
    input_block,
)
from bot.locale import Localizer
from memory import Memory
from memory.model import DUE_FIELDS, Content, Json, due_of


def due_inputs(localizer: Localizer, promise: Memory) -> list[Block]:
    """Return the pickers of a promise's day and time."""
    inputs: list[Block] = []
    for name in DUE_FIELDS:
        picker = _picker(name, str(promise.content.get(name) or ""))
        label = localizer.say(f"field_{name}")
        inputs.append(input_block(name, label, picker, optional=True))
    return inputs


def _picker(field: str, value: str) -> Block:
    """Return the input of a promise's day or time; it begins empty if `value` is neither."""
    kind = "date" if field == "due" else "time"
    picker: Block = {"type": f"{kind}picker"}
    with suppress(ValueError):
        if kind == "date":
            picker["initial_date"] = date.fromisoformat(value).isoformat()
        else:
            picker["initial_time"] = time.fromisoformat(value).strftime("%H:%M")
    return picker


def entered_due(view: Json) -> dict[str, str | None]:
    """Return the day and time of a submitted edit form; nothing if it is of no promise."""
    values = view["state"]["values"]
    return {name: entered(view, name) or None for name in DUE_FIELDS if name in values}


def due_errors(
    localizer: Localizer, view: Json, content: Mapping[str, str | None]
) -> dict[str, str]:
    """Return an error if a promise was given a time without a day, or a past day or time.

    Its earlier ones may stay.
    """
    chosen = [content.get(name) or "" for name in DUE_FIELDS]
    begun = [_begun_with(view, name) for name in DUE_FIELDS]
    if chosen == begun:
        return {}
    if content.get("due_time") and not content.get("due"):
        return {"due": localizer.say("form_missing")}
    if not _is_past(localizer, content):
        return {}
    is_day_past = _is_past(localizer, {"due": content["due"]})
    return {"due" if is_day_past else "due_time": localizer.say("form_past")}


def _is_past(localizer: Localizer, content: Content) -> bool:
    """Return whether a promise's day, or time on it, is past for the person."""
    due = due_of(content)
    if due is None:
        return False
    day, at = due
    now = datetime.now(localizer.zone)
    return (day, at or time.max) < (now.date(), now.time())


def _begun_with(view: Json, field: str) -> str:
    """Return the initial day or time in the input of a field; empty if there is none."""
    for block in view.get("blocks") or []:
        if block.get("block_id") == field:
            element = block["element"]
            return str(element.get("initial_date") or element.get("initial_time") or "")
    return ""
