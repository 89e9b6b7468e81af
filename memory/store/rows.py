"""Queries on one person's rows in LangGraph's `store` and `store_vectors`."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, LiteralString

from psycopg import AsyncConnection
from psycopg.errors import DataException
from psycopg.rows import DictRow
from psycopg.types.json import Jsonb

from memory.embeddings.embedder import literal
from memory.embeddings.vectors import vector_array
from memory.model.embedding_space import EmbeddingSpace
from memory.model.errors import EmbeddingsUnavailable, InvalidNamespace
from memory.model.namespace import MemoryView, Namespace, Person
from memory.model.schemas import subject
from memory.postgres.database import Pool, person_statement, person_transaction
from memory.store.memories import (
    COLUMNS,
    OF_PERSON,
    Keyed,
    Memory,
    MessageKey,
    RowKey,
    current_condition,
    ends_at,
    person_range,
    read,
    unexpired,
    view_condition,
)

VECTOR_FIELD = "content"
MAX_MEMORIES = 5_000
"""The most memories of a person, of all audiences; a restored or moved one is no new one."""
_ROOM: LiteralString = (
    f"{MAX_MEMORIES} - (SELECT count(*) FROM (SELECT FROM store WHERE {OF_PERSON}"
    f" LIMIT {MAX_MEMORIES}) AS kept)"
)
COMPARABLE: LiteralString = (
    "(SELECT (model, dimensions) = (%(model)s, %(dimensions)s) FROM kioku_embedding_space)"
)
"""A condition: whether the stored vectors are of the space of `compared`, not of another model.

