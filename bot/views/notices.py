"""What the person is told after something was remembered: changes with Undo, and questions."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, tzinfo

from bot.locale import Language, say
from bot.views.blocks import Block, Payload, button, note, private, section
from bot.views.changes import (
    can_be_undone,
    change_line,
    news,
    question_blocks,
    question_line,
    undo_button,
)
from bot.views.modal_triggers import VIEW_ACTION
from memory import Entry, Question

ROOM = 9_000
_SHOWN = 5
_QUESTIONS = 3


@dataclass(frozen=True, slots=True, kw_only=True)
class Told:
    """What is told in one place: changes of the ledger, and questions that are still open.

    `where` names the place for the buttons, so that it can be shown anew after a click.
    """

    where: str
    entries: tuple[Entry, ...]
    questions: tuple[Question, ...] = ()

    def __bool__(self) -> bool:
        return bool(news(self.entries) or self.questions)


def notice_payload(language: Language, told: Told, zone: tzinfo = UTC) -> Payload:
    """Return a notice that stands by itself, for the person alone."""
    blocks = notice_blocks(language, told, zone)
    if not blocks:
        return private(say(language, "notice_gone"))
    return private(notice_text(language, told, zone), blocks)


def notice_text(language: Language, told: Told, zone: tzinfo = UTC) -> str:
    """Return a notice as plain lines."""
    lines = [change_line(language, entry, zone) for entry in news(told.entries)]
    return "\n".join([*lines, *(question_line(language, one, zone) for one in told.questions)])


def notice_blocks(
    language: Language,
    told: Told,
    zone: tzinfo = UTC,
    *,
    room: int = ROOM,
    beside: Sequence[Block] = (),
) -> list[Block]:
    """Return a notice in at most `room` characters: what does not fit is counted.

    `beside` are buttons to stand in one row with View.
    """
    entries = news(told.entries)
    changes, questions = min(len(entries), _SHOWN), min(len(told.questions), _QUESTIONS)
    # A question is worth more room than a change: the history shows both.
    fewer = [(count, questions) for count in range(changes, -1, -1)]
    fewer += [(0, asked) for asked in range(questions - 1, -1, -1)]
    blocks: list[Block] = []
    for count, asked in fewer:
        blocks = _blocks(language, told, entries, count, asked, zone, beside)
        if _characters(blocks) <= room:
            break
    return blocks


def _blocks(
    language: Language,
    told: Told,
    entries: Sequence[Entry],
    count: int,
    asked: int,
    zone: tzinfo,
    beside: Sequence[Block],
) -> list[Block]:
    blocks: list[Block] = []
    for entry in entries[len(entries) - count :]:
        shown = section(change_line(language, entry, zone))
        if can_be_undone(entry):
            shown["accessory"] = undo_button(language, entry, told.where)
        blocks.append(shown)
    if left := len(entries) - count + len(told.questions) - asked:
        key = "notice_more" if count or asked else "notice_count"
        blocks.append(note(say(language, key, count=left)))
    for question in told.questions[:asked]:
        blocks += question_blocks(language, question, told.where, zone)
    view = [button(VIEW_ACTION, say(language, "view_button"), told.where)] if entries else []
    if elements := [*beside, *view]:
        blocks.append({"type": "actions", "elements": elements})
    return blocks


def _characters(blocks: Sequence[Block]) -> int:
    texts = [block["text"]["text"] for block in blocks if "text" in block]
    # Buttons hold a few words each, small print a line.
    return sum(map(len, texts)) + 80 * len(blocks)
