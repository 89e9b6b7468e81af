"""Notices of changed memories: one line with Undo and Details, and open questions."""

from __future__ import annotations

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
from memory import Change, Question

_QUESTIONS = 3


@dataclass(frozen=True, slots=True, kw_only=True)
class NoticeContent:
    """The content of a notice: changes of the ledger, and questions that are still open.

    `surface` is part of each button value: it says what to update after a click.
    """

    surface: str
    entries: tuple[Change, ...]
    questions: tuple[Question, ...] = ()

    def __bool__(self) -> bool:
        return bool(notable_changes(self.entries) or self.questions)


def notice_payload(language: Language, content: NoticeContent, zone: tzinfo) -> Payload:
    """Return a notice as a message: its line, Undo and Details, and the first questions."""
    lines: list[str] = []
    blocks: list[Block] = []
    if notable_changes(content.entries):
        lines = [_line(language, content, zone)]
        details = button(VIEW_ACTION, say(language, "details_button"), content.surface)
        row = actions(*_undo(language, content, lines[0]), details)
        blocks = [note(lines[0], verbatim=True), row]
    lines += [question_line(language, one, zone) for one in content.questions]
    shown = content.questions[:_QUESTIONS]
    blocks += chain(*(question_blocks(language, q, content.surface, zone) for q in shown))
    if left := len(content.questions) - len(shown):
        blocks.append(note(say(language, "notice_questions", count=left)))
    return ephemeral_payload("\n".join(lines) or say(language, "notice_gone"), blocks)


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


def _undo(language: Language, content: NoticeContent, line: str) -> list[Block]:
    entries = [entry for entry in content.entries if can_be_undone(entry)]
    if len(entries) == 1:
        return [undo_button(language, entries[0], content.surface)]
    return [undo_all_button(language, line, content.surface)] if entries else []