They are of another one after `reembed`, until the application is started again.
"""
_ROW_KEYS: LiteralString = "unnest(%(prefixes)s::text[], %(keys)s::text[])"
_VALUES: LiteralString = (
    "unnest(%(prefixes)s::text[], %(keys)s::text[], %(values)s::jsonb[],"
    " %(created)s::timestamptz[], %(updated)s::timestamptz[]) WITH ORDINALITY"
    " AS new (prefix, key, value, created_at, updated_at, number)"
)
# Rows written by one statement get increasing times.
NOW: LiteralString = "clock_timestamp() + (new.number - 1) * interval '1 microsecond'"
# Other tools may have written rows of another shape into `store`.
_READABLE: LiteralString = (
    "value->>'kind' = ANY(%(kinds)s) AND jsonb_typeof(value->'content') = 'object'"
)


def compared(space: EmbeddingSpace, vector: Sequence[float]) -> dict[str, Any]:
    """Return the parameters of `COMPARABLE`, and `vector`, which is of `space`."""
    return {"model": space.model, "dimensions": space.dimensions, "vector": literal(vector)}


def other_model() -> EmbeddingsUnavailable:
    """Return the error for stored vectors that are not comparable any more."""
    return EmbeddingsUnavailable("The memories are embedded with another model now.")


def rows_within(records: Iterable[DictRow], view: MemoryView) -> list[Memory]:
    """Convert rows that have not expired; raises `InvalidNamespace` for a row outside `view`."""
    rows = [read(record) for record in records]
    if not all(view.allows(row.namespace) for row in rows):
        raise InvalidNamespace("A query returned a memory of another audience; nothing was done.")
    return unexpired(rows)


def with_source(
    sources: Sequence[Mapping[str, Any]], new: Mapping[str, Any]
) -> list[dict[str, Any]]:
    """Return `sources` with `new`, which replaces an earlier source of the same message."""
    known = [dict(one) for one in sources]
    message = (new.get("channel"), new.get("ts"))
    if None in message:
        return [*known, dict(new)]
    others = [one for one in known if (one.get("channel"), one.get("ts")) != message]
    return known if new in known else [*others, dict(new)]


def without_end_of_another(row: Memory, content: Mapping[str, Any]) -> dict[str, Any]:
    """Return the value of `row`, without its expiry if `content` has another subject."""
    same = subject(row.kind, content) == subject(row.kind, row.content)
    return {name: value for name, value in row.value.items() if same or name != "expires_at"}


def added_sources(
    before: Mapping[str, Any] | None, after: Mapping[str, Any] | None
) -> list[dict[str, Any]]:
    """Return the sources that a change of a stored value has added."""
    known = (before or {}).get("sources") or []
    return [one for one in (after or {}).get("sources") or [] if one not in known]


# --- reading -------------------------------------------------------------------------------


async def newest(pool: Pool, view: MemoryView, kinds: Sequence[str], limit: int) -> list[Memory]:
    """Return the memories of `kinds` in `view`, newest first."""
    where, values = view_condition(view)
    found = await person_statement(
        pool,
        view.person,
        f"SELECT {COLUMNS} FROM store WHERE {where} AND {_READABLE}"
        " ORDER BY updated_at DESC, key LIMIT %(limit)s",
        {**values, "kinds": kinds, "limit": limit},
    )
    return rows_within(found, view)


async def nearest(
    pool: Pool,
    view: MemoryView,
    kinds: Sequence[str],
    vectors: Sequence[Sequence[float]],
    limit: int,
    *,
    space: EmbeddingSpace,
) -> list[Memory]:
    """Return at most `limit` memories, nearest to each of `vectors` in turn, by exact distance.

    The vectors are of `space`. Raises `EmbeddingsUnavailable` if the stored ones are of another.
    """
    where, values = current_condition(view, "store_vectors")
    ranked: list[tuple[int, Memory]] = []
    async with person_transaction(pool, view.person) as connection:
        for vector in vectors:
            values |= {**compared(space, vector), "limit": limit, "kinds": kinds}
            try:
                cursor = await connection.execute(
                    f"SELECT {COLUMNS} FROM ("
                    "SELECT prefix, key, embedding <=> %(vector)s::vector AS distance"
                    f" FROM store_vectors WHERE {where} ORDER BY distance LIMIT %(limit)s) near"
                    " JOIN store USING (prefix, key)"
                    f" WHERE {_READABLE}"
                    " ORDER BY distance",
                    values,
                )
            except DataException:  # vectors of different dimensions
                raise other_model() from None
            ranked += enumerate(rows_within(await cursor.fetchall(), view))
        # Last: `store_vectors`, once it is read, is not replaced before this transaction ends.
        if vectors and not await _is_comparable(connection, values):
            raise other_model()
    ranked.sort(key=lambda pair: pair[0])
    return list({row.row_key: row for _, row in ranked}.values())[:limit]


async def _is_comparable(connection: AsyncConnection[DictRow], values: Mapping[str, Any]) -> bool:
    cursor = await connection.execute(f"SELECT {COMPARABLE} AS comparable", values)
    [row] = await cursor.fetchall()
    return bool(row["comparable"])


_NAMED: LiteralString = (
    f"SELECT {COLUMNS} FROM store WHERE (prefix, key) IN"
    " (SELECT * FROM unnest(%(prefixes)s::text[], %(keys)s::text[]))"
)


async def named(pool: Pool, view: MemoryView, row_keys: Iterable[RowKey]) -> list[Memory]:
    """Return the memories with these keys."""
    found = await person_statement(
        pool,
        view.person,
        _NAMED,
        _columns(list(row_keys)),
    )
    return rows_within(found, view)


_OF_KINDS: LiteralString = f"SELECT {COLUMNS} FROM store WHERE prefix = %(own)s AND {_READABLE}"


async def reread(
    connection: AsyncConnection[DictRow], own: Namespace, kinds: Sequence[str]
) -> list[Memory]:
    """Return the current rows of `kinds` in `own`."""
    cursor = await connection.execute(_OF_KINDS, {"own": own.prefix, "kinds": kinds})
    return unexpired(read(record) for record in await cursor.fetchall())


async def reread_for(
    connection: AsyncConnection[DictRow],
    own: Namespace,
    kinds: Sequence[str],
    row_keys: Iterable[RowKey],
    messages: Sequence[MessageKey],
) -> tuple[list[Memory], set[MessageKey], int]:
    """Return the rows of `reread` and of `row_keys`, and which of `messages` are forgotten.

    The last value is that of `room`.
    """
    cursor = await connection.execute(
        f"SELECT said.forgotten, said.room, found.* FROM (SELECT {_ROOM} AS room,"
        " ARRAY(SELECT ARRAY[channel, ts]"
        " FROM forgotten_sources WHERE team_id = %(team)s AND user_id = %(user)s"
        " AND (channel, ts) IN (SELECT * FROM unnest(%(channels)s::text[], %(times)s::text[]))"
        f")) AS said (room, forgotten) LEFT JOIN ({_OF_KINDS} UNION {_NAMED}) AS found ON true",
        {
            **person_range(own.person),
            "channels": [channel for channel, _ in messages],
            "times": [ts for _, ts in messages],
            "own": own.prefix,
            "kinds": kinds,
            **_columns(list(row_keys)),
        },
    )
    records = await cursor.fetchall()
    forgotten = {(channel, ts) for channel, ts in records[0]["forgotten"]}
    found = unexpired(read(one) for one in records if one["key"] is not None)
    return found, forgotten, int(records[0]["room"])


async def room(connection: AsyncConnection[DictRow], person: Person) -> int:
    """Return how many new memories of a person may be stored before there are `MAX_MEMORIES`."""
    found = await connection.execute(f"SELECT {_ROOM} AS room", person_range(person))
    [row] = await found.fetchall()
    return int(row["room"])


async def fetch(
    connection: AsyncConnection[DictRow], namespace: Namespace, key: str
) -> Memory | None:
    """Return the current row, or None if there is none or it has expired."""
    row_key = (namespace.prefix, key)
    return (await fetch_all(connection, [row_key])).get(row_key)


async def fetch_all(
    connection: AsyncConnection[DictRow], row_keys: Sequence[RowKey]
) -> dict[RowKey, Memory]:
    """Return the rows of `row_keys` that exist and have not expired, locked FOR UPDATE."""
    cursor = await connection.execute(
        f"SELECT {COLUMNS} FROM store JOIN {_ROW_KEYS} AS wanted (prefix, key) USING (prefix, key)"
        " FOR UPDATE OF store",
        _columns(row_keys),
    )
    return _by_key(await cursor.fetchall())


async def read_unlocked(
    connection: AsyncConnection[DictRow], row_keys: Iterable[RowKey]
) -> dict[RowKey, Memory]:
    """Return the rows of `row_keys` that exist and have not expired; writers are not waited for."""
    cursor = await connection.execute(_NAMED, _columns(list(row_keys)))
    return _by_key(await cursor.fetchall())


def _by_key(records: Iterable[DictRow]) -> dict[RowKey, Memory]:
    return {one.row_key: one for one in unexpired(map(read, records))}


async def from_message(
    connection: AsyncConnection[DictRow], person: Person, channel: str, ts: str
) -> list[Memory]:
    """Return the rows that have the message as a source, oldest first."""
    cursor = await connection.execute(
        f"SELECT {COLUMNS} FROM store WHERE {OF_PERSON} AND value->'sources' @> %(source)s"
        " ORDER BY created_at, key",
        {**person_range(person), "source": Jsonb([{"channel": channel, "ts": ts}])},
    )
    return unexpired(read(record) for record in await cursor.fetchall())


async def vectors_of(
    connection: AsyncConnection[DictRow], row_keys: Sequence[RowKey]
) -> dict[RowKey, bytes]:
    """Return the vectors of rows in pgvector's binary format."""
    cursor = await connection.execute(
        "SELECT DISTINCT ON (prefix, key) prefix, key, vector_send(embedding) AS vector"
        f" FROM store_vectors JOIN {_ROW_KEYS} AS wanted (prefix, key) USING (prefix, key)"
        " ORDER BY prefix, key, field_name <> %(field)s",
        {**_columns(row_keys), "field": VECTOR_FIELD},
    )
    found = await cursor.fetchall()
    return {(row["prefix"], row["key"]): bytes(row["vector"]) for row in found}


