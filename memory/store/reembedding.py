"""Vectors of another embedding model, for all memories."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import LiteralString, TypeAlias

from psycopg import AsyncConnection, sql
from psycopg.rows import DictRow, dict_row

from memory.embeddings.embedder import Embedder
from memory.embeddings.vectors import vector_array
from memory.model.embedding_space import EmbeddingSpace
from memory.model.schemas import searchable_text
from memory.store.versions import VECTOR_FIELD

BATCH = 64
# Called with the number of embedded memories and the total.
Progress: TypeAlias = Callable[[int, int], None]

# A row with a text as content, as LangMem's own tools write it, gets no vector.
_WITHOUT: LiteralString = (
    " FROM store s LEFT JOIN store_vectors v ON v.prefix = s.prefix AND v.key = s.key"
    " WHERE s.prefix LIKE 'chat.%' AND jsonb_typeof(s.value->'content') = 'object'"
    " AND v.prefix IS NULL"
)


async def reembed(conninfo: str, embedder: Embedder, *, progress: Progress) -> int:
    """Embed every memory that has no vector of `embedder`'s model; return how many.

    Vectors of another model are deleted first, and so is what an Undo of forgetting needs. The
    application may run: it answers from the newest memories, and stores none until it is restarted
    with the model. An interrupted run is continued by the next one. Needs the owner of the tables.
    Raises `EmbeddingsUnavailable` and `psycopg.OperationalError`.
    """
    async with await AsyncConnection[DictRow].connect(
        conninfo, autocommit=True, row_factory=dict_row
    ) as connection:
        await _delete_others(connection, embedder.space)
        made, total = 0, 0
        while batch := await _without_vector(connection):
            total = total or batch[0]["total"]
            texts = [searchable_text(row["value"]["content"]) for row in batch]
            # The connection is idle here, without a transaction or lock.
            vectors = await embedder.packed(texts)
            made += await _write(connection, batch, [vectors[text] for text in texts])
            progress(made, max(total, made))
        return made


async def _delete_others(connection: AsyncConnection[DictRow], space: EmbeddingSpace) -> None:
    async with connection.transaction():
        found = await connection.execute(
            "UPDATE kioku_embedding_space SET model = %(model)s, dimensions = %(dimensions)s"
            " WHERE (model, dimensions) <> (%(model)s, %(dimensions)s)",
            {"model": space.model, "dimensions": space.dimensions},
        )
        if found.rowcount:
            size = sql.Literal(space.dimensions)
            for statement in (
                sql.SQL("TRUNCATE store_vectors"),
                sql.SQL("ALTER TABLE store_vectors ALTER embedding TYPE vector({})").format(size),
                sql.SQL(
                    "DELETE FROM memory_versions"
                    " WHERE deleted_at IS NOT NULL AND action <> 'forgotten'"
                ),
            ):
                await connection.execute(statement)


async def _without_vector(connection: AsyncConnection[DictRow]) -> list[DictRow]:
    found = await connection.execute(
        f"SELECT s.prefix, s.key, s.value, s.updated_at, count(*) OVER () AS total {_WITHOUT}"
        f" LIMIT {BATCH}"
    )
    return await found.fetchall()


async def _write(
    connection: AsyncConnection[DictRow], batch: Sequence[DictRow], vectors: Sequence[bytes]
) -> int:
    # Rows that were changed or deleted meanwhile are not written; changed ones are read again.
    found = await connection.execute(
        "INSERT INTO store_vectors"
        " (prefix, key, field_name, embedding, created_at, updated_at)"
        " SELECT s.prefix, s.key, %(field)s, made.embedding, s.updated_at, s.updated_at"
        " FROM unnest(%(prefixes)s::text[], %(keys)s::text[], %(times)s::timestamptz[],"
        " %(vectors)b::vector[]) AS made (prefix, key, updated_at, embedding)"
        " JOIN store s ON s.prefix = made.prefix AND s.key = made.key"
        " AND s.updated_at = made.updated_at ON CONFLICT DO NOTHING",
        {
            "field": VECTOR_FIELD,
            "prefixes": [row["prefix"] for row in batch],
            "keys": [row["key"] for row in batch],
            "times": [row["updated_at"] for row in batch],
            "vectors": await vector_array(connection, vectors),
        },
    )
    return found.rowcount
