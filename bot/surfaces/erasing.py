"""The question before everything about a person is erased for good, and the receipt."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from bot.locale import Language, say
from bot.own.openings import ERASE_ACTION
from bot.surfaces.blocks import Block, button, note, plain_text, section
from bot.surfaces.views import View, asking_view, reading_view
from memory import Erased

ERASE_FORM = "erase_person"
_WORD = "erase.word"
# Of the tables of a receipt, those a person knows by name; the others are counted together.
_NAMED = {
    "store": "erased_memories",
    "memory_changes": "erased_changes",
    "turns": "erased_turns",
}


def erase_button(language: Language) -> Block:
    """Return the button that opens the question."""
    return button(ERASE_ACTION, say(language, "erase_button"), "erase", style="danger")


def erase_form(language: Language) -> View:
    """Return the question: what goes, what stays, and the word to type."""
    word = say(language, "erase_word")
    blocks: list[Block] = [
        section(say(language, "erase_ask")),
        note(say(language, "erase_stays")),
        {
            "type": "input",
            "block_id": _WORD,
            "label": plain_text(say(language, "erase_type", word=word)),
            "element": {"type": "plain_text_input", "action_id": "value", "max_length": 20},
        },
    ]
    return asking_view(
        language, "erase_title", blocks, callback=ERASE_FORM, submit="erase_submit", metadata={}
    )


def typed_word(view: Mapping[str, Any]) -> tuple[str, str]:
    """Return the block of the word, for errors, and what was typed there."""
    held = view["state"]["values"].get(_WORD, {}).get("value") or {}
    return _WORD, str(held.get("value") or "")


def erased_view(language: Language, erased: Erased) -> View:
    """Return the receipt: what went, and what a search still found."""
    named = sum(erased.counts.get(table, 0) for table in _NAMED)
    lines = [say(language, key, count=erased.counts.get(table, 0)) for table, key in _NAMED.items()]
    lines.append(say(language, "erased_rest", count=erased.total - named))
    left = sum(erased.left.values())
    end = say(language, "erased_left", count=left) if left else say(language, "erased_none_left")
    return reading_view(
        language,
        "erase_title",
        [
            section(say(language, "erased")),
            section("\n".join(f"• {line}" for line in lines)),
            section(end),
        ],
    )
