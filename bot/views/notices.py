"""Notices of changed memories: one line with Undo and Details, and open questions."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import tzinfo
from itertools import chain

from bot.locale import Language, say
from bot.views.blocks import (
    LINE_LIMIT,
    Block,
    Payload,
    actions,
    button,
    ephemeral_payload,
    note,
)
from bot.views.changes import (
    can_be_undone,
    change_line,
    notable_changes,
    question_blocks,
    question_line,
    undo_all_button,
    undo_button,
)
from bot.views.modal_triggers import VIEW_ACTION
from memory import Entry, Question

NOTICE_LIMIT = 9_000
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


def notice_payload(language: Language, content: NoticeContent, zone: tzinfo) -> Payload:
    """Return a notice as a message of its own, for the person alone."""
    blocks = notice_blocks(language, content, zone)
    if not blocks:
        return ephemeral_payload(say(language, "notice_gone"))
    lines = [_line(language, content, zone)] if notable_changes(content.entries) else []
    lines += [question_line(language, one, zone) for one in content.questions]
    return ephemeral_payload("\n".join(lines), blocks)


def _line(language: Language, content: NoticeContent, zone: tzinfo) -> str:
    """Return the changes in one line: a single one in its words, several by their number."""
    entries = notable_changes(content.entries)
    kept = [entry for entry in entries if entry.undone_at is None]
    told = kept or entries
    if len(told) == 1 and len(line := change_line(language, told[0], zone)) <= LINE_LIMIT:
        return line
    remembered = all(entry.action == "remembered" for entry in told)
    key = "notice_remembered" if remembered else "notice_changed"
    line = say(language, key, count=len(told))
    return line if kept else say(language, "change_undone", line=line)


def notice_blocks(
    language: Language,
    content: NoticeContent,
    zone: tzinfo,
    *,
    max_length: int = NOTICE_LIMIT,
    extra_buttons: Sequence[Block] = (),
) -> list[Block]:
    """Return a notice: its line, Undo and Details, and as many questions as fit in `max_length`.

    `max_length` is in characters. `extra_buttons` share a row with Undo and Details.
    """
    blocks: list[Block] = []
    buttons = [*extra_buttons]
    if notable_changes(content.entries):
        line = _line(language, content, zone)
        blocks.append(note(line, verbatim=True))
        details = button(VIEW_ACTION, say(language, "details_button"), content.surface)
        buttons = [*_undo(language, content, line), details, *buttons]
    if buttons:
        blocks.append(actions(*buttons))
    questions = [
        question_blocks(language, question, content.surface, zone)
        for question in content.questions[:_QUESTIONS]
    ]
    while questions and _text_length([*blocks, *chain(*questions)]) > max_length:
        questions.pop()
    left = len(content.questions) - len(questions)
    more = [note(say(language, "notice_questions", count=left))] if left else []
    return [*blocks, *chain(*questions), *more]


def _undo(language: Language, content: NoticeContent, line: str) -> list[Block]:
    entries = [entry for entry in content.entries if can_be_undone(entry)]
    if len(entries) == 1:
        return [undo_button(language, entries[0], content.surface)]
    return [undo_all_button(language, line, content.surface)] if entries else []


def _text_length(blocks: Sequence[Block]) -> int:
    texts = [block["text"]["text"] for block in blocks if "text" in block]
    # Buttons hold a few words each, small print a line.
    return sum(map(len, texts)) + 80 * len(blocks)
