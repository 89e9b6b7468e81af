"""The question before everything about a person is erased for good, and the receipt."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from bot.locale import Language, say
from bot.views.blocks import Block, bulleted, button, input_block, note, section
from bot.views.modal_triggers import ERASE_ACTION
from bot.views.views import SlackView, entered, form_view, information_view

if TYPE_CHECKING:
    from bot.types import PersonErased

ERASE_FORM = "erase_person"
_CONFIRMATION = "erase.word"
# Of the tables of a receipt, those a person knows by name; the others are counted together.
_NAMED = {
    "store": "counted_memories",
    "memory_versions": "erased_changes",
    "turns": "counted_answers",
}


def erase_button(language: Language) -> Block:
    """Return the button that opens the question."""
    return button(ERASE_ACTION, say(language, "erase_title"), "erase", style="danger")


def erase_form(language: Language) -> SlackView:
    """Return the question: what goes, what stays, and the word to type."""
    word = say(language, "erase_word")
    blocks: list[Block] = [
        section(say(language, "erase_ask")),
        note(say(language, "erase_stays")),
        input_block(
            _CONFIRMATION,
            say(language, "erase_type", word=word),
            {"type": "plain_text_input", "max_length": 20},
        ),
    ]
    return form_view(language, "erase_title", blocks, callback=ERASE_FORM, submit="erase_submit")


def typed_confirmation(view: Mapping[str, Any]) -> tuple[str, str]:
    """Return the block of the word, for errors, and what was typed there."""
    return _CONFIRMATION, str(entered(view, _CONFIRMATION).get("value") or "")


def erased_view(language: Language, receipt: PersonErased) -> SlackView:
    """Return the receipt: what was deleted, what will be in Slack, and what stays and why."""
    named = sum(receipt.counts.get(table, 0) for table in _NAMED)
    lines = [
        say(language, key, count=receipt.counts.get(table, 0)) for table, key in _NAMED.items()
    ]
    lines.append(say(language, "erased_rest", count=receipt.total - named))
    left = sum(receipt.left.values())
    end = say(language, "erased_left", count=left) if left else say(language, "erased_none_left")
    blocks = [section(say(language, "erased")), section(bulleted(lines))]
    if receipt.files:
        blocks.append(section(say(language, "erased_files", count=receipt.files)))
    stays = say(language, "erased_stays")
    blocks += [section(end), section(stays), section(bulleted(_remaining(language, receipt)))]
    return information_view(language, "erase_title", blocks)


def _remaining(language: Language, receipt: PersonErased) -> list[str]:
    stays = ("erased_stays_messages", "erased_stays_titles", "erased_stays_ids")
    lines = [say(language, key) for key in stays]
    if receipt.never_formed_messages:
        lines.append(say(language, "erased_stays_places", count=receipt.never_formed_messages))
    return [*lines, say(language, "erased_stays_backups")]
