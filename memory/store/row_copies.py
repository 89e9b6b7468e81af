"""Rows of a person's tables as JSON lines: read before deletion, inserted again by Undo."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal, LiteralString, TypeAlias

from psycopg import AsyncConnection
from psycopg.rows import DictRow

from memory.embeddings.vectors import vector_array
from memory.store.memories import RowKey

Table: TypeAlias = Literal["store", "store_vectors", "memory_changes", "memory_questions"]
RowCopy: TypeAlias = tuple[str, bytes | None]
"""A row as a line of PostgreSQL's JSON, and its vector, if any, in pgvector's binary format."""


@dataclass(frozen=True, slots=True)
class _Shape:
    """The columns of a table; vectors are read in binary, the other columns as JSON."""

    columns: tuple[LiteralString, ...]
    vector: LiteralString | None = None


SHAPES: Mapping[Table, _Shape] = {
    "store": _Shape(
        ("prefix", "key", "value", "created_at", "updated_at", "expires_at", "ttl_minutes")
    ),
    "store_vectors": _Shape(
        ("prefix", "key", "field_name", "created_at", "updated_at"), "embedding"
    ),
    "memory_changes": _Shape(
        (
            *("id", "team_id", "user_id", "audience", "key", "kind", "action", "actor"),
            *("moved_from", "before", "after", "created_at", "updated_at", "at", "undone_at"),
        ),
        "vector",
    ),
    "memory_questions": _Shape(
        (
            *("id", "team_id", "user_id", "kind", "audience", "key", "narrow_audience"),
            *("narrow_key", "before", "after", "messages", "at", "expires_at"),
        )
    ),
}


def _select(table: Table) -> LiteralString:
    shape = SHAPES[table]
    columns = ", ".join(f"t.{name}" for name in shape.columns)
    vector = f", vector_send(t.{shape.vector}) AS vector" if shape.vector else ""
    line = f"(SELECT to_jsonb(r)::text FROM (SELECT {columns}) AS r)"
    return f"SELECT {line} AS line{vector} FROM {table} AS t"


def _insert(table: Table) -> LiteralString:
    shape = SHAPES[table]
    columns = ", ".join(shape.columns)
    values = ", ".join(f"r.{name}" for name in shape.columns)
    lines = "unnest(%(lines)s::text[]) AS given (line)"
    if shape.vector:
        columns, values = f"{columns}, {shape.vector}", f"{values}, given.vector"
        lines = "unnest(%(lines)s::text[], %(vectors)b::vector[]) AS given (line, vector)"
    return (
        f"INSERT INTO {table} ({columns}) SELECT {values} FROM {lines},"
        f" jsonb_populate_record(NULL::{table}, given.line::jsonb) AS r ON CONFLICT DO NOTHING"
    )


_SELECT: Mapping[Table, LiteralString] = {table: _select(table) for table in SHAPES}
_INSERT: Mapping[Table, LiteralString] = {table: _insert(table) for table in SHAPES}


async def read_rows(
    connection: AsyncConnection[DictRow],
    table: Table,
    condition: LiteralString,
    parameters: Mapping[str, Any],
) -> list[RowCopy]:
    """Return rows of `table`, whose alias is ``t`` in `condition`."""
    found = await connection.execute(
        f"{_SELECT[table]} WHERE {condition}", dict(parameters), binary=True
    )
    return [(str(record["line"]), record.get("vector")) for record in await found.fetchall()]


async def put_rows(
    connection: AsyncConnection[DictRow], table: Table, rows: Sequence[RowCopy]
) -> None:
    """Insert rows from `read_rows`; existing rows stay unchanged."""
    if not rows:
        return
    parameters: dict[str, Any] = {"lines": [line for line, _ in rows]}
    if SHAPES[table].vector:
        parameters["vectors"] = await vector_array(connection, [vector for _, vector in rows])
    await connection.execute(_INSERT[table], parameters)


async def put_memories(
    connection: AsyncConnection[DictRow], rows: Sequence[RowCopy]
) -> set[RowKey]:
    """Insert rows of ``store``; return the keys of those that did not exist."""
    if not rows:
        return set()
    found = await connection.execute(
        f"{_INSERT['store']} RETURNING prefix, key", {"lines": [line for line, _ in rows]}
    )
    return {(record["prefix"], record["key"]) for record in await found.fetchall()}
