"""Erasure of all of a person's data, without Undo."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TypeAlias
from uuid import UUID, uuid4

from memory.model.namespace import Person
from memory.postgres.database import PersonTransaction, Pool, person_transaction
from memory.postgres.statements import load_statements
from memory.store.forgetting import Selection, forget_within
from memory.store.hidden import seeing_forgotten, seeing_states

AppRows: TypeAlias = Callable[[PersonTransaction], Awaitable[dict[str, int]]]
"""Deletes or counts a person's rows in the application's tables; returns their number by table."""

_SQL = load_statements("memory", "forgetting")


@dataclass(frozen=True, slots=True, kw_only=True)
class Erased:
    """The receipt: the time, memories, deleted rows by table, and rows still found afterwards."""

    at: datetime
    memories: int
    counts: Mapping[str, int]
    left: Mapping[str, int]

    @property
    def total(self) -> int:
        """The number of deleted rows."""
        return sum(self.counts.values())


async def _no_rows(_: PersonTransaction) -> dict[str, int]:
    """The default of `AppRows`: the application has no tables."""
    return {}


async def erase(
    pool: Pool,
    person: Person,
    identity: UUID | None = None,
    *,
    delete_app_rows: AppRows = _no_rows,
    count_app_rows: AppRows = _no_rows,
) -> Erased:
    """Forget everything about a person without Undo, and count what is left afterwards.

    Only the ids (channel and ts) of the source messages are kept, so that they are not formed
    again, a record of each erasure with its id (`forgotten_since`), and for a day the count of the
    person's hour. `identity` is the id of an
    erasure that is repeated because a restored database lacks it. `delete_app_rows` is
    awaited in the same transaction, `count_app_rows` after it. A concurrent formation of other
    messages waits for the same lock and then writes, unless its `in_commit` raises because
    `delete_app_rows` has deleted them. Idempotent.
    """
    async with person_transaction(pool, person, locked=True) as transaction:
        memory_rows = await _count_rows(transaction)
        app_rows = await delete_app_rows(transaction)
        counts = {**app_rows, **memory_rows}
        forgotten = await forget_within(transaction, Selection(everything=True))
        async with seeing_forgotten(transaction), seeing_states(transaction):
            await transaction.execute(_SQL["erase"])
        for row in await transaction.fetch(_SQL["delete_person"]):
            await transaction.execute(_SQL["carry_count"], row)
        if identity or any(counts.values()):
            values = {"id": identity or uuid4()}
            await transaction.execute(_SQL["record_erasure"], values)
    async with person_transaction(pool, person) as transaction:
        app_rows_left = await count_app_rows(transaction)
        memory_rows_left = await _count_rows(transaction)
    return Erased(
        at=datetime.now(UTC),
        memories=len(forgotten.memories),
        counts=counts,
        left={**app_rows_left, **memory_rows_left},
    )


async def _count_rows(transaction: PersonTransaction) -> dict[str, int]:
    """Return the number of the person's rows by table, forgotten ones included."""
    async with seeing_forgotten(transaction), seeing_states(transaction):
        [row] = await transaction.fetch(_SQL["count_rows"])
    return row
