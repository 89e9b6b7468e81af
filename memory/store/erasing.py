"""Erasing of all of a person's data, without Undo."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, LiteralString, TypeAlias
from uuid import UUID, uuid4

from psycopg import AsyncConnection
from psycopg.rows import DictRow

from memory.model.namespace import Person
from memory.postgres.database import Pool
from memory.store.forgetting import Selection, forget_within, shown
from memory.store.memories import OF_IDS, OF_PERSON, person_range

# Deletes or counts rows of the application's tables in the same transaction, by table.
Also: TypeAlias = Callable[[AsyncConnection[DictRow]], Awaitable[dict[str, int]]]

_TABLES: Mapping[LiteralString, LiteralString] = {
    "store_vectors": OF_PERSON,
    "store": OF_PERSON,
    "memory_versions": OF_IDS,
    "forgotten_versions": OF_IDS,
    "memory_questions": OF_IDS,
}
_VERSIONS: LiteralString = (
    f"WITH vectors AS (DELETE FROM store_vectors WHERE {OF_PERSON})"
    f" DELETE FROM forgotten_versions WHERE {OF_IDS}"
)
_RECORD: LiteralString = (
    f"WITH earlier AS (DELETE FROM forgotten_sources WHERE {OF_IDS} AND what = 'forgetting')"
    " INSERT INTO forgotten_sources (forgotten_id, team_id, user_id, what)"
    " SELECT %(id)s, %(team)s, %(user)s, 'erased'"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Erased:
    """The receipt: time, deleted rows by table, and rows that were still found afterwards."""

    at: datetime
    counts: Mapping[str, int]
    left: Mapping[str, int]

    @property
    def total(self) -> int:
        """The number of deleted rows."""
        return sum(self.counts.values())


async def erase(
    pool: Pool,
    person: Person,
    identity: UUID | None = None,
    *,
    also: Also | None = None,
    left: Also | None = None,
) -> Erased:
    """Forget everything of a person without Undo, and count what is left afterwards.

    Only the ids (channel and ts) of the source messages are kept, which are not formed again, and
    that the person was erased (`forgotten_since`), with the id of each erasure: `identity` of one
    that a restored database does not have. `also` deletes the application's
    rows, and `left` counts those that remain. A formation that runs meanwhile of other messages
    waits for the same lock and then writes, unless its `in_commit` raises because `also` has
    deleted them. Idempotent.
    """
    parameters = person_range(person)
    async with shown(pool, person) as connection:
        counts = await also(connection) if also is not None else {}
        counts |= await count_each(connection, _TABLES, parameters)
        await forget_within(connection, person, uuid4(), Selection(everything=True))
        await connection.execute(_VERSIONS, parameters)
        if identity or any(counts.values()):
            await connection.execute(_RECORD, {**parameters, "id": identity or uuid4()})
    async with shown(pool, person) as connection:
        still = await left(connection) if left is not None else {}
        still |= await count_each(connection, _TABLES, parameters)
    return Erased(at=datetime.now(UTC), counts=counts, left=still)


async def count_each(
    connection: AsyncConnection[DictRow],
    tables: Mapping[LiteralString, LiteralString],
    parameters: Mapping[str, Any],
) -> dict[str, int]:
    """Return the number of rows that each table's condition selects."""
    return {
        table: (await connection.execute(f"SELECT FROM {table} WHERE {which}", parameters)).rowcount
        for table, which in tables.items()
    }
