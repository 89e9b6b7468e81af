"""What is said about promises, in notices and reminders."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from bot.acts.blocks import (
    FALLBACK_LIMIT,
    Block,
    Payload,
    actions,
    button,
    explained_button,
    fitted,
    section,
)
from bot.acts.kinds import (
    ButtonAct,
    ChangePromise,
    Edit,
    Position,
    Snooze,
)
from bot.acts.lines import (
    content_line,
    due_line,
    memory_line,
)
from bot.locale import Localizer
from memory import Memory
from memory.model import Content, due_of

# Each reminder takes two blocks, and a message has at most fifty.
_MOST_REMINDERS = 15


def promise_told(
    localizer: Localizer, promise: Memory, reminder: datetime | None
) -> tuple[str, list[Block]]:
    """Return the line and the buttons of an open promise.

    `reminder` is when the person is reminded next; if it is None, they are asked for a day. What
    nobody waits for is due when the person is reminded: its line says one time, that which the
    person named if they named one.
    """
    edit = Edit(key=promise.key)
    content = promise.content
    if reminder is not None:
        when = localizer.minute(reminder)
        if not content.get("to") and _is_on_its_day(localizer, content, reminder):
            if content.get("due_time"):
                when = due_line(localizer, content)
            content = {**content, "due": None, "due_time": None}
        line = content_line(localizer, promise.kind, content)
        told = localizer.say("promise_remind", line=line, when=when)
        return told, [button(localizer.say("menu_edit"), edit)]
    line = content_line(localizer, promise.kind, content)
    buttons = [
        button(localizer.say("promise_tomorrow"), Snooze(key=promise.key)),
        button(localizer.say("promise_pick"), edit),
    ]
    return localizer.say("promise_when", line=line), buttons


def promise_rows(
    localizer: Localizer, promises: Sequence[tuple[Memory, datetime | None]]
) -> list[tuple[str, Block]]:
    """Return the line of each of several open promises, and a block with it and one button.

    The button opens the form with the day. A single promise has no row: see `promise_told`.
    """
    rows: list[tuple[str, Block]] = []
    if len(promises) == 1:
        return rows
    for promise, reminder in promises[:_MOST_REMINDERS]:
        line, _ = promise_told(localizer, promise, reminder)
        key = "promise_pick" if reminder is None else "menu_edit"
        what = memory_line(localizer, promise)
        edit = explained_button(localizer, key, Edit(key=promise.key), what)
        rows.append((line, section(line, edit)))
    return rows


def reminder_payload(localizer: Localizer, promises: Sequence[Memory]) -> Payload:
    """Return the message that reminds of promises, one row with its buttons for each.

    Promises that do not fit are counted.
    """
    title = localizer.say("reminder_title")
    lines = [title]
    blocks = [section(title)]
    shown = promises[:_MOST_REMINDERS]
    for promise in shown:
        line = memory_line(localizer, promise)
        lines.append(line)
        blocks.append(section(line))
        answers = promise_answers(localizer, promise)
        blocks.append(actions(*answers, block_id=promise_buttons(promise.key)))
    left = len(promises) - len(shown)
    if left:
        more = localizer.say("forget_more", count=left)
        lines.append(more)
        blocks.append(section(more, button(localizer.say("show_button"), Position())))
    return {"text": fitted("\n".join(lines), FALLBACK_LIMIT), "blocks": blocks}


def promise_answers(localizer: Localizer, memory: Memory) -> list[Block]:
    """Return a button for each thing that can become of a promise which is due."""
    what = memory_line(localizer, memory)
    answers: dict[str, ButtonAct] = {
        "promise_done": ChangePromise(key=memory.key, to="done"),
        "promise_tomorrow": Snooze(key=memory.key),
        "promise_drop": ChangePromise(key=memory.key, to="dropped"),
    }
    return [explained_button(localizer, key, act, what) for key, act in answers.items()]


def promise_buttons(key: str) -> str:
    """Return the id of the buttons of a promise in a reminder."""
    return f"promise-{key}"


def next_reminder(localizer: Localizer, promise: Memory, reminder: datetime) -> str:
    """Return when the person is reminded next, for the row of a promise; "" if its line says it."""
    content = promise.content
    if not content.get("to") and _is_on_its_day(localizer, content, reminder):
        return ""
    when = localizer.minute(reminder)
    if not content.get("due_time"):
        when = localizer.day(reminder.astimezone(localizer.zone).date())
    return localizer.say("row_remind", when=when)


def _is_on_its_day(localizer: Localizer, content: Content, moment: datetime) -> bool:
    """Return whether a moment is on the day of a promise, and not after its time if it has one."""
    due = due_of(content)
    if due is None:
        return False
    day, at = due
    there = moment.astimezone(localizer.zone)
    return day == there.date() and (at is None or there.time() <= at)
