"""Deletion of what is due: expired memories and questions, and what was forgotten."""

from __future__ import annotations

import logging
from typing import LiteralString

from psycopg import AsyncConnection
from psycopg.rows import DictRow

from memory.model.namespace import Person
from memory.postgres.database import Pool, execute_statement, is_unavailable
from memory.store.forgetting import UNDO_MINUTES, shown
from memory.store.memories import OF_IDS, OF_PERSON, person_range

_log = logging.getLogger(__name__)

_OLD: LiteralString = "now() - make_interval(days => %(days)s::int)"  # without `days` nothing is
_DELETE: LiteralString = (
    f"WITH ended AS (DELETE FROM store WHERE {OF_PERSON}"
    f" AND (expires_at <= now() OR updated_at < {_OLD}) RETURNING key),"
    f" versions AS (DELETE FROM memory_versions WHERE {OF_IDS}"
    f" AND (at < {_OLD} OR key IN (SELECT key FROM ended))),"
    f" forgotten AS (DELETE FROM forgotten_versions WHERE {OF_IDS}"
    f" AND deleted_at < now() - make_interval(mins => {UNDO_MINUTES})),"
    f" questions AS (DELETE FROM memory_questions WHERE {OF_IDS}"
    f" AND (at < {_OLD} OR expires_at < now() OR key IN (SELECT key FROM ended)"
    " OR narrow_key IN (SELECT key FROM ended)))"
    " SELECT key FROM ended"
)


async def expire_due(pool: Pool, *, limit: int = 500) -> list[str]:
    """Delete what is due of up to `limit` people; return the keys of expired memories.

    Of an expired memory go the row, its vectors and versions, and the questions about it. What was
    forgotten more than ten minutes ago goes as well. Any number of processes may run it. A failure
    for one person is logged and does not stop the others.
    """
    ended: list[str] = []
    for row in await execute_statement(pool, "SELECT * FROM people_with_due(%s)", (limit,)):
        try:
            person = Person(row["team_id"], row["user_id"])
            async with shown(pool, person) as connection:
                ended += await _delete(connection, person, None)
        except Exception as error:
            if is_unavailable(error):
                raise
            # The others must not wait for one person's rows.
            who = f"{row['team_id']}.{row['user_id']}"
            _log.warning("nothing of %s was expired: %s", who, type(error).__name__)
    return ended


async def expire_unconfirmed(
    connection: AsyncConnection[DictRow], person: Person, days: int
) -> list[str]:
    """Delete memories last changed or confirmed more than `days` ago, and older versions.

    Runs in the caller's `person_transaction`, with its lock. Returns the keys of the memories.
    """
    return await _delete(connection, person, days)


async def _delete(
    connection: AsyncConnection[DictRow], person: Person, days: int | None
) -> list[str]:
    found = await connection.execute(_DELETE, {**person_range(person), "days": days})
    return [row["key"] for row in await found.fetchall()]
