"""Advisory transaction locks for writing and for forgetting a person's memories."""

from __future__ import annotations

from typing import LiteralString

from psycopg import AsyncConnection
from psycopg.rows import DictRow

from memory.model.embedding_space import EmbeddingSpace
from memory.model.namespace import Namespace, Person

_SHARED: LiteralString = "pg_advisory_xact_lock_shared(hashtextextended(%s, 0))"
_EXCLUSIVE: LiteralString = "pg_advisory_xact_lock(hashtextextended(%s, 0))"
NO_FORGETTING: LiteralString = f"(SELECT {_SHARED}) IS NOT NULL"
"""A condition, always true, that waits for the end of `lock_for_forgetting` and locks against it.

Its parameter is `Person.prefix`. The next statement of the transaction sees what was forgotten.
"""


async def lock_for_writing(
    connection: AsyncConnection[DictRow], person: Person, *namespaces: Namespace
) -> EmbeddingSpace:
    """Lock `namespaces` against other writers and against forgetting, until the transaction ends.

    Returns the space of the stored vectors.
    """
    prefixes = sorted({namespace.prefix for namespace in namespaces})
    locks = [_SHARED, *[_EXCLUSIVE] * len(prefixes)]
    # Evaluated from left to right: in the same order in every transaction.
    select = f"SELECT {', '.join(locks)}, model, dimensions FROM kioku_embedding_space"
    found = await connection.execute(select.encode(), (person.prefix, *prefixes))
    [row] = await found.fetchall()
    return EmbeddingSpace(row["model"], row["dimensions"])


async def lock_for_forgetting(connection: AsyncConnection[DictRow], person: Person) -> None:
    """Lock all of the person's namespaces against writers, until the transaction ends."""
    await connection.execute(f"SELECT {_EXCLUSIVE}", (person.prefix,))
