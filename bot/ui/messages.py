"""Messages besides the panel: one line, and at most three buttons."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from datetime import datetime
from typing import Any, Literal, TypeAlias
from uuid import UUID

from bot.locale import Reader
from bot.people import Off
from bot.ui.blocks import (
    FALLBACK_LIMIT,
    VALUE_LIMIT,
    Block,
    Payload,
    actions,
    button,
    fitted,
    note,
    payload,
    section,
)
from bot.ui.lines import (
    changes_line,
    notable_changes,
    off_line,
    promise_details,
    promise_line,
    question_line,
    refusal_line,
    value_line,
)
from bot.ui.panel import Done, answer_buttons, consent_buttons, undo_button
from bot.ui.positions import FORGET, MENU, PROMISE, REMEMBER, SHOW, SWITCH, Position
from bot.ui.promises import Reminder, is_open, is_past
from memory import Change, Memory, Person, Question, Reason, Refusal

# Credentials are never stored, and sensitive information is not with KIOKU_SENSITIVE=never.
_FINAL: frozenset[Reason] = frozenset({"secret", "sensitive", "full"})
PayloadMaker: TypeAlias = Callable[[Person, Reader], Awaitable[Payload]]
"""A function that returns a private message to a person."""
_MOST_BUTTONS = 3
# Each takes two blocks, and a message has at most fifty.
_MOST_REMINDERS = 15
_HEADINGS = ("reminder_soon", "reminder_today", "reminder_open")
_ROW = "promise-"
_ROW_BUTTONS = "-buttons"
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
    reminders: Mapping[str, datetime],
) -> Payload:
    """Return a notice: the changes of a batch in one line, and the first question that is open.

    `newest` are the newest changes of its promises: what is said of one is as it is now. Their
    next `reminders` are by key.
    """
    blocks: list[Block] = []
    lines: list[str] = []
    if told := notable_changes(changes):
        lines.append(changes_line(reader, told))
        promises = [promise_told(reader, one, reminders.get(one.key)) for one in newest]
        open_promises = [promise for promise in promises if promise is not None]
        asked: list[Block] | None = None
        if len(open_promises) == 1:
            [(line, asked)] = open_promises
            lines = [line] if len(told) == 1 else [*lines, line]
        undoable = [one for one in changes if one.undone_at is None]
        undo = [undo_button(reader, f"notice {batch}", lines[0])] if undoable else []
        if asked is None:
            shown = Position(list="notice", of=str(batch)).value
            buttons = [*undo, button(SHOW, reader.say("show_button"), shown)]
        else:
            buttons = [*asked, *undo][:_MOST_BUTTONS]
        blocks = [*map(note, lines), actions(*buttons)]
    if questions:
        lines.append(question_line(reader, questions[0]))
        blocks.append(section(lines[-1]))
        blocks.append(actions(*answer_buttons(reader, questions[0])))
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


def promise_told(
    reader: Reader, change: Change, reminder: datetime | None
) -> tuple[str, list[Block]] | None:
    """Return the line and the buttons of a change that made or changed an open promise.

    None for any other change. `reminder` is when the person is reminded next; where that is never,
    they are asked for a day.
    """
    content = (change.after or {}).get("content") or {}
    if not change.after or change.undone_at is not None or not is_open(change.kind, content):
        return None
    line = value_line(reader, change.after)
    key = change.key
    if reminder is None:
        tomorrow = button(f"{PROMISE}_1", reader.say("promise_tomorrow"), f"tomorrow {key}")
        pick = button(f"{MENU}_1", reader.say("promise_pick"), f"edit {key}")
        return reader.say("promise_when", line=line), [tomorrow, pick]
    edit = button(f"{MENU}_1", reader.say("menu_edit"), f"edit {key}")
    when = reader.plain_minute(reminder)
    return reader.say("promise_remind", line=line, when=when), [edit]


# --- reminders ---------------------------------------------------------------------------------


def reminder_payload(reader: Reader, reminders: Sequence[Reminder]) -> Payload:
    """Return the message that reminds of promises, one row with its buttons for each.

    Those whose time is near come first, then those of the day, then those that are late or were put
    off. Promises that do not fit are counted.
    """
    shown = reminders[:_MOST_REMINDERS]
    lines: list[str] = []
    blocks: list[Block] = []
    for heading in _HEADINGS:
        promises = [one for one in shown if _heading_of(reader, one) == heading]
        if promises:
            lines.append(reader.say(heading))
            blocks.append(section(lines[-1]))
        for one in promises:
            lines.append(promise_line(reader, one.memory))
            blocks += _reminder_row(reader, one)
    if len(reminders) > _MOST_REMINDERS:
        lines.append(reader.say("reminder_more", count=len(reminders) - _MOST_REMINDERS))
        show = button(SHOW, reader.say("show_button"), Position().value)
        blocks.append(section(lines[-1], show))
    return {"text": fitted("\n".join(lines), FALLBACK_LIMIT), "blocks": blocks}


def _heading_of(reader: Reader, reminder: Reminder) -> str:
    content = reminder.memory.content
    day = str(content.get("due") or "")
    if is_past(reader, day, str(content.get("due_time") or "")):
        return "reminder_open"
    if reminder.due_time:
        return "reminder_soon"
    today = datetime.now(reader.zone).date()
    return "reminder_today" if day == today.isoformat() else "reminder_open"


def _reminder_row(reader: Reader, reminder: Reminder) -> list[Block]:
    text = promise_details(reader, reminder.memory)
    buttons = promise_buttons(reader, reminder.memory)
    row = f"{_ROW}{reminder.memory.key}"
    return [section(text, block_id=row), actions(*buttons, block_id=f"{row}{_ROW_BUTTONS}")]


def promise_buttons(reader: Reader, memory: Memory) -> list[Block]:
    """Return what a person may answer to a reminder."""
    what = promise_line(reader, memory)
    buttons: list[Block] = []
    for number, name in enumerate(("done", "tomorrow", "drop"), start=1):
        text = reader.say(f"promise_{name}")
        label = reader.say("promise_label", button=text, what=what)
        value = f"{name} {memory.key}"
        buttons.append(button(f"{PROMISE}_{number}", text, value, label=label))
    buttons[0]["style"] = "primary"
    return buttons


def is_row(block_id: str) -> bool:
    """Return whether a clicked block is the row of a promise in a reminder."""
    return block_id.startswith(_ROW)


def with_row_replaced(message: Mapping[str, Any], block_id: str, shown: Payload) -> Payload:
    """Return a reminder with what a click has done in the place of the row that was clicked.

    The new blocks keep the row's ids, so that *Undo* replaces it again.
    """
    row = block_id.removesuffix(_ROW_BUTTONS)
    ids = [row, f"{row}{_ROW_BUTTONS}"]
    done = [{**block, "block_id": name} for block, name in zip(shown["blocks"], ids, strict=False)]
    blocks: list[Block] = []
    for block in message.get("blocks") or []:
        if block.get("block_id") == row:
            blocks += done
        elif block.get("block_id") not in ids:
            blocks.append(block)
    return {"text": shown["text"], "blocks": blocks}
