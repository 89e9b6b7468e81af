"""Notices of changed memories: each change with Undo, and open questions."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, tzinfo

from bot.locale import Language, say
from bot.views.blocks import Block, Payload, actions, button, ephemeral_payload, note
from bot.views.changes import (
    change_block,
    change_line,
    notable_changes,
    question_blocks,
    question_line,
)
from bot.views.modal_triggers import VIEW_ACTION
from memory import Entry, Question

NOTICE_LIMIT = 9_000
_SHOWN = 5
_QUESTIONS = 3


@dataclass(frozen=True, slots=True, kw_only=True)
class NoticeContent:
    """The content of a notice: changes of the ledger, and questions that are still open.

    `surface` is part of each button value: it says what to update after a click.
    """

    surface: str
    entries: tuple[Entry, ...]
    questions: tuple[Question, ...] = ()

    def __bool__(self) -> bool:
        return bool(notable_changes(self.entries) or self.questions)


def notice_payload(language: Language, content: NoticeContent, zone: tzinfo = UTC) -> Payload:
    """Return a notice as a message of its own, for the person alone."""
    blocks = notice_blocks(language, content, zone)
    if not blocks:
        return ephemeral_payload(say(language, "notice_gone"))
    return ephemeral_payload(notice_text(language, content, zone), blocks)


def notice_text(language: Language, content: NoticeContent, zone: tzinfo = UTC) -> str:
    """Return a notice as plain lines."""
    lines = [change_line(language, entry, zone) for entry in notable_changes(content.entries)]
    return "\n".join([*lines, *(question_line(language, one, zone) for one in content.questions)])


def notice_blocks(
    language: Language,
    content: NoticeContent,
    zone: tzinfo = UTC,
    *,
    max_length: int = NOTICE_LIMIT,
    extra_buttons: Sequence[Block] = (),
) -> list[Block]:
    """Return a notice in at most `max_length` characters: what does not fit is counted.

    `extra_buttons` share a row with the View button.
    """
    entries = notable_changes(content.entries)
    changes, questions = min(len(entries), _SHOWN), min(len(content.questions), _QUESTIONS)
    # Questions come before changes: the history shows both.
    fewer = [(count, questions) for count in range(changes, -1, -1)]
    fewer += [(0, asked) for asked in range(questions - 1, -1, -1)]
    blocks: list[Block] = []
    for count, asked in fewer:
        blocks = _blocks(language, content, entries, count, asked, zone, extra_buttons)
        if _text_length(blocks) <= max_length:
            break
    return blocks


def _blocks(
    language: Language,
    content: NoticeContent,
    entries: Sequence[Entry],
    count: int,
    asked: int,
    zone: tzinfo,
    extra_buttons: Sequence[Block],
) -> list[Block]:
    blocks: list[Block] = []
    for entry in entries[len(entries) - count :]:
        line = change_line(language, entry, zone)
        blocks.append(change_block(language, entry, line, content.surface))
    if left := len(entries) - count + len(content.questions) - asked:
        key = "notice_more" if count or asked else "notice_count"
        blocks.append(note(say(language, key, count=left)))
    for question in content.questions[:asked]:
        blocks += question_blocks(language, question, content.surface, zone)
    view = [button(VIEW_ACTION, say(language, "view_button"), content.surface)] if entries else []
    if elements := [*extra_buttons, *view]:
        blocks.append(actions(*elements))
    return blocks


def _text_length(blocks: Sequence[Block]) -> int:
    texts = [block["text"]["text"] for block in blocks if "text" in block]
    # Buttons hold a few words each, small print a line.
    return sum(map(len, texts)) + 80 * len(blocks)
