"""The rows of LangGraph's `store`: each memory as each audience knows it.

Nothing else writes them.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, TypeAlias

from psycopg import AsyncConnection
from psycopg.rows import DictRow

from memory.model.namespace import DM, Person
from memory.model.statement import Statement, View, views
from memory.postgres.database import fetch_rows
from memory.postgres.statements import column_parameters, load_statements, rows_parameter
from memory.store.memories import MAX_MEMORIES, Memory, person_range, read_own

_SQL = load_statements("memory", "store")
_BATCH = 1_000  # rows of one statement

_Place: TypeAlias = tuple[str, str]  # prefix, key


async def write_rows(
    connection: AsyncConnection[DictRow],
    person: Person,
    statements: Mapping[str, Sequence[Statement]],
    rows: Iterable[Memory],
) -> list[View]:
    """Update the rows of memories to what their statements add up to now; return their views.

    `statements` has all statements of each memory, by key, and `rows` its present rows; the caller
    has read both under the person's lock. If a row's content changes, its vector is deleted;
    `embed_missing` makes it again, or it is copied from a row with the same content.
    """
    now = datetime.now(UTC)
    wanted: dict[_Place, View] = {}
    shared_keys: set[str] = set()
    for key, said in statements.items():
        views_of_key = views(said, now)
        if len(views_of_key) > 1:
            shared_keys.add(key)
        for view in views_of_key:
            wanted[person.namespace(view.audience).prefix, key] = view
    stored = {(row.namespace.prefix, row.key): row for row in rows}
    await _delete_rows(connection, stored.keys() - wanted.keys())
    new_rows = []
    changed_rows = []
    for (prefix, key), view in wanted.items():
        row = stored.get((prefix, key))
        if row is None:
            new_rows.append(_row(prefix, view))
        elif row.value != view.value or row.expires_at != view.expires_at:
            changed_rows.append(_row(prefix, view))
    for batch in _batches(changed_rows):
        await connection.execute(_SQL["delete_stale_vectors"], {"rows": rows_parameter(batch)})
    written = [*new_rows, *changed_rows]
    for batch in _batches(written):
        await connection.execute(_SQL["put"], {"rows": rows_parameter(batch)})
    # Only rows of the same memory have the same content.
    written_keys = {row["key"] for row in written}
    keys = list(shared_keys & written_keys)
    if keys:
        values = {**person_range(person), "keys": keys}
        await connection.execute(_SQL["copy_vectors"], values)
    return list(wanted.values())


async def _delete_rows(connection: AsyncConnection[DictRow], places: Collection[_Place]) -> None:
    if not places:
        return
    await connection.execute(_SQL["delete"], column_parameters(("prefixes", "keys"), places))


def _batches(rows: Sequence[dict[str, Any]]) -> Iterator[Sequence[dict[str, Any]]]:
    for start in range(0, len(rows), _BATCH):
        yield rows[start : start + _BATCH]


async def remaining_capacity(connection: AsyncConnection[DictRow], person: Person) -> int:
    """Return how many new memories a person may store before reaching `MAX_MEMORIES`."""
    prefix = person.namespace(DM).prefix
    values = {"prefix": prefix, "most": MAX_MEMORIES}
    [row] = await fetch_rows(connection, _SQL["remaining"], values)
    return int(row["remaining"])


async def read_rows(
    connection: AsyncConnection[DictRow], person: Person, keys: Collection[str]
) -> list[Memory]:
    """Return the rows of these memories, one for each audience that knows them."""
    values = {**person_range(person), "keys": list(keys)}
    return read_own(await fetch_rows(connection, _SQL["read_by_keys"], values), person)


def _row(prefix: str, view: View) -> dict[str, Any]:
    return {
        "prefix": prefix,
        "key": view.key,
        "value": view.value,
        "created_at": view.created_at,
        "expires_at": view.expires_at,
    }
