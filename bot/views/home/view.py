"""App Home as a whole: most important first, within Slack's hundred blocks."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from bot.locale import Language, say
from bot.types import Incognito, MemoryOffReason, PersonSettings, Refusal
from bot.views.blocks import Block, button, note, plain_text, section
from bot.views.changes import can_be_undone, question_blocks, undo_button
from bot.views.history import ALL_CHANGES, entry_line
from bot.views.home.data import DataHandling, control_blocks, data_handling_blocks, language_block
from bot.views.home.listing import Listing, listing_blocks
from bot.views.home.memory_state import incognito_blocks, memory_state_blocks
from bot.views.modal_triggers import VIEW_ACTION
from bot.views.views import View, banner_blocks
from memory import Entry, Question

HOME = "home"
CHANGES_SHOWN = 5
QUESTIONS_SHOWN = 3
_DIVIDER: Block = {"type": "divider"}


@dataclass(frozen=True, slots=True, kw_only=True)
class HomePage:
    """Everything that one person's Home shows.

    `links` lead to the messages that changes came from, by the id of the entry.
    """

    settings: PersonSettings = field(default_factory=PersonSettings)
    off: MemoryOffReason | None = None
    incognito: Incognito = field(default_factory=Incognito)
    refusal: Refusal | None = None
    listing: Listing = field(default_factory=Listing)
    changes: Sequence[Entry] = ()
    questions: Sequence[Question] = ()
    links: Mapping[str, str] = field(default_factory=dict)
    handling: DataHandling = field(default_factory=DataHandling)


def home_view(language: Language, page: HomePage, banner: Sequence[Block] = ()) -> View:
    """Return the view; `said`, at its top, is the answer to the click that led to it."""
    zone = page.settings.zone
    blocks: list[Block] = []
    blocks += banner_blocks(banner)
    blocks += [
        _header(language, "memories_title"),
        *memory_state_blocks(language, page.settings, page.off, page.refusal),
        *incognito_blocks(language, page.incognito, page.off, page.refusal),
        note(*_small_print(language, page)),
        _DIVIDER,
    ]
    if page.questions:
        blocks.append(_header(language, "home_questions"))
        for question in page.questions[:QUESTIONS_SHOWN]:
            blocks += question_blocks(language, question, HOME, zone)
        blocks.append(_DIVIDER)
    blocks += [*listing_blocks(language, page.listing, zone), _DIVIDER]
    if page.changes:
        blocks += [*_changes(language, page), _DIVIDER]
    blocks += [
        *control_blocks(language, page.listing.total),
        _DIVIDER,
        language_block(language, page.settings.language),
        _DIVIDER,
        *data_handling_blocks(language, page.handling),
        note(say(language, "home_end")),
    ]
    return {
        "type": "home",
        "private_metadata": page.listing.position.metadata(language),
        "blocks": blocks,
    }


def _small_print(language: Language, page: HomePage) -> list[str]:
    lines = [say(language, "only_you")]
    if total := page.listing.total:
        lines.insert(0, say(language, "home_count", count=total))
    if page.handling.stand_in:
        lines.append(say(language, "stand_in_note"))
    return lines


def _changes(language: Language, page: HomePage) -> list[Block]:
    zone = page.settings.zone
    blocks: list[Block] = [_header(language, "home_changes")]
    for entry in page.changes[:CHANGES_SHOWN]:
        block = section(entry_line(language, entry, page.links.get(str(entry.id)), zone))
        if can_be_undone(entry):
            block["accessory"] = undo_button(language, entry, HOME)
        blocks.append(block)
    every = button(VIEW_ACTION, say(language, "home_all_changes"), ALL_CHANGES)
    return [*blocks, {"type": "actions", "elements": [every]}]


def _header(language: Language, key: str) -> Block:
    return {"type": "header", "text": plain_text(say(language, key))}
