"""What statements amount to: the rows of LangGraph's `store`, and of `reminders`.

Each memory is one row of `store`, in the namespace of its audience; an open promise with its next
reminder is one of `reminders`.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any
from uuid import UUID
from zoneinfo import ZoneInfo

from memory.model.dates import EARLIEST
from memory.model.errors import MemoryFull
from memory.model.fold import Folded, fold_at
from memory.model.reminders import first_from, open_promise
from memory.model.sameness import plain_column
from memory.model.schemas import PROMISE_KIND
from memory.model.statement import Statement
from memory.postgres.database import PersonTransaction, with_pauses
from memory.postgres.statements import (
    column_parameters,
    load_statements,
    rows_parameter,
)
from memory.store.memories import MAX_MEMORIES

_SQL = load_statements("memory", "store")
_REMINDERS = load_statements("memory", "reminders")


async def write_rows(
    transaction: PersonTransaction,
    statements: Mapping[str, Sequence[Statement]],
    added: Collection[UUID] = (),
) -> None:
    """Update the rows of memories to what their statements add up to now.

    `statements` has all statements of each memory, by key; the caller has read them under the
    person's lock, and its transaction has `added` some. If a row's content changes, its vector is
    deleted; `embed_missing` makes it again.
    """
    now = datetime.now(UTC)
    memories: dict[str, Folded | None] = {}
    rows: list[dict[str, Any]] = []
    async for key in with_pauses(statements):
        memory = fold_at(statements[key], now)
        memories[key] = memory
        if memory is not None:
            row = {
                "prefix": transaction.person.namespace(memory.audience).prefix,
                "key": memory.key,
                "value": memory.value,
                "plain": plain_column({"content": memory.content, **memory.own}),
                "own": memory.own,
                "created_at": memory.created_at,
                "expires_at": memory.expires_at,
            }
            rows.append(row)
    places = [(row["key"], row["prefix"]) for row in rows]
    await transaction.execute(
        _SQL["move"], column_parameters(("keys", "prefixes"), places)
    )
    values = {"keys": list(statements), "rows": rows_parameter(rows)}
    await transaction.execute(_SQL["write"], values)
    await _plan_reminders(transaction, statements, memories, added, now)


async def _plan_reminders(
    transaction: PersonTransaction,
    statements: Mapping[str, Sequence[Statement]],
    memories: Mapping[str, Folded | None],
    added: Collection[UUID],
    now: datetime,
) -> None:
    """Plan the next reminder of each of these memories that is an open promise with a new day.

    The others keep theirs; what is no open promise loses it. If the day is said by a statement that
    was `added`, the first reminder may have become due before it was stored; otherwise those that
    have passed do not come.
    """
    # Of a memory without statements it is not known what it was.
    keys = [
        key
        for key, said in statements.items()
        if not said or said[-1].kind == PROMISE_KIND
    ]
    if not keys:
        return
    found = await transaction.fetch(_REMINDERS["read"], {"keys": keys})
    dated = {row["key"]: row["dated"] for row in found}
    open_keys: list[str] = []
    planned: list[tuple[str, UUID, str, datetime | None]] = []
    for key in keys:
        promise = open_promise(memories[key])
        if promise is None:
            continue
        open_keys.append(key)
        said = promise.dated
        if dated.get(key) != said.id:
            since = EARLIEST if said.id in added else now
            at = first_from(promise.times(ZoneInfo(said.zone)), since)
            planned.append((key, said.id, said.zone, at))
    names = ("planned", "dated", "zones", "moments")
    values = {"keys": keys, "open": open_keys, **column_parameters(names, planned)}
    await transaction.execute(_REMINDERS["write"], values)


async def remaining_capacity(transaction: PersonTransaction) -> int:
    """Return how many new memories a person may store before reaching `MAX_MEMORIES`."""
    [row] = await transaction.fetch(_SQL["remaining"], {"most": MAX_MEMORIES})
    return int(row["remaining"])


async def check_capacity(transaction: PersonTransaction, new: int) -> None:
    """Raise `MemoryFull` if the person may not store so many new memories."""
    if new and new > await remaining_capacity(transaction):
        raise MemoryFull("The person has as many memories as are kept.")
