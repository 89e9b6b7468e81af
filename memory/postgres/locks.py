"""Who may write a person's memories, and when: advisory locks that end with the transaction."""

from __future__ import annotations

from psycopg import AsyncConnection
from psycopg.rows import DictRow

from memory.model.namespace import Namespace, Person

_MOST_LOCKS = 8


async def lock_for_writing(
    connection: AsyncConnection[DictRow], person: Person, *namespaces: Namespace
) -> None:
    """Let no one else write to `namespaces`, and the person not forget, until this is committed.

    Of many namespaces all of the person's are locked by one lock: PostgreSQL keeps the locks of
    every transaction in one table of limited size.
    """
    prefixes = sorted({namespace.prefix for namespace in namespaces})
    if len(prefixes) > _MOST_LOCKS:
        await lock_for_forgetting(connection, person)
        return
    await connection.execute(
        "SELECT pg_advisory_xact_lock_shared(hashtextextended(%s, 0))", (person.prefix,)
    )
    for prefix in prefixes:
        await connection.execute("SELECT pg_advisory_xact_lock(hashtextextended(%s, 0))", (prefix,))


async def lock_for_forgetting(connection: AsyncConnection[DictRow], person: Person) -> None:
    """Let nothing be written for the person until this is committed."""
    await connection.execute(
        "SELECT pg_advisory_xact_lock(hashtextextended(%s, 0))", (person.prefix,)
    )
