"""The rows of LangGraph's `store`: each memory as each audience knows it.

Nothing else writes them.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable
from datetime import UTC, datetime
from typing import Any

from psycopg import AsyncConnection
from psycopg.rows import DictRow

from memory.model.namespace import DM, Person
from memory.model.statement import Statement, View, views
from memory.postgres.statements import load_statements, rows_parameter
from memory.store.memories import MAX_MEMORIES, Memory, person_range, read_own

_SQL = load_statements("memory", "store")
_BATCH = 1_000  # rows of one statement


async def refresh(
    connection: AsyncConnection[DictRow],
    person: Person,
    keys: Collection[str],
    statements: Iterable[Statement],
) -> None:
    """Make the rows of these memories what their statements amount to now.

    The caller holds the person's lock, and has read all `statements` of the memories under it. A
    vector goes where the content of its row changes; it is made again by `embed_missing`, or copied
    from a row with the same content.
    """
    wanted = {
        (person.namespace(view.audience).prefix, view.key): view
        for view in projected(keys, statements)
    }
    stored = {
        (row.namespace.prefix, row.key): row for row in await read_rows(connection, person, keys)
    }
    gone = stored.keys() - wanted.keys()
    changed = [
        _row(prefix, view)
        for (prefix, key), view in wanted.items()
        if _differs(stored.get((prefix, key)), view)
    ]
    if gone:
        prefixes, gone_keys = zip(*gone, strict=True)
        await connection.execute(
            _SQL["delete"], {"prefixes": list(prefixes), "keys": list(gone_keys)}
        )
    for start in range(0, len(changed), _BATCH):
        rows = rows_parameter(changed[start : start + _BATCH])
        await connection.execute(_SQL["delete_stale_vectors"], {"rows": rows})
        await connection.execute(_SQL["put"], {"rows": rows})
    if changed:
        changed_keys = list({row["key"] for row in changed})
        await connection.execute(
            _SQL["copy_vectors"], {**person_range(person), "keys": changed_keys}
        )


def projected(keys: Collection[str], statements: Iterable[Statement]) -> list[View]:
    """Return the views of memories, given all of their statements."""
    now = datetime.now(UTC)
    by_key: dict[str, list[Statement]] = {key: [] for key in keys}
    for one in statements:
        by_key[one.key].append(one)
    return [view for said in by_key.values() for view in views(said, now)]


async def remaining_capacity(connection: AsyncConnection[DictRow], person: Person) -> int:
    """Return how many new memories of a person may be stored before there are `MAX_MEMORIES`."""
    prefix = person.namespace(DM).prefix
    found = await connection.execute(_SQL["remaining"], {"prefix": prefix, "most": MAX_MEMORIES})
    [row] = await found.fetchall()
    return int(row["remaining"])


async def read_rows(
    connection: AsyncConnection[DictRow], person: Person, keys: Collection[str]
) -> list[Memory]:
    """Return the rows of these memories, one for each audience that knows them."""
    values = {**person_range(person), "keys": list(keys)}
    found = await connection.execute(_SQL["read_by_keys"], values)
    return read_own(await found.fetchall(), person)


def _row(prefix: str, view: View) -> dict[str, Any]:
    return {
        "prefix": prefix,
        "key": view.key,
        "value": view.value,
        "created_at": view.created_at,
        "expires_at": view.expires_at,
    }


def _differs(row: Memory | None, view: View) -> bool:
    return row is None or (row.value, row.expires_at) != (view.value, view.expires_at)
