"""Deletion of memories that have expired, such as "until Friday" on Saturday, or are too old."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from itertools import groupby
from typing import LiteralString

from psycopg import AsyncConnection
from psycopg.rows import DictRow

from memory.model.namespace import Namespace, Person
from memory.postgres.database import Pool, execute_statement, is_unavailable, person_transaction
from memory.postgres.locks import lock_for_forgetting, lock_for_writing
from memory.store.dependents import delete_dependents
from memory.store.memories import COLUMNS, OF_PERSON, person_range, read
from memory.store.unit_of_work import Change, Step, write_steps

_log = logging.getLogger(__name__)

# Namespaces in turn, so that one that always fails does not fill every batch.
_DUE: LiteralString = (
    "SELECT prefix, key FROM (SELECT prefix, key, expires_at,"
    " row_number() OVER (PARTITION BY prefix ORDER BY expires_at) AS number"
    " FROM memory_expiries WHERE expires_at <= now()) AS due ORDER BY number, expires_at LIMIT %s"
)


async def expire_due(pool: Pool, *, limit: int = 500) -> list[Change]:
    """Delete expired memories of all people: rows, vectors, texts in the ledger, open questions.

    The ledger keeps an entry without content. Expired questions are deleted too. Any number of
    processes may run it. Deletes up to `limit` memories, in each namespace the ones that expired
    first. A failure in one namespace is logged and does not stop the others.
    """
    questions = "SELECT * FROM people_with_expired_questions(%s)"
    for row in await execute_statement(pool, questions, (limit,)):
        await _delete_expired_questions(pool, Person(row["team_id"], row["user_id"]))
    due = [(row["prefix"], row["key"]) for row in await execute_statement(pool, _DUE, (limit,))]
    ended: list[Change] = []
    for prefix, row_keys in groupby(sorted(due), key=lambda row_key: row_key[0]):
        keys = [key for _, key in row_keys]
        try:
            ended += await _end(pool, Namespace.from_prefix(prefix), keys)
        except Exception as error:
            if is_unavailable(error):
                raise
            # A failure in one namespace must not stop the expiry of the others.
            whose = ".".join(prefix.split(".")[1:3])
            _log.warning(
                "%d memories of %s were not expired: %s", len(keys), whose, type(error).__name__
            )
    return ended


async def _end(pool: Pool, namespace: Namespace, keys: list[str]) -> list[Change]:
    async with person_transaction(pool, namespace.person) as connection:
        await lock_for_writing(connection, namespace.person, namespace)
        found = await connection.execute(
            f"SELECT {COLUMNS} FROM store WHERE prefix = %s AND key IN (SELECT key"
            " FROM memory_expiries e WHERE e.prefix = %s AND key = ANY(%s)"
            " AND e.expires_at <= now()) ORDER BY key",
            (namespace.prefix, namespace.prefix, keys),
        )
        return await _expire(connection, namespace.person, await found.fetchall())


async def _delete_expired_questions(pool: Pool, person: Person) -> None:
    async with person_transaction(pool, person) as connection:
        await connection.execute(
            "DELETE FROM memory_questions WHERE team_id = %s AND user_id = %s"
            " AND expires_at < now()",
            (person.team_id, person.user_id),
        )


async def expire_unconfirmed(
    connection: AsyncConnection[DictRow], person: Person, days: int
) -> list[Change]:
    """Delete memories last changed or confirmed more than `days` ago, with texts in the ledger.

    Runs in the caller's `person_transaction`. The ledger keeps an entry without content.
    """
    await lock_for_forgetting(connection, person)
    found = await connection.execute(
        f"SELECT {COLUMNS} FROM store WHERE {OF_PERSON}"
        " AND updated_at < now() - make_interval(days => %(days)s) ORDER BY prefix, key",
        {**person_range(person), "days": days},
    )
    ended = await _expire(connection, person, await found.fetchall())
    for table in ("memory_changes", "memory_questions"):
        await connection.execute(
            f"DELETE FROM {table} WHERE team_id = %s AND user_id = %s"
            " AND at < now() - make_interval(days => %s)",
            (person.team_id, person.user_id, days),
        )
    return ended


async def _expire(
    connection: AsyncConnection[DictRow], person: Person, rows: Sequence[DictRow]
) -> list[Change]:
    """Delete memories of one person, and their content in earlier entries and open questions."""
    if not rows:
        return []
    ended = [read(row) for row in rows]
    await delete_dependents(connection, person, [memory.key for memory in ended])
    steps = [Step.on(memory, "removed", "expiry", None) for memory in ended]
    return await write_steps(connection, steps, {})
