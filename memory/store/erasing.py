"""Erasing of all of a person's data, without Undo."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, LiteralString, TypeAlias

from psycopg import AsyncConnection
from psycopg.rows import DictRow

from memory.model.namespace import Person
from memory.postgres.database import Pool
from memory.store.forgetting import shown
from memory.store.memories import OF_IDS, OF_PERSON, person_range

# Deletes or counts rows of the application's tables in the same transaction, by table.
Also: TypeAlias = Callable[[AsyncConnection[DictRow]], Awaitable[dict[str, int]]]

_TABLES: Mapping[LiteralString, LiteralString] = {
    "store_vectors": OF_PERSON,
    "store": OF_PERSON,
    "memory_versions": f"{OF_IDS} AND key <> ''",
    "memory_questions": OF_IDS,
}
_SOURCE_MESSAGES: LiteralString = (
    "INSERT INTO forgotten_sources (forgotten_id, team_id, user_id, channel, ts)"
    " SELECT gen_random_uuid(), %(team)s, %(user)s, channel, ts FROM (SELECT DISTINCT"
    " one->>'channel' AS channel, one->>'ts' AS ts FROM store,"
    f" jsonb_path_query(value, '$.sources[*]') AS one WHERE {OF_PERSON}) AS said"
    " WHERE channel <> '' AND ts <> '' AND NOT EXISTS (SELECT FROM forgotten_sources f"
    f" WHERE {OF_IDS} AND f.channel = said.channel AND f.ts = said.ts)"
)
# One row without a key says that the person was erased; it stays.
_RECORD: LiteralString = (
    f"WITH earlier AS (DELETE FROM memory_versions WHERE {OF_IDS} AND key = '')"
    " INSERT INTO memory_versions (id, team_id, user_id, key, audience, kind, action, actor, batch,"
    " deleted_at) VALUES (gen_random_uuid(), %(team)s, %(user)s, '', '', '', 'forgotten',"
    " 'command', gen_random_uuid(), now())"
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
    pool: Pool, person: Person, *, also: Also | None = None, left: Also | None = None
) -> Erased:
    """Delete all rows of a person in one transaction, and count what is left afterwards.

    Only the ids (channel and ts) of the memories' source messages are kept, which are not formed
    again, and that the person was erased (`forgotten_since`). `also` deletes the application's
    rows, and `left` counts those that remain. A formation that runs meanwhile of other messages
    waits for the same lock and then writes, unless its `in_commit` raises because `also` has
    deleted them. Idempotent.
    """
    parameters = person_range(person)
    async with shown(pool, person) as connection:
        await connection.execute(_SOURCE_MESSAGES, parameters)
        counts = await also(connection) if also is not None else {}
        counts |= await delete_each(connection, _TABLES, parameters)
        if any(counts.values()):
            await connection.execute(_RECORD, parameters)
    async with shown(pool, person) as connection:
        still = await left(connection) if left is not None else {}
        still |= await count_each(connection, _TABLES, parameters)
    return Erased(at=datetime.now(UTC), counts=counts, left=still)


async def delete_each(
    connection: AsyncConnection[DictRow],
    tables: Mapping[LiteralString, LiteralString],
    parameters: Mapping[str, Any],
) -> dict[str, int]:
    """Delete the rows that each table's condition selects, in one statement; return their numbers.

    Rows deleted by ON DELETE CASCADE are counted in their own table too.
    """
    gone = ", ".join(
        f"gone_{table} AS (DELETE FROM {table} WHERE {condition} RETURNING 1)"
        for table, condition in tables.items()
    )
    counts = ", ".join(f"(SELECT count(*) FROM gone_{table}) AS {table}" for table in tables)
    found = await connection.execute(f"WITH {gone} SELECT {counts}", dict(parameters))
    [row] = await found.fetchall()
    return {table: int(row[table]) for table in tables}


async def count_each(
    connection: AsyncConnection[DictRow],
    tables: Mapping[LiteralString, LiteralString],
    parameters: Mapping[str, Any],
) -> dict[str, int]:
    """Return the number of rows that each table's condition selects, in one statement."""
    counts = ", ".join(
        f"(SELECT count(*) FROM {table} WHERE {condition}) AS {table}"
        for table, condition in tables.items()
    )
    found = await connection.execute(f"SELECT {counts}", dict(parameters))
    [row] = await found.fetchall()
    return {table: int(row[table]) for table in tables}
