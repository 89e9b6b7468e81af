"""What becomes of a promise by a click."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import timedelta

from bot.acts.kinds import (
    PromiseTo,
)
from bot.acts.lines import memory_line
from bot.acts.receipt import Click, NotDone, Receipt
from bot.app import App
from bot.promises.reminders import is_due_after
from memory import (
    Change,
    ChangedSince,
    Memory,
    PersonMessage,
    edit_memory,
)
from memory.postgres import PersonTransaction
from memory.store import put_off


async def change_promise(
    app: App, click: Click, promise: Memory, state: PromiseTo
) -> Sequence[Change]:
    """Say that a promise is kept or dropped. Raises `NotDone` if that was said before."""
    content = {**promise.content, "state": state}
    if content == promise.content:
        raise NotDone(memory_line(click.localizer, promise))
    # Nothing is typed: when the message is deleted, the promise goes with it.
    clicked = PersonMessage(actor="command", zone=click.localizer.zone)
    return await edit_memory(
        app.pool, app.embedder, click.person, promise.key, content, clicked
    )


async def put_off_promise(
    transaction: PersonTransaction, click: Click, promise: Memory
) -> Receipt:
    """Remind the person of a promise tomorrow; what they promised stays as it is."""
    tomorrow = click.localizer.today() + timedelta(days=1)
    # The button is below an earlier reminder: to put the promise off would lose the later one.
    if is_due_after(promise.content, tomorrow):
        raise ChangedSince("The promise is due on a later day now.")
    if not await put_off(transaction, promise.key, click.localizer.zone):
        raise ChangedSince("The promise was kept or dropped.")
    line = click.localizer.say("snoozed", what=memory_line(click.localizer, promise))
    return Receipt(line=line)


async def set_due(
    app: App, click: Click, promise: Memory, due: Mapping[str, str | None]
) -> Sequence[Change]:
    """Give a promise the day and time that were chosen in its form; nothing is typed."""
    chosen = PersonMessage(actor="modal", zone=click.localizer.zone)
    content = {**promise.content, **due}
    return await edit_memory(
        app.pool, app.embedder, click.person, promise.key, content, chosen
    )
