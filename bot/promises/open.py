"""Which promises of a person are open, and when they are reminded of each."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from memory import (
    DM,
    Change,
    Memory,
    Person,
    Pool,
)
from memory.model import PROMISE_KIND, is_open_promise, may_read
from memory.postgres import (
    person_transaction,
)
from memory.store import next_reminders, read_in_order


async def open_promises(
    pool: Pool, person: Person, changes: Sequence[Change], audience: str = DM
) -> list[tuple[Memory, datetime | None]]:
    """Return the open promises among changed memories, each with when it is reminded of next.

    They are in the order of the changes, and are those that may be read in an audience.
    """
    keys = [change.key for change in changes if change.kind == PROMISE_KIND]
    if not keys:
        return []
    reminders = await next_reminders(pool, person, keys)
    async with person_transaction(pool, person) as transaction:
        promises = await read_in_order(transaction, keys)
    return [
        (promise, reminders.get(promise.key))
        for promise in promises
        if is_open_promise(promise.kind, promise.content)
        and may_read(audience, promise.audience)
    ]
