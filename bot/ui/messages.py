"""Messages besides the panel: one line, and at most three buttons."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from datetime import date
from typing import Literal, TypeAlias
from uuid import UUID

from bot.locale import Reader
from bot.people import Off
from bot.ui.acts import ChangePromise, Edit, Forget, Position, Remember, Switch, Undo
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
from bot.ui.promises import due_of, is_open, remind_at
from memory import Change, Memory, Person, Question, Reason, Refusal

# Credentials are never stored, and sensitive information is not with KIOKU_SENSITIVE=never.
_FINAL: frozenset[Reason] = frozenset({"secret", "sensitive", "full"})
PayloadMaker: TypeAlias = Callable[[Person, Reader], Awaitable[Payload]]
"""A function that returns a private message to a person."""
_MOST_BUTTONS = 3


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
        undo_notice = Undo(what="notice", ids=(batch,))
        undo = [undo_button(reader, undo_notice, lines[0])] if undoable else []
        notice = Position(list="notice", of=str(batch))
        buttons = [*undo, button(reader.say("show_button"), notice)]
        promises = [found for one in newest if (found := promise_told(reader, one))]
        if len(promises) == 1:
            [(line, asked)] = promises
            lines = [line] if len(told) == 1 else [*lines, line]
            buttons = [*asked, *undo][:_MOST_BUTTONS]
        blocks = [*map(note, lines), actions(*buttons)]
    if questions:
        lines.append(question_line(reader, questions[0]))
        blocks += [section(lines[-1]), actions(*answer_buttons(reader, questions[0]))]
    if len(questions) > 1:
        blocks.append(note(reader.say("notice_questions", count=len(questions) - 1)))
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
    return button(reader.say("on_button"), Switch(to="on", scope=scope))


def off_button(reader: Reader, scope: str = "") -> Block:
    """Return the button that switches memory off: everywhere, or in the conversation `scope`."""
    return button(reader.say("off_button"), Switch(to="off", scope=scope))


def on_question(reader: Reader, off: Off, scope: str) -> Payload:
    """Return that memory is off, with the button that switches it on."""
    return payload(off_line(reader, off), on_button(reader, scope))


def forget_button(reader: Reader, forget: Forget) -> Block:
    """Return the button that forgets what it selects."""
    return button(reader.say("menu_forget"), forget, style="danger")


def open_payload(reader: Reader, kind: Literal["memories", "changes"], words: str) -> Payload:
    """Return the button that opens the panel, for somebody who asked for it in plain words."""
    position = Position(list=kind, of=words if kind == "memories" else "")
    return payload(reader.say("open_line"), button(reader.say("show_button"), position))


def refusal_done(reader: Reader, refusal: Refusal, *, facts: bool) -> Done:
    """Return why a sentence was not stored, with the button that stores it as it was typed.

    `facts`: whether there is a kind of memory for it. A sentence that no button has room for, of
    about 1,900 characters, gets none.
    """
    line = refusal_line(reader, refusal.reason, refusal.sentence)
    if refusal.evidence is None or not facts or refusal.reason in _FINAL:
        return Done(line=line)
    said = refusal.evidence.original
    remember = Remember(text=refusal.evidence.text, channel=said.channel or "", ts=said.ts or "")
    if len(remember.value) > VALUE_LIMIT:
        return Done(line=line)
    return Done(line=line, buttons=[button(reader.say("remember_button"), remember)])


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
        tomorrow = button(reader.say("promise_tomorrow"), ChangePromise(key=key, to="tomorrow"))
        pick = button(reader.say("promise_pick"), Edit(key=key))
        return reader.say("promise_when", line=line), [tomorrow, pick]
    edit = button(reader.say("menu_edit"), Edit(key=key))
    return reader.say("promise_remind", line=line, when=reader.plain_minute(at)), [edit]


def reminder_payload(reader: Reader, memory: Memory, line: str) -> Payload:
    """Return the reminder: the person's own sentence, or `line` where it was forgotten."""
    sentence = sentence_of(memory)
    quoted = as_mrkdwn(shortened(sentence, LINE_LIMIT)) if sentence else line
    day = reader.plain_day(date.fromisoformat(memory.said_on))
    text = reader.say("reminder", day=day, what=quoted)
    done = ChangePromise(key=memory.key, to="done")
    tomorrow = ChangePromise(key=memory.key, to="tomorrow")
    dropped = ChangePromise(key=memory.key, to="dropped")
    return payload(
        text,
        button(reader.say("promise_done"), done, style="primary"),
        button(reader.say("promise_tomorrow"), tomorrow),
        button(reader.say("promise_drop"), dropped),
    )
