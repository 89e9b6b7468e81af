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
from memory.store.statements import seeing_forgotten

# Deletes or counts rows of the application's tables in the same transaction, by table.
Also: TypeAlias = Callable[[PersonTransaction], Awaitable[dict[str, int]]]

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
    """The default of `Also`."""
    return {}


async def erase(
    pool: Pool,
    person: Person,
    identity: UUID | None = None,
    *,
    also: Also = _no_rows,
    left: Also = _no_rows,
) -> Erased:
    """Forget everything about a person without Undo, and count what is left afterwards.

    Only the ids (channel and ts) of the source messages are kept, so that they are not formed
    again, and a record of each erasure with its id (`forgotten_since`). `identity` is the id of an
    erasure that is repeated because a restored database lacks it. `also` deletes the application's
    rows, and `left` counts those that remain. A concurrent formation of other messages waits for
    the same lock and then writes, unless its `in_commit` raises because `also` has deleted them.
    Idempotent.
    """
    async with person_transaction(pool, person, locked=True) as transaction:
        of_app = await also(transaction)
        counts = {**of_app, **await _count_rows(transaction)}
        forgotten = await forget_within(transaction, Selection(everything=True))
        async with seeing_forgotten(transaction):
            await transaction.execute(_SQL["erase"])
        if identity or any(counts.values()):
            values = {"id": identity or uuid4()}
            await transaction.execute(_SQL["record_erasure"], values)
    async with person_transaction(pool, person) as transaction:
        left_of_app = await left(transaction)
        still = {**left_of_app, **await _count_rows(transaction)}
    return Erased(
        at=datetime.now(UTC),
        memories=len(forgotten.memories),
        counts=counts,
        left=still,
    )


async def _count_rows(transaction: PersonTransaction) -> dict[str, int]:
    """Return the number of the person's rows by table, forgotten ones included."""
    async with seeing_forgotten(transaction):
        [row] = await transaction.fetch(_SQL["count_rows"])
    return row
