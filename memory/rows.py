"""The rows of one person's memories: what LangGraph's `store` and `store_vectors` hold."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, LiteralString, TypeAlias

from psycopg import AsyncConnection
from psycopg.rows import DictRow
from psycopg.types.json import Jsonb

from memory.database import Pool, person_transaction
from memory.embeddings import literal
from memory.errors import InvalidNamespace
from memory.memories import COLUMNS, OF_PERSON, ends_at, person_range, seen_in
from memory.namespace import Namespace, Person, View

Place: TypeAlias = tuple[str, str]  # prefix, key

VECTOR_FIELD = "content"
# Other LangMem tools write rows of other shapes here.
_READABLE: LiteralString = (
    "value->>'kind' = ANY(%(kinds)s) AND jsonb_typeof(value->'content') = 'object'"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One stored memory."""

    namespace: Namespace
    key: str
    value: dict[str, Any]
    created_at: datetime
    updated_at: datetime

    @property
    def place(self) -> Place:
        """What identifies it among all of a person's memories."""
        return (self.namespace.prefix, self.key)

    @property
    def kind(self) -> str:
        """The name of its schema."""
        return str(self.value["kind"])

    @property
    def content(self) -> dict[str, Any]:
        """The schema's fields."""
        return dict(self.value["content"])

    @property
    def supersedes(self) -> list[Place]:
        """The memories of other audiences that this one stands before."""
        person = self.namespace.person
        return [
            (person.namespace(entry["audience"]).prefix, entry["key"])
            for entry in self.value.get("supersedes") or []
        ]

    def shown(self) -> dict[str, Any]:
        """The value as the memory model sees it: with the newest evidence, without the rest."""
        sources = self.value.get("sources") or [{}]
        evidence = str(sources[-1].get("evidence") or "")
        return {"kind": self.kind, "content": {**self.content, "evidence": evidence}}


def row(record: DictRow) -> Row:
    """Read a record with the columns of `memory.memories.COLUMNS`."""
    return Row(
        namespace=Namespace.from_prefix(record["prefix"]),
        key=record["key"],
        value=record["value"],
        created_at=record["created_at"],
        updated_at=record["updated_at"],
    )


def rows_within(records: Iterable[DictRow], view: View) -> list[Row]:
    """Read what has not expired; raises `InvalidNamespace` for a row that `view` forbids."""
    rows = [row(record) for record in records]
    if not all(view.allows(row.namespace) for row in rows):
        raise InvalidNamespace("A query returned a memory for other ears; nothing was done.")
    return _alive(rows)


def _alive(rows: Iterable[Row]) -> list[Row]:
    now = datetime.now(UTC)
    return [one for one in rows if (end := ends_at(one.value)) is None or end > now]


def with_source(
    sources: Sequence[Mapping[str, Any]], new: Mapping[str, Any]
) -> list[dict[str, Any]]:
    """Return `sources` with `new`; a message is one source, however often it is read."""
    known = [dict(one) for one in sources]
    place = (new.get("channel"), new.get("ts"))
    if None in place:
        return [*known, dict(new)]
    others = [one for one in known if (one.get("channel"), one.get("ts")) != place]
    return known if new in known else [*others, dict(new)]


# --- reading -------------------------------------------------------------------------------


async def newest(pool: Pool, view: View, kinds: Sequence[str], limit: int) -> list[Row]:
    """Return the memories of `kinds` that `view` shows, newest first."""
    where, values = seen_in(view)
    async with person_transaction(pool, view.person) as connection:
        cursor = await connection.execute(
            f"SELECT {COLUMNS} FROM store WHERE {where} AND {_READABLE}"
            " ORDER BY updated_at DESC, key LIMIT %(limit)s",
            {**values, "kinds": kinds, "limit": limit},
        )
        return rows_within(await cursor.fetchall(), view)


async def nearest(
    pool: Pool, view: View, kinds: Sequence[str], vectors: Sequence[Sequence[float]], limit: int
) -> list[Row]:
    """Return the nearest to each of `vectors` in turn, at most `limit`, by exact distance."""
    where, values = seen_in(view)
    ranked: list[tuple[int, Row]] = []
    async with person_transaction(pool, view.person) as connection:
        for vector in vectors:
            cursor = await connection.execute(
                f"SELECT {COLUMNS} FROM ("
                "SELECT prefix, key, embedding <=> %(vector)s::vector AS distance"
                f" FROM store_vectors WHERE {where} ORDER BY distance LIMIT %(limit)s) near"
                " JOIN store USING (prefix, key)"
                f" WHERE {_READABLE}"
                " ORDER BY distance",
                {**values, "vector": literal(vector), "limit": limit, "kinds": kinds},
            )
            ranked += enumerate(rows_within(await cursor.fetchall(), view))
    ranked.sort(key=lambda pair: pair[0])
    return list({row.place: row for _, row in ranked}.values())[:limit]


async def named(pool: Pool, view: View, places: Iterable[Place]) -> list[Row]:
    """Return the memories at `places`."""
    async with person_transaction(pool, view.person) as connection:
        cursor = await connection.execute(
            f"SELECT {COLUMNS} FROM store WHERE (prefix, key) IN"
            " (SELECT * FROM unnest(%s::text[], %s::text[]))",
            [[prefix for prefix, _ in places], [key for _, key in places]],
        )
        return rows_within(await cursor.fetchall(), view)


