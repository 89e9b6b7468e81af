"""Messages besides the panel: one line, and at most three buttons."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from datetime import date
from typing import Literal, TypeAlias
from uuid import UUID

from bot.locale import Reader
from bot.people import Off
from bot.ui.blocks import (
    LINE_LIMIT,
    VALUE_LIMIT,
    Block,
    Payload,
    actions,
    as_mrkdwn,
    button,
    note,
    payload,
    section,
    shortened,
)
from bot.ui.cards import sentence_of
from bot.ui.lines import (
    changes_line,
    notable_changes,
    off_line,
    question_line,
    refusal_line,
    value_line,
)
from bot.ui.panel import Done, answer_buttons, consent_buttons, undo_button
from bot.ui.positions import FORGET, MENU, PROMISE, REMEMBER, SHOW, SWITCH, Position
from bot.ui.promises import due_of, is_open, remind_at
from memory import Change, Memory, Person, Question, Reason, Refusal

# Credentials are never stored, and sensitive information is not with KIOKU_SENSITIVE=never.
_FINAL: frozenset[Reason] = frozenset({"secret", "sensitive", "full"})
PayloadMaker: TypeAlias = Callable[[Person, Reader], Awaitable[Payload]]
"""A function that returns a private message to a person."""
_MOST_BUTTONS = 3
# Characters of a sentence in the value of a button; escapes may triple them.
SENTENCE_LIMIT = 1_800


def done_payload(reader: Reader, done: Done) -> Payload:
    """Return what a click did, in the place of the message that was clicked."""
    return payload(done.line, *done.shown_buttons(reader))


def notice_payload(
    reader: Reader,
    batch: UUID,
    changes: Sequence[Change],
    questions: Sequence[Question],
    newest: Sequence[Change],
) -> Payload:
    """Return a notice: the changes of a batch in one line, and the first question that is open.

    `newest` are the newest changes of its promises: what is said of one is as it is now.
    """
    blocks: list[Block] = []
    lines: list[str] = []
    if told := notable_changes(changes):
        lines.append(changes_line(reader, told))
        undoable = [one for one in changes if one.undone_at is None]
        undo = [undo_button(reader, f"notice {batch}", lines[0])] if undoable else []
        shown = Position(list="notice", of=str(batch)).value
        buttons = [*undo, button(SHOW, reader.say("show_button"), shown)]
        promises = [found for one in newest if (found := promise_told(reader, one))]
        if len(promises) == 1:
            [(line, asked)] = promises
            lines = [line] if len(told) == 1 else [*lines, line]
            buttons = [*asked, *undo][:_MOST_BUTTONS]
        blocks = [*map(note, lines), actions(*buttons)]
    if questions:
        lines.append(question_line(reader, questions[0]))
        blocks += [section(lines[-1]), actions(*answer_buttons(reader, questions[0]))]
    if more := len(questions) - 1:
        blocks += [note(reader.say("notice_questions", count=more))] if more > 0 else []
    return {"text": "\n".join(lines), "blocks": blocks}


def consent_question(reader: Reader) -> Payload:
    """Return the question whether the person wants to be remembered."""
    return payload(reader.say("consent_ask"), *consent_buttons(reader))


def off_done(reader: Reader, off: Off, scope: str) -> Done:
    """Return that memory was switched off, with the button that switches it on."""
    line = f"{off_line(reader, off)} {reader.say('off_means')}"
    return Done(line=line, buttons=[on_button(reader, scope)])


def on_button(reader: Reader, scope: str = "") -> Block:
    """Return the button that switches memory on: everywhere, or in the conversation `scope`."""
    return button(SWITCH, reader.say("on_button"), f"on {scope}".strip())


def off_button(reader: Reader, scope: str = "") -> Block:
    """Return the button that switches memory off: everywhere, or in the conversation `scope`."""
    return button(SWITCH, reader.say("off_button"), f"off {scope}".strip())


def on_question(reader: Reader, off: Off, scope: str) -> Payload:
    """Return that memory is off, with the button that switches it on."""
    return payload(off_line(reader, off), on_button(reader, scope))


def forget_button(reader: Reader, value: str) -> Block:
    """Return the button that forgets what `value` selects."""
    return button(FORGET, reader.say("menu_forget"), value, style="danger")


def open_payload(reader: Reader, kind: Literal["memories", "changes"], words: str) -> Payload:
    """Return the button that opens the panel, for somebody who asked for it in plain words."""
    position = Position(list=kind, of=words if kind == "memories" else "")
    return payload(reader.say("open_line"), button(SHOW, reader.say("show_button"), position.value))


def refusal_done(reader: Reader, refusal: Refusal, *, facts: bool) -> Done:
    """Return why a sentence was not stored, with the button that stores it as it was typed.

    `facts`: whether there is a kind of memory for it.
    """
    line = refusal_line(reader, refusal.reason, refusal.sentence)
    if refusal.evidence is None or not facts or refusal.reason in _FINAL:
        return Done(line=line)
    said = refusal.evidence.original
    value = f"{said.channel or '-'} {said.ts or '-'} {refusal.evidence.text[:SENTENCE_LIMIT]}"
    return Done(
        line=line, buttons=[button(REMEMBER, reader.say("remember_button"), value[:VALUE_LIMIT])]
    )


def promise_told(reader: Reader, change: Change) -> tuple[str, list[Block]] | None:
    """Return the line and the buttons of a change that made or changed an open promise.

    None for any other change. Of a promise without a day the person is asked for one.
    """
    content = (change.after or {}).get("content") or {}
    if not change.after or change.undone_at is not None or not is_open(change.kind, content):
        return None
    at = remind_at(due_of(content), change.at, reader.zone)
    dateless = {**change.after, "content": {**content, "due": None, "due_time": None}}
    line, key = value_line(reader, dateless), change.key
    if at is None:
        tomorrow = button(f"{PROMISE}_1", reader.say("promise_tomorrow"), f"tomorrow {key}")
        pick = button(f"{MENU}_1", reader.say("promise_pick"), f"edit {key}")
        return reader.say("promise_when", line=line), [tomorrow, pick]
    edit = button(f"{MENU}_1", reader.say("menu_edit"), f"edit {key}")
    return reader.say("promise_remind", line=line, when=reader.plain_minute(at)), [edit]


def reminder_payload(reader: Reader, memory: Memory, line: str) -> Payload:
    """Return the reminder: the person's own sentence, or `line` where it was forgotten."""
    sentence = sentence_of(memory)
    quoted = as_mrkdwn(shortened(sentence, LINE_LIMIT)) if sentence else line
    day = reader.plain_day(date.fromisoformat(memory.said_on))
    text = reader.say("reminder", day=day, what=quoted)
    return payload(
        text,
        button(f"{PROMISE}_1", reader.say("promise_done"), f"done {memory.key}", style="primary"),
        button(f"{PROMISE}_2", reader.say("promise_tomorrow"), f"tomorrow {memory.key}"),
        button(f"{PROMISE}_3", reader.say("promise_drop"), f"drop {memory.key}"),
    )
