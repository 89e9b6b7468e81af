"""Deletion of what is due: statements and proposals that have ended, and what was forgotten."""

from __future__ import annotations

import logging

from psycopg import AsyncConnection
from psycopg.rows import DictRow

from memory.model.namespace import Person
from memory.postgres.database import Pool, execute_statement, is_unavailable, person_transaction
from memory.postgres.statements import load_statements
from memory.store.forgetting import DeleteTexts, purge
from memory.store.memories import reread
from memory.store.proposals import delete_ended_proposals
from memory.store.statements import delete_ended, delete_old

_log = logging.getLogger(__name__)

_SQL = load_statements("memory", "expiry")


async def expire_due(
    pool: Pool, *, limit: int = 500, delete_texts: DeleteTexts | None = None
) -> list[str]:
    """Delete what is due for up to `limit` people; return the keys of memories that are gone.

    A memory with other statements goes back to what those say. What was forgotten more than ten
    minutes ago is deleted with the texts that name it. Any number of processes may run this. A
    failure for one person is logged and does not stop the others.
    """
    gone: list[str] = []
    for row in await execute_statement(pool, _SQL["people_with_due"], {"most": limit}):
        try:
            person = Person(row["team_id"], row["user_id"])
            async with person_transaction(pool, person, locked=True) as connection:
                ended = await delete_ended(connection, person)
                await delete_ended_proposals(connection, person)
                await purge(connection, person, delete_texts)
                gone += await _without_row(connection, person, ended)
        except Exception as error:
            if is_unavailable(error):
                raise
            # The others must not wait for one person's rows.
            _log.warning("nothing of a person was expired: %s", type(error).__name__)
    return gone


async def expire_unconfirmed(
    connection: AsyncConnection[DictRow], person: Person, days: int
) -> list[str]:
    """Delete memories about which nothing was said for `days`; return their keys.

    Statements that were withdrawn longer ago go, too. Runs in the caller's `person_transaction`,
    with its lock.
    """
    old = await delete_old(connection, person, days)
    return await _without_row(connection, person, old)


async def _without_row(
    connection: AsyncConnection[DictRow], person: Person, keys: list[str]
) -> list[str]:
    left = await reread(connection, person, keys)
    return [key for key in keys if key not in left]
