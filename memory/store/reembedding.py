"""Re-embedding with another model: fills a new table of vectors, then swaps it in."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import LiteralString, TypeAlias

import psycopg
from psycopg import AsyncConnection, sql
from psycopg.rows import DictRow, dict_row

from memory.embeddings.embedder import Embedder
from memory.embeddings.vectors import vector_array
from memory.model.embedding_space import EmbeddingSpace
from memory.model.errors import ReembeddingRunning
from memory.model.schemas import searchable_text
from memory.store.rows import VECTOR_FIELD

BATCH = 64
_LOCK = 0x6B696F6B75_02  # "kioku", 2
# Called with the number of embedded memories and the total.
Progress: TypeAlias = Callable[[int, int], None]

# The table for vectors of the new size; deletions in `store` cascade to it too. LIKE copies neither
# the storage parameters nor the policy.
_NEW_TABLE: LiteralString = """
CREATE TABLE store_vectors_next (LIKE store_vectors INCLUDING DEFAULTS INCLUDING INDEXES);
ALTER TABLE store_vectors_next ALTER COLUMN embedding TYPE vector;
ALTER TABLE store_vectors_next ADD FOREIGN KEY (prefix, key)
    REFERENCES store (prefix, key) ON DELETE CASCADE;
ALTER TABLE store_vectors_next ENABLE ROW LEVEL SECURITY;
GRANT SELECT, INSERT, UPDATE, DELETE ON store_vectors_next TO kioku_app;
DO $$
DECLARE
    present record;
BEGIN
    SELECT array_to_string(reloptions, ', ') AS options,
        pg_get_expr(polqual, polrelid) AS qual INTO STRICT present
    FROM pg_class JOIN pg_policy ON polrelid = pg_class.oid AND polname = 'own_vectors'
    WHERE pg_class.oid = 'store_vectors'::regclass;
    EXECUTE format('CREATE POLICY own_vectors ON store_vectors_next USING (%s)', present.qual);
    IF present.options IS NOT NULL THEN
        EXECUTE format('ALTER TABLE store_vectors_next SET (%s)', present.options);
    END IF;
