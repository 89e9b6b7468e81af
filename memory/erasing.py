"""Erasing a person: everything, at once, with nothing left to undo."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import LiteralString, TypeAlias

from psycopg import AsyncConnection
from psycopg.rows import DictRow

from memory.database import Pool, person_transaction
from memory.locks import lock_for_forgetting
from memory.memories import OF_PERSON, person_range
from memory.namespace import Person

# What the application erases of its own, in the same transaction: rows removed, by table.
Also: TypeAlias = Callable[[AsyncConnection[DictRow]], Awaitable[dict[str, int]]]

_BY_PREFIX: tuple[LiteralString, ...] = ("memory_expiries", "store_vectors", "store")
_BY_PERSON: tuple[LiteralString, ...] = ("memory_changes", "memory_questions", "forgotten")
# Where something was said that is never to be formed again: ids of messages, no text.
_PLACES: LiteralString = (
    "INSERT INTO forgotten_sources (forgotten_id, team_id, user_id, channel, ts)"
    " SELECT gen_random_uuid(), %(team)s, %(user)s, place->>'channel', place->>'ts' FROM ("
    " SELECT DISTINCT jsonb_build_object('channel', s->>'channel', 'ts', s->>'ts') AS place"
    " FROM store, jsonb_array_elements(CASE jsonb_typeof(value->'sources') WHEN 'array'"
    f" THEN value->'sources' ELSE '[]' END) AS s WHERE {OF_PERSON}"
    " AND s->>'channel' IS NOT NULL AND s->>'ts' IS NOT NULL) AS said"
    " WHERE NOT EXISTS (SELECT FROM forgotten_sources f WHERE f.team_id = %(team)s"
    " AND f.user_id = %(user)s AND f.channel = place->>'channel' AND f.ts = place->>'ts')"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Erased:
    """The receipt: when, how many rows of each table went, and how many a search still found."""

    at: datetime
    counts: Mapping[str, int]
    left: Mapping[str, int]

    @property
    def total(self) -> int:
        """How many rows went."""
        return sum(self.counts.values())


async def erase(
    pool: Pool, person: Person, *, also: Also | None = None, left: Also | None = None
) -> Erased:
    """Remove everything of a person, in one transaction, and search afterwards.

    A formation that runs at that moment writes nothing: it waits for the same lock, and finds the
    words it was made of gone. `also` removes what the application keeps, and `left` counts what is
    still there of it. Twice is once: the second finds nothing. What stays is where something was
    said (channel and ts), so that the same message is never formed again.
    """
    parameters = {**person_range(person), "team": person.team_id, "user": person.user_id}
    async with person_transaction(pool, person) as connection:
        await lock_for_forgetting(connection, person)
        await connection.execute(_PLACES, parameters)
        counts = await also(connection) if also is not None else {}
        for table in _BY_PREFIX:
            gone = await connection.execute(f"DELETE FROM {table} WHERE {OF_PERSON}", parameters)
            counts[table] = gone.rowcount
        for table in _BY_PERSON:
            gone = await connection.execute(
                f"DELETE FROM {table} WHERE team_id = %(team)s AND user_id = %(user)s", parameters
            )
            counts[table] = gone.rowcount
    async with person_transaction(pool, person) as connection:
        still = await left(connection) if left is not None else {}
        for table in _BY_PREFIX:
            still[table] = await _count(connection, table, OF_PERSON, parameters)
        for table in _BY_PERSON:
            condition: LiteralString = "team_id = %(team)s AND user_id = %(user)s"
            still[table] = await _count(connection, table, condition, parameters)
    return Erased(at=datetime.now(UTC), counts=counts, left=still)


async def _count(
    connection: AsyncConnection[DictRow],
    table: LiteralString,
    condition: LiteralString,
    parameters: Mapping[str, str],
) -> int:
    found = await connection.execute(
        f"SELECT count(*) AS n FROM {table} WHERE {condition}", dict(parameters)
    )
    [row] = await found.fetchall()
    return int(row["n"])
