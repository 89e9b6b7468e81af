"""A notice: one line for each change, and at most three buttons."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from uuid import UUID

from bot.acts.blocks import Block, Payload, actions, explained_button, note, section
from bot.acts.buttons import answer_buttons
from bot.acts.kinds import Edit, Undo
from bot.acts.lines import change_line, notable_changes, question_line, summary_lines
from bot.locale import Localizer
from bot.promises.reminders import open_promises
from bot.promises.rows import promise_rows, promise_told
from memory import (
    DM,
    Change,
    Memory,
    Person,
    Pool,
    Question,
    list_changes,
    open_questions,
)


async def batch_payload(
    pool: Pool,
    person: Person,
    localizer: Localizer,
    batch: UUID,
    *,
    audience: str = DM,
    only_questions: bool = False,
) -> Payload | None:
    """Return the notice of a batch as it is now, for an audience; None if it says nothing."""
    told: list[Change] = []
    if not only_questions:
        newest_first = await list_changes(pool, person, batch=batch)
        told = [change.heard_in(audience) for change in newest_first[::-1]]
    asked = await open_questions(pool, person, batch=batch)
    questions = [question.heard_in(audience) for question in asked]
    notable = notable_changes(told)
    if not (notable or questions):
        return None
    promises = await open_promises(pool, person, notable, audience)
    return notice_payload(localizer, batch, told, questions, promises)


def notice_payload(
    localizer: Localizer,
    batch: UUID,
    changes: Sequence[Change],
    questions: Sequence[Question],
    promises: Sequence[tuple[Memory, datetime | None]],
) -> Payload:
    """Return a notice: what the changes of a batch are, with *Undo*, and the first open question.

    Its open `promises`, each with when the person is reminded of it next, are shown as they are
    now, several in a row each. A single change can be edited.
    """
    lines, buttons = _notice_lines(localizer, batch, changes, promises)
    blocks = [note(*lines)] if lines else []
    for line, row in promise_rows(localizer, promises):
        lines.append(line)
        blocks.append(row)
    if buttons:
        blocks.append(actions(*buttons))
    if questions:
        first = questions[0]
        line = question_line(localizer, first)
        lines.append(line)
        blocks.append(section(line))
        blocks.append(actions(*answer_buttons(localizer, first)))
    others = len(questions) - 1
    if others > 0:
        blocks.append(note(localizer.say("notice_questions", count=others)))
    return {"text": "\n".join(lines), "blocks": blocks}


def _notice_lines(
    localizer: Localizer,
    batch: UUID,
    changes: Sequence[Change],
    promises: Sequence[tuple[Memory, datetime | None]],
) -> tuple[list[str], list[Block]]:
    """Return the lines of a notice's changes and their buttons; none if all are undone."""
    told = notable_changes(changes)
    if not told:
        return [], []
    lines, buttons = _told(localizer, told, promises)
    if all(one.undone_at for one in changes):
        return lines, buttons
    what = lines[0] if lines else change_line(localizer, told[0])
    undo = Undo(what="notice", ids=(batch,))
    buttons = [*buttons, explained_button(localizer, "undo_button", undo, what)]
    if len(told) == 1 and not promises and told[0].after is not None:
        edit = Edit(key=told[0].key)
        buttons.append(explained_button(localizer, "menu_edit", edit, what))
    return lines, buttons


async def batch_lines(
    pool: Pool, person: Person, localizer: Localizer, batch: UUID
) -> list[str]:
    """Return the lines of the changes of a batch, with its open promises, as they are now."""
    newest_first = await list_changes(pool, person, batch=batch)
    told = notable_changes(newest_first[::-1])
    promises = await open_promises(pool, person, told)
    lines, _ = _told(localizer, told, promises)
    rows = promise_rows(localizer, promises)
    return lines + [line for line, _ in rows]


def _told(
    localizer: Localizer,
    told: Sequence[Change],
    promises: Sequence[tuple[Memory, datetime | None]],
) -> tuple[list[str], list[Block]]:
    """Return the lines of changes, and the buttons of an open promise if it is the only one.

    Several promises have a row each: see `promise_rows`.
    """
    promised = {promise.key for promise, _ in promises}
    others = [change for change in told if change.key not in promised]
    lines = summary_lines(localizer, others)
    if len(promises) != 1:
        return lines, []
    [(promise, reminder)] = promises
    line, buttons = promise_told(localizer, promise, reminder)
    return [*lines, line], buttons
