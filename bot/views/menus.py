"""The menu beside a memory, wherever it is shown."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal, TypeAlias, cast

from bot.locale import Language, say
from bot.views.blocks import Block, plain_text, section
from bot.views.modal_triggers import MENU_ACTION

_VALUE_LIMIT = 150

MemoryMenuAction: TypeAlias = Literal["edit", "forget", "place", "history"]

_TEXTS: Mapping[MemoryMenuAction, str] = {
    "edit": "menu_edit",
    "forget": "menu_forget",
    "place": "menu_place",
    "history": "menu_history",
}


def with_menu(language: Language, text: str, reference: str) -> Block:
    """Return a section about the memory that `reference` names, with its menu."""
    options = [
        {"text": plain_text(say(language, key)), "value": f"{deed} {reference}"}
        for deed, key in _TEXTS.items()
    ]
    if any(len(str(option["value"])) > _VALUE_LIMIT for option in options):
        return section(text)
    menu = {"type": "overflow", "action_id": MENU_ACTION, "options": options}
    return {**section(text), "accessory": menu}


def parse_menu_value(value: str) -> tuple[MemoryMenuAction, str] | None:
    """Read an option's value: what is to be done, and the memory's reference."""
    deed, _, reference = value.partition(" ")
    return (cast("MemoryMenuAction", deed), reference) if deed in _TEXTS and reference else None
