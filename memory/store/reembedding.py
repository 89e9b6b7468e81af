"""Vectors for memories without one: after a write, or after a change of the embedding model."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import asdict
from functools import partial
from typing import Any, LiteralString, TypeAlias

from psycopg.rows import DictRow, dict_row

from memory.embeddings.embedder import Embedder, literal
from memory.model.namespace import Person
from memory.model.schemas import searchable_text
from memory.postgres.database import Connection, Pool, fetch_rows, person_statement
from memory.postgres.migrate import alter_vectors
from memory.postgres.statements import column_parameters, load_statements

BATCH = 128  # texts of one request; OpenAI takes 2,048 and 300,000 tokens
# Called with the number of embedded memories and the total.
Progress: TypeAlias = Callable[[int, int], None]
# The prefixes of all people's rows.
_EVERYBODY = {"low": "chat.", "high": "chat/"}
_PROBE = "Does the model answer?"
# Executes a statement as a transaction of its own.
_Run: TypeAlias = Callable[[LiteralString, Mapping[str, Any]], Awaitable[list[DictRow]]]

_SQL = load_statements("memory", "embedding")


async def embed_missing(
    pool: Pool,
    embedder: Embedder,
    person: Person,
    *,
    while_somebody_waits: bool = False,
) -> None:
    """Embed the person's memories that have no vector: new, changed and restored ones.

    With `while_somebody_waits`, only one batch is embedded, and the next call continues.

    Until a memory has a vector, recall finds it only in a set that it returns whole. No connection
    is held while embedding. Nothing is done without an embedding model, nor if the stored vectors
    are of another one: `reembed` embeds these memories, too. Raises `EmbeddingsUnavailable`;
    another call continues.
    """
    if embedder.client is None:
        return
    run = partial(person_statement, pool, person)
    while True:
        rows, written = await _embed_batch(run, embedder, {})
        is_last = written == len(rows) < BATCH
        if is_last or while_somebody_waits:
            return


async def reembed(conninfo: str, embedder: Embedder, *, progress: Progress) -> int:
    """Embed every memory that has no vector of `embedder`'s model; return how many.

    Vectors of another model are deleted first, once this one has answered. The application may keep
    running: it answers from the newest memories until it is restarted with the new model. The next
    run continues an interrupted one. Needs the owner of the tables. Raises `EmbeddingsUnavailable`
    and `psycopg.OperationalError`.
    """
    async with await Connection.connect(
        conninfo, autocommit=True, row_factory=dict_row
    ) as connection:
        run = partial(fetch_rows, connection)
        await _delete_others(connection, embedder)
        space = asdict(embedder.space)
        [missing] = await run(_SQL["count_missing"], {**_EVERYBODY, **space})
        made = 0
        left = _EVERYBODY
        while True:
            rows, written = await _embed_batch(run, embedder, left)
            made += written
            if written:
                progress(made, max(made, missing["total"]))
            if rows:
                # All before them have vectors, but for those that have changed meanwhile.
                left = {**_EVERYBODY, "low": rows[-1]["prefix"]}
            elif left is _EVERYBODY:
                return made
            else:
                left = _EVERYBODY


async def _embed_batch(
    run: _Run, embedder: Embedder, prefixes: Mapping[str, Any]
) -> tuple[list[DictRow], int]:
    """Embed the first rows in a range of prefixes; return them, and how many got a vector.

    A row that was changed in the meantime gets none.
    """
    space = asdict(embedder.space)
    rows = await run(_SQL["missing"], {**prefixes, **space, "limit": BATCH})
    if not rows:
        return [], 0
    texts = [searchable_text(row["value"]["content"]) for row in rows]
    vectors = await embedder.embed(texts)
    made = []
    for row, vector in zip(rows, vectors, strict=True):
        made.append((row["prefix"], row["key"], row["updated_at"], literal(vector)))
    columns = column_parameters(("prefixes", "keys", "times", "vectors"), made)
    written = await run(_SQL["write"], {**space, **columns})
    return rows, len(written)


async def _delete_others(connection: Connection, embedder: Embedder) -> None:
    space = embedder.space
    [found] = await fetch_rows(connection, _SQL["has_others"], asdict(space))
    if found["has_others"]:
        await embedder.embed([_PROBE])
    async with connection.transaction():
        changed = await connection.execute(_SQL["change_space"], asdict(space))
        if changed.rowcount:
            await connection.execute(_SQL["delete_vectors"])
            await connection.execute(alter_vectors(space))