async def reread(
    connection: AsyncConnection[DictRow],
    own: Namespace,
    kinds: Sequence[str],
    places: Iterable[Place],
) -> list[Row]:
    """Return the rows of `kinds` in `own`, and those at `places`, as they stand now."""
    wanted = list(places)
    cursor = await connection.execute(
        f"SELECT {COLUMNS} FROM store WHERE prefix = %(own)s AND {_READABLE}"
        " UNION "
        f"SELECT {COLUMNS} FROM store WHERE (prefix, key) IN"
        " (SELECT * FROM unnest(%(prefixes)s::text[], %(keys)s::text[]))",
        {
            "own": own.prefix,
            "kinds": kinds,
            "prefixes": [prefix for prefix, _ in wanted],
            "keys": [key for _, key in wanted],
        },
    )
    return _alive([row(record) for record in await cursor.fetchall()])


async def fetch(connection: AsyncConnection[DictRow], namespace: Namespace, key: str) -> Row | None:
    """Return one row as it stands now, None where there is none or it has expired."""
    cursor = await connection.execute(
        f"SELECT {COLUMNS} FROM store WHERE prefix = %s AND key = %s FOR UPDATE",
        (namespace.prefix, key),
    )
    found = await cursor.fetchone()
    return next(iter(_alive([row(found)])), None) if found else None


async def said_at(
    connection: AsyncConnection[DictRow], person: Person, channel: str, ts: str
) -> list[Row]:
    """Return the rows that have the message as one of their sources, oldest first."""
    cursor = await connection.execute(
        f"SELECT {COLUMNS} FROM store WHERE {OF_PERSON} AND value->'sources' @> %(source)s"
        " ORDER BY created_at, key",
        {**person_range(person), "source": Jsonb([{"channel": channel, "ts": ts}])},
    )
    return _alive([row(record) for record in await cursor.fetchall()])


async def vector_of(
    connection: AsyncConnection[DictRow], namespace: Namespace, key: str
) -> str | None:
    """Return a row's vector in pgvector's text form."""
    cursor = await connection.execute(
        "SELECT embedding::text AS vector FROM store_vectors WHERE prefix = %s AND key = %s"
        " ORDER BY field_name <> %s LIMIT 1",
        (namespace.prefix, key, VECTOR_FIELD),
    )
    found = await cursor.fetchone()
    return str(found["vector"]) if found else None


# --- writing -------------------------------------------------------------------------------


async def insert(
    connection: AsyncConnection[DictRow],
    namespace: Namespace,
    key: str,
    value: dict[str, Any],
    vector: str | None,
    *,
    dates: tuple[datetime, datetime] | None = None,
) -> None:
    """Store a new row; `dates` are its created_at and updated_at, now unless given."""
    created, updated = dates or (None, None)
    await connection.execute(
        "INSERT INTO store (prefix, key, value, created_at, updated_at) VALUES (%s, %s, %s,"
        " COALESCE(%s, clock_timestamp()), COALESCE(%s, clock_timestamp()))",
        (namespace.prefix, key, Jsonb(value), created, updated),
    )
    await _settle(connection, namespace, key, value, vector)


async def update(
    connection: AsyncConnection[DictRow],
    namespace: Namespace,
    key: str,
    value: dict[str, Any],
    vector: str | None,
    *,
    dates: tuple[datetime, datetime] | None = None,
) -> bool:
    """Change a row; return False where it is gone."""
    created, updated = dates or (None, None)
    cursor = await connection.execute(
        "UPDATE store SET value = %s, created_at = COALESCE(%s, created_at),"
        " updated_at = COALESCE(%s, clock_timestamp()) WHERE prefix = %s AND key = %s",
        (Jsonb(value), created, updated, namespace.prefix, key),
    )
    if not cursor.rowcount:
        return False
    await _settle(connection, namespace, key, value, vector)
    return True


async def delete(connection: AsyncConnection[DictRow], namespace: Namespace, key: str) -> bool:
    """Remove a row, its vectors and expiry with it; return False where it is gone already."""
    cursor = await connection.execute(
        "DELETE FROM store WHERE prefix = %s AND key = %s", (namespace.prefix, key)
    )
    return bool(cursor.rowcount)


async def note_expiry(
    connection: AsyncConnection[DictRow], namespace: Namespace, key: str, value: dict[str, Any]
) -> None:
    """Keep `memory_expiries` as the value says."""
    place = (namespace.prefix, key)
    if (end := ends_at(value)) is None:
        await connection.execute(
            "DELETE FROM memory_expiries WHERE prefix = %s AND key = %s", place
        )
        return
    await connection.execute(
        "INSERT INTO memory_expiries (prefix, key, expires_at) VALUES (%s, %s, %s)"
        " ON CONFLICT (prefix, key) DO UPDATE SET expires_at = EXCLUDED.expires_at",
        (*place, end),
    )


async def _settle(
    connection: AsyncConnection[DictRow],
    namespace: Namespace,
    key: str,
    value: dict[str, Any],
    vector: str | None,
) -> None:
    await note_expiry(connection, namespace, key, value)
    place = (namespace.prefix, key)
    await connection.execute(
        "DELETE FROM store_vectors WHERE prefix = %s AND key = %s AND field_name <> %s",
        (*place, VECTOR_FIELD),
    )
    if vector is None:
        return
    await connection.execute(
        "INSERT INTO store_vectors (prefix, key, field_name, embedding, created_at, updated_at)"
        " VALUES (%s, %s, %s, %s::vector, clock_timestamp(), clock_timestamp())"
        " ON CONFLICT (prefix, key, field_name)"
        " DO UPDATE SET embedding = EXCLUDED.embedding, updated_at = EXCLUDED.updated_at",
        (*place, VECTOR_FIELD, vector),
    )
