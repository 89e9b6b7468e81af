"""Vectors of another embedding model, for all memories."""

from __future__ import annotations

from collections.abc import Callable
from typing import LiteralString, TypeAlias

from psycopg import AsyncConnection, sql
from psycopg.rows import DictRow, dict_row

from memory.embeddings.embedder import Embedder
from memory.model.embedding_space import EmbeddingSpace
from memory.model.schemas import searchable_text
from memory.store.versions import VECTOR_FIELD

BATCH = 64
# Called with the number of embedded memories and the total.
Progress: TypeAlias = Callable[[int, int], None]

# A row with a text as content, as LangMem's own tools write it, gets no vector.
_WITHOUT: LiteralString = (
    "SELECT s.prefix, s.key, s.value, s.updated_at, count(*) OVER () AS total"
    " FROM store s LEFT JOIN store_vectors v ON v.prefix = s.prefix AND v.key = s.key"
    " WHERE s.prefix LIKE 'chat.%' AND jsonb_typeof(s.value->'content') = 'object'"
    f" AND v.prefix IS NULL LIMIT {BATCH}"
)
# Rows that were changed or deleted meanwhile are not written; changed ones are read again.
_WRITE: LiteralString = (
    "INSERT INTO store_vectors (prefix, key, field_name, embedding, created_at, updated_at)"
    " SELECT s.prefix, s.key, %(field)s, made.embedding, s.updated_at, s.updated_at"
    " FROM unnest(%(prefixes)s::text[], %(keys)s::text[], %(times)s::timestamptz[],"
    " %(vectors)s::text[]::vector[]) AS made (prefix, key, updated_at, embedding)"
    " JOIN store s USING (prefix, key, updated_at) FOR KEY SHARE OF s ON CONFLICT DO NOTHING"
)


async def reembed(conninfo: str, embedder: Embedder, *, progress: Progress) -> int:
    """Embed every memory that has no vector of `embedder`'s model; return how many.

    Vectors of another model are deleted first, those of forgotten memories too: after an Undo these
    get one by the next run. The application may run: it answers from the newest memories, and
    stores none until it is restarted with the model. An interrupted run is continued by the next
    one. Needs the owner of the tables. Raises `EmbeddingsUnavailable` and
    `psycopg.OperationalError`.
    """
    async with await AsyncConnection[DictRow].connect(
        conninfo, autocommit=True, row_factory=dict_row
    ) as connection:
        await _delete_others(connection, embedder.space)
        made, total = 0, 0
        while batch := await (await connection.execute(_WITHOUT)).fetchall():
            total = total or batch[0]["total"]
            # The connection is idle here, without a transaction or lock.
            vectors = await embedder.literals([_text(row) for row in batch])
            values = {
                "prefixes": [row["prefix"] for row in batch],
                "keys": [row["key"] for row in batch],
                "times": [row["updated_at"] for row in batch],
                "vectors": [vectors[_text(row)] for row in batch],
                "field": VECTOR_FIELD,
            }
            written = await connection.execute(_WRITE, values)
            made += written.rowcount
            progress(made, max(total, made))
        return made


def _text(row: DictRow) -> str:
    return searchable_text(row["value"]["content"])


async def _delete_others(connection: AsyncConnection[DictRow], space: EmbeddingSpace) -> None:
    async with connection.transaction():
        found = await connection.execute(
            "UPDATE kioku_embedding_space SET model = %(model)s, dimensions = %(dimensions)s"
            " WHERE (model, dimensions) <> (%(model)s, %(dimensions)s)",
            {"model": space.model, "dimensions": space.dimensions},
        )
        if found.rowcount:
            size = sql.SQL("TYPE vector({})").format(sql.Literal(space.dimensions))
            await connection.execute("TRUNCATE store_vectors")
            await connection.execute(sql.SQL("ALTER TABLE store_vectors ALTER embedding ") + size)
            await connection.execute(
                "UPDATE memory_versions SET vector = NULL WHERE vector IS NOT NULL"
            )