END $$;
"""
# A vector is current if it has the row's `updated_at`.
_TO_DO: LiteralString = (
    " FROM store s LEFT JOIN store_vectors_next n ON n.prefix = s.prefix AND n.key = s.key"
    " WHERE s.prefix LIKE 'chat.%%' AND jsonb_typeof(s.value->'content') = 'object'"
    " AND n.updated_at IS DISTINCT FROM s.updated_at"
)


_SWAP_TABLES: tuple[LiteralString, ...] = (
    "DROP TABLE store_vectors",
    "ALTER TABLE store_vectors_next RENAME TO store_vectors",
    "COMMENT ON TABLE store_vectors IS NULL",
    # Vectors in the ledger are computed again when a change is undone.
    "UPDATE memory_changes SET vector = NULL WHERE vector IS NOT NULL",
    # Those of an Undo of forgetting are encrypted.
    "DELETE FROM forgotten",
)


async def reembed(
    conninfo: str, embedder: Embedder, *, progress: Progress, again: bool = False
) -> int:
    """Embed every memory with `embedder`'s model and replace the stored vectors.

    A row with a text as content, as LangMem's own tools write it, gets no vector.
    Needs the owner of the tables. The application keeps running meanwhile. An interrupted run
    continues where it stopped. What was forgotten before its end cannot be undone any more. `again`
    also replaces vectors that are of this model already. Returns the number of new vectors. Raises
    `ReembeddingRunning`, `EmbeddingsUnavailable` and `psycopg.OperationalError`, none of which
    loses data.
    """
    async with await AsyncConnection[DictRow].connect(
        conninfo, autocommit=True, row_factory=dict_row
    ) as connection:
        found = await connection.execute("SELECT pg_try_advisory_lock(%s) AS mine", (_LOCK,))
        row = await found.fetchone()
        if not (row and row["mine"]):
            raise ReembeddingRunning(
                "The memories are already being embedded again: wait until that has ended."
            )
        if await _current(connection) == embedder.space and not again:
            return 0
        await _prepare(connection, embedder.space)
        made = 0
        while True:
            made += await _catch_up(connection, embedder, progress, made)
            if await _swap(connection, embedder.space):
                return made


async def _current(connection: AsyncConnection[DictRow]) -> EmbeddingSpace | None:
    found = await connection.execute("SELECT model, dimensions FROM kioku_embedding_space")
    row = await found.fetchone()
    return EmbeddingSpace(row["model"], row["dimensions"]) if row else None


async def _prepare(connection: AsyncConnection[DictRow], space: EmbeddingSpace) -> None:
    """Create the new table; one that was created for another model is dropped first."""
    found = await connection.execute(
        "SELECT obj_description(to_regclass('store_vectors_next')) AS model"
    )
    row = await found.fetchone()
    wanted = f"{space.model} {space.dimensions}"
    if row and row["model"] == wanted:
        return
    async with connection.transaction():
        await connection.execute("DROP TABLE IF EXISTS store_vectors_next")
        await connection.execute(_NEW_TABLE)
        await connection.execute(
            sql.SQL("ALTER TABLE store_vectors_next ALTER COLUMN embedding TYPE vector({})").format(
                sql.Literal(space.dimensions)
            )
        )
        await connection.execute(
            sql.SQL("COMMENT ON TABLE store_vectors_next IS {}").format(sql.Literal(wanted))
        )


async def _catch_up(
    connection: AsyncConnection[DictRow], embedder: Embedder, progress: Progress, before: int
) -> int:
    made = 0
    total = before + await _left(connection)
    after = ("", "")
    while batch := await _batch(connection, after):
        texts = [searchable_text(row["value"]["content"]) for row in batch]
        # The connection is idle here, without a transaction or lock.
        vectors = await embedder.packed(texts)
        await _write(connection, batch, [vectors[text] for text in texts])
        made += len(batch)
        after = (batch[-1]["prefix"], batch[-1]["key"])
        progress(before + made, max(total, before + made))
    return made


async def _left(connection: AsyncConnection[DictRow]) -> int:
    found = await connection.execute(f"SELECT count(*) AS n {_TO_DO}".replace("%%", "%"))
    [row] = await found.fetchall()
    return int(row["n"])


async def _batch(connection: AsyncConnection[DictRow], after: tuple[str, str]) -> list[DictRow]:
    found = await connection.execute(
        f"SELECT s.prefix, s.key, s.value, s.updated_at {_TO_DO} AND (s.prefix, s.key) > (%s, %s)"
        " ORDER BY s.prefix, s.key LIMIT %s",
        (*after, BATCH),
    )
    return await found.fetchall()


async def _write(
    connection: AsyncConnection[DictRow],
    batch: Sequence[DictRow],
    vectors: Sequence[bytes],
) -> None:
    # Rows changed or deleted meanwhile are not written; changed ones are selected again.
    await connection.execute(
        "INSERT INTO store_vectors_next"
        " (prefix, key, field_name, embedding, created_at, updated_at)"
        " SELECT s.prefix, s.key, %(field)s, made.embedding, s.updated_at, s.updated_at"
        " FROM unnest(%(prefixes)s::text[], %(keys)s::text[], %(times)s::timestamptz[],"
        " %(vectors)b::vector[]) AS made (prefix, key, updated_at, embedding)"
        " JOIN store s ON s.prefix = made.prefix AND s.key = made.key"
        " AND s.updated_at = made.updated_at ON CONFLICT (prefix, key, field_name)"
        " DO UPDATE SET embedding = EXCLUDED.embedding, updated_at = EXCLUDED.updated_at",
        {
            "field": VECTOR_FIELD,
            "prefixes": [row["prefix"] for row in batch],
            "keys": [row["key"] for row in batch],
            "times": [row["updated_at"] for row in batch],
            "vectors": await vector_array(connection, vectors),
        },
    )


async def _swap(connection: AsyncConnection[DictRow], space: EmbeddingSpace) -> bool:
    """Swap the tables unless rows were written meanwhile; return whether they were swapped."""
    try:
        async with connection.transaction():
            await connection.execute("SET LOCAL lock_timeout = '2s'")
            await connection.execute("LOCK TABLE store, store_vectors IN ACCESS EXCLUSIVE MODE")
            if await _left(connection):
                return False
            for statement in _SWAP_TABLES:
                await connection.execute(statement)
            await connection.execute(
                "UPDATE kioku_embedding_space SET model = %s, dimensions = %s",
                (space.model, space.dimensions),
            )
    except psycopg.errors.LockNotAvailable:
        return False
    return True