# --- writing: any number of rows with the same number of statements --------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class NewValue(Keyed):
    """New values of a row; `dates` are created_at and updated_at, the current time if None.

    `vector` is in pgvector's binary format; None keeps the stored one.
    """

    value: dict[str, Any]
    vector: bytes | None
    dates: tuple[datetime, datetime] | None = None


async def insert(connection: AsyncConnection[DictRow], values: Sequence[NewValue]) -> None:
    """Store new rows, with their vectors and expiries."""
    if not values:
        return
    await connection.execute(
        "INSERT INTO store (prefix, key, value, created_at, updated_at)"
        f" SELECT prefix, key, value, COALESCE(created_at, {NOW}), COALESCE(updated_at, {NOW})"
        f" FROM {_VALUES}",
        _value_columns(values),
    )
    await set_expiries(connection, {one.row_key: one.value for one in values})
    await _set_vectors(connection, values)


async def update(connection: AsyncConnection[DictRow], values: Sequence[NewValue]) -> set[RowKey]:
    """Update rows, with their vectors and expiries; return the keys of those that exist."""
    if not values:
        return set()
    cursor = await connection.execute(
        "UPDATE store SET value = new.value, created_at = COALESCE(new.created_at,"
        f" store.created_at), updated_at = COALESCE(new.updated_at, {NOW}) FROM {_VALUES}"
        " WHERE store.prefix = new.prefix AND store.key = new.key"
        " RETURNING store.prefix, store.key",
        _value_columns(values),
    )
    found = {(record["prefix"], record["key"]) for record in await cursor.fetchall()}
    there = [one for one in values if one.row_key in found]
    if not there:
        return found
    key_columns = _columns([one.row_key for one in there])
    endless = [one.row_key for one in there if ends_at(one.value) is None]
    await connection.execute(
        f"DELETE FROM memory_expiries e USING {_ROW_KEYS} AS gone (prefix, key)"
        " WHERE e.prefix = gone.prefix AND e.key = gone.key",
        _columns(endless),
    )
    await connection.execute(
        f"DELETE FROM store_vectors v USING {_ROW_KEYS} AS changed (prefix, key)"
        " WHERE v.prefix = changed.prefix AND v.key = changed.key AND v.field_name <> %(field)s",
        {**key_columns, "field": VECTOR_FIELD},
    )
    await set_expiries(connection, {one.row_key: one.value for one in there})
    await _set_vectors(connection, there)
    return found


