"""Advisory transaction locks for writing and for forgetting a person's memories."""

from __future__ import annotations

from typing import LiteralString

from psycopg import AsyncConnection
from psycopg.rows import DictRow

from memory.model.namespace import Namespace, Person

NO_FORGETTING: LiteralString = (
    "(SELECT pg_advisory_xact_lock_shared(hashtextextended(%s, 0))) IS NOT NULL"
)
"""A condition, always true, that waits for the end of `lock_for_forgetting` and locks against it.

Its parameter is `Person.prefix`. The next statement of the transaction sees what was forgotten.
"""
_MOST_LOCKS = 8


async def lock_for_writing(
    connection: AsyncConnection[DictRow], person: Person, *namespaces: Namespace
) -> None:
    """Lock `namespaces` against other writers and against forgetting, until the transaction ends.

    For more than eight namespaces one lock covers all of the person's: PostgreSQL's lock table has
    a limited size.
    """
    prefixes = sorted({namespace.prefix for namespace in namespaces})
    if len(prefixes) > _MOST_LOCKS:
        await lock_for_forgetting(connection, person)
        return
    # Evaluated from left to right: in the same order in every transaction.
    locks = ", ".join(
        ["SELECT pg_advisory_xact_lock_shared(hashtextextended(%s, 0))"]
        + ["pg_advisory_xact_lock(hashtextextended(%s, 0))"] * len(prefixes)
    )
    await connection.execute(locks.encode(), (person.prefix, *prefixes))


async def lock_for_forgetting(connection: AsyncConnection[DictRow], person: Person) -> None:
    """Lock all of the person's namespaces against writers, until the transaction ends."""
    await connection.execute(
        "SELECT pg_advisory_xact_lock(hashtextextended(%s, 0))", (person.prefix,)
    )
