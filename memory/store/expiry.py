"""Deletion of what is due: expired memories and questions, and what was forgotten."""

from __future__ import annotations

import logging
from typing import LiteralString
from uuid import uuid4

from psycopg import AsyncConnection
from psycopg.rows import DictRow

from memory.model.namespace import Person
from memory.postgres.database import Pool, execute_statement, is_unavailable
from memory.postgres.locks import lock_person
from memory.store.forgetting import purge_forgotten, shown
from memory.store.memories import COLUMNS, OF_IDS, OF_PERSON, person_range, read_own
from memory.store.versions import Change, Step, write

_log = logging.getLogger(__name__)

_QUESTIONS: LiteralString = f"DELETE FROM memory_questions WHERE {OF_IDS} AND expires_at < now()"


async def expire_due(pool: Pool, *, limit: int = 500) -> list[Change]:
    """Delete what is due of up to `limit` people; return the changes of expired memories.

    Of an expired memory go the row, its vectors and versions, and the questions about it; a version
    without content is left. What was forgotten more than ten minutes ago goes as well. Any
    number of processes may run it. A failure for one person is logged and does not stop the others.
    """
    ended: list[Change] = []
    for row in await execute_statement(pool, "SELECT * FROM people_with_due(%s)", (limit,)):
        try:
            person = Person(row["team_id"], row["user_id"])
            async with shown(pool, person) as connection:
                await connection.execute(_QUESTIONS, person.ids)
                await purge_forgotten(connection, person)
                ended += await _expire(connection, person, "expires_at <= now()")
        except Exception as error:
            if is_unavailable(error):
                raise
            # The others must not wait for one person's rows.
            who = f"{row['team_id']}.{row['user_id']}"
            _log.warning("nothing of %s was expired: %s", who, type(error).__name__)
    return ended


async def expire_unconfirmed(
    connection: AsyncConnection[DictRow], person: Person, days: int
) -> list[Change]:
    """Delete memories last changed or confirmed more than `days` ago, and older versions.

    Runs in the caller's `person_transaction`.
    """
    await lock_person(connection, person)
    old: LiteralString = "%s < now() - make_interval(days => %%(days)s)"
    ended = await _expire(connection, person, old % "updated_at", days)
    for table in ("memory_versions", "memory_questions"):
        await connection.execute(
            f"DELETE FROM {table} WHERE {OF_IDS} AND {old % 'at'}", {**person.ids, "days": days}
        )
    return ended


async def _expire(
    connection: AsyncConnection[DictRow], person: Person, due: LiteralString, days: int = 0
) -> list[Change]:
    values = {**person_range(person), "days": days}
    found = await connection.execute(
        f"SELECT {COLUMNS} FROM store WHERE {OF_PERSON} AND {due} ORDER BY prefix, key", values
    )
    memories = read_own(await found.fetchall(), person)
    if not memories:
        return []
    steps = [Step.on(memory, "removed", "expiry", None) for memory in memories]
    done = await write(connection, person, steps, {}, batch=uuid4())
    values |= {"keys": [one.key for one in done], "stay": [one.id for one in done]}
    await connection.execute(
        f"WITH questions AS (DELETE FROM memory_questions WHERE {OF_IDS}"
        " AND (key = ANY(%(keys)s) OR narrow_key = ANY(%(keys)s)))"
        f" DELETE FROM memory_versions WHERE {OF_IDS} AND key = ANY(%(keys)s)"
        " AND id <> ALL(%(stay)s)",
        values,
    )
    return done
