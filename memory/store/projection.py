"""The rows of LangGraph's `store`: each memory as each audience knows it.

Nothing else writes them.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from memory.model.errors import MemoryFull
from memory.model.namespace import Person
from memory.model.sameness import plain_column
from memory.model.statement import Statement, View, views
from memory.postgres.database import PersonTransaction
from memory.postgres.statements import load_statements, rows_parameter
from memory.store.memories import MAX_MEMORIES, Memory, read_own

_SQL = load_statements("memory", "store")


async def write_rows(
    transaction: PersonTransaction,
    statements: Mapping[str, Sequence[Statement]],
) -> list[View]:
    """Update the rows of memories to what their statements add up to now; return their views.

    `statements` has all statements of each memory, by key; the caller has read them under the
    person's lock. If a row's content changes, its vector is deleted; `embed_missing` makes it
    again, or it is copied from a row with the same content.
    """
    now = datetime.now(UTC)
    written: list[View] = []
    shared_keys: list[str] = []
    for key, said in statements.items():
        views_of_key = views(said, now)
        written += views_of_key
        if len(views_of_key) > 1:
            shared_keys.append(key)
    rows = rows_parameter([_row(transaction.person, view) for view in written])
    values = {"keys": list(statements), "rows": rows}
    await transaction.execute(_SQL["write"], values)
    # Only rows of the same memory have the same content.
    if shared_keys:
        await transaction.execute(_SQL["copy_vectors"], {**values, "keys": shared_keys})
    return written


async def remaining_capacity(transaction: PersonTransaction) -> int:
    """Return how many new memories a person may store before reaching `MAX_MEMORIES`."""
    [row] = await transaction.fetch(_SQL["remaining"], {"most": MAX_MEMORIES})
    return int(row["remaining"])


async def check_capacity(transaction: PersonTransaction, new: int) -> None:
    """Raise `MemoryFull` if the person may not store so many new memories."""
    if new and new > await remaining_capacity(transaction):
        raise MemoryFull("The person has as many memories as are kept.")


async def read_rows(
    transaction: PersonTransaction, keys: Collection[str]
) -> list[Memory]:
    """Return the rows of these memories, one for each audience that knows them."""
    rows = await transaction.fetch(_SQL["read_by_keys"], {"keys": list(keys)})
    return read_own(rows, transaction.person)


def _row(person: Person, view: View) -> dict[str, Any]:
    value = view.value
    return {
        "prefix": person.namespace(view.audience).prefix,
        "key": view.key,
        "value": value,
        "plain": plain_column(value),
        "created_at": view.created_at,
        "expires_at": view.expires_at,
    }
