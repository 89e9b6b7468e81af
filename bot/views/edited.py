"""Modals with the result of an edit, and the question before a memory is forgotten."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from bot.locale import Language, say
from bot.views.blocks import Block, Payload, ephemeral_payload, note, section
from bot.views.changes import can_be_undone, change_line, undo_button
from bot.views.views import View, form_view, information_view
from bot.views.wording import describe_escaped
from memory import Entry, Memory

FORGET_FORM = "memory_forget"
DONE = "done"


def changes_made_view(language: Language, entries: Sequence[Entry]) -> View:
    """Return what was changed in a modal, each with its Undo."""
    return information_view(language, "memory_title", _change_blocks(language, entries))


def changes_made_payload(language: Language, entries: Sequence[Entry]) -> Payload:
    """Return the same for the person alone."""
    lines = [change_line(language, entry) for entry in entries]
    text = "\n".join(lines) or say(language, "memory_gone")
    return ephemeral_payload(text, _change_blocks(language, entries))


def _change_blocks(language: Language, entries: Sequence[Entry]) -> list[Block]:
    blocks = []
    for entry in entries:
        block = section(change_line(language, entry))
        if can_be_undone(entry):
            block["accessory"] = undo_button(language, entry, f"{DONE} {entry.id}")
        blocks.append(block)
    return blocks or [section(say(language, "memory_gone"))]


def forget_form(language: Language, memory: Memory) -> View:
    """Return the question before one memory is forgotten."""
    blocks = [
        section(describe_escaped(language, memory)),
        note(say(language, "forget_confirm_text")),
    ]
    return form_view(
        language,
        "forget_confirm_title",
        blocks,
        callback=FORGET_FORM,
        submit="forget_button",
        metadata={"memory": memory.reference},
    )


def payload_view(language: Language, title: str, payload: Mapping[str, Any]) -> View:
    """Return in a modal what would be a message to the person alone."""
    return information_view(language, title, payload["blocks"])
