"""Deletion of memories at the end of their retention period."""

from __future__ import annotations

from psycopg import AsyncConnection
from psycopg.rows import DictRow

from memory.model.namespace import Person
from memory.postgres.locks import lock_for_forgetting
from memory.store import rows
from memory.store.ledger import record_expired
from memory.store.memories import COLUMNS, OF_PERSON, person_range, read
from memory.store.unit_of_work import Change


async def expire_unconfirmed(
    connection: AsyncConnection[DictRow], person: Person, days: int
) -> list[Change]:
    """Delete memories last changed or confirmed more than `days` ago, with texts in the ledger.

    Runs in the caller's `person_transaction`; the caller awaits `Pool.changed`. The ledger keeps an
    entry without content.
    """
    await lock_for_forgetting(connection, person)
    found = await connection.execute(
        f"SELECT {COLUMNS} FROM store WHERE {OF_PERSON}"
        " AND updated_at < now() - make_interval(days => %(days)s) ORDER BY prefix, key",
        {**person_range(person), "days": days},
    )
    old = [read(record) for record in await found.fetchall()]
    await rows.delete(connection, [row.row_key for row in old])
    ended = await record_expired(connection, old)
    for table in ("memory_changes", "memory_questions"):
        await connection.execute(
            f"DELETE FROM {table} WHERE team_id = %s AND user_id = %s"
            " AND at < now() - make_interval(days => %s)",
            (person.team_id, person.user_id, days),
        )
    return ended