async def delete(connection: AsyncConnection[DictRow], row_keys: Sequence[RowKey]) -> set[RowKey]:
    """Delete rows with their vectors and expiries; return the keys of those that existed."""
    if not row_keys:
        return set()
    cursor = await connection.execute(
        f"DELETE FROM store USING {_ROW_KEYS} AS gone (prefix, key)"
        " WHERE store.prefix = gone.prefix AND store.key = gone.key"
        " RETURNING store.prefix, store.key",
        _columns(row_keys),
    )
    return {(record["prefix"], record["key"]) for record in await cursor.fetchall()}


async def set_expiries(
    connection: AsyncConnection[DictRow], values: Mapping[RowKey, Mapping[str, Any]]
) -> None:
    """Record the expiries of stored values in `memory_expiries`."""
    ends = {
        row_key: end for row_key, value in values.items() if (end := ends_at(value)) is not None
    }
    if not ends:
        return
    await connection.execute(
        "INSERT INTO memory_expiries (prefix, key, expires_at) SELECT prefix, key, expires_at"
        " FROM unnest(%(prefixes)s::text[], %(keys)s::text[], %(ends)s::timestamptz[])"
        " AS new (prefix, key, expires_at)"
        " ON CONFLICT (prefix, key) DO UPDATE SET expires_at = EXCLUDED.expires_at",
        {**_columns(list(ends)), "ends": list(ends.values())},
    )


async def _set_vectors(connection: AsyncConnection[DictRow], values: Sequence[NewValue]) -> None:
    given = [one for one in values if one.vector is not None]
    if not given:
        return
    await connection.execute(
        "INSERT INTO store_vectors (prefix, key, field_name, embedding, created_at, updated_at)"
        " SELECT prefix, key, %(field)s, embedding, clock_timestamp(), clock_timestamp()"
        " FROM unnest(%(prefixes)s::text[], %(keys)s::text[], %(vectors)b::vector[])"
        " AS new (prefix, key, embedding) ON CONFLICT (prefix, key, field_name)"
        " DO UPDATE SET embedding = EXCLUDED.embedding, updated_at = EXCLUDED.updated_at",
        {
            **_columns([one.row_key for one in given]),
            "field": VECTOR_FIELD,
            "vectors": await vector_array(connection, [one.vector for one in given]),
        },
    )


def _columns(row_keys: Sequence[RowKey]) -> dict[str, Any]:
    return {"prefixes": [prefix for prefix, _ in row_keys], "keys": [key for _, key in row_keys]}


def _value_columns(values: Sequence[NewValue]) -> dict[str, Any]:
    dates = [one.dates or (None, None) for one in values]
    return {
        **_columns([one.row_key for one in values]),
        "values": [Jsonb(one.value) for one in values],
        "created": [created for created, _ in dates],
        "updated": [updated for _, updated in dates],
    }
