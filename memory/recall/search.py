"""What is relevant now: small sets whole, larger ones by exact vector order."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, LiteralString

from psycopg import AsyncConnection, AsyncCursor, DataError
from psycopg.rows import DictRow

from memory.embeddings.embedder import Embedder, literal
from memory.model.errors import EmbeddingsUnavailable
from memory.model.namespace import View
from memory.model.schemas import INSTRUCTION_KIND
from memory.postgres.database import Pool, person_transaction
from memory.store.memories import COLUMNS, Memory, checked, seen_in
from memory.tracing import measured

SMALL_SET = 50
NEAREST = 40
INSTRUCTIONS = 20
# A literal: the partial index store_instructions is found by it.
_INSTRUCTION: LiteralString = "value->>'kind' = 'UserInstruction'"


@dataclass(frozen=True, slots=True, kw_only=True)
class Recalled:
    """The memories for one reply: how to answer first, then by relevance (a small set: newest).

    `newest_only` says that embeddings were unavailable and the newest were taken instead.
    """

    memories: tuple[Memory, ...]
    newest_only: bool = False


@measured("search")
async def recall_memories(
    pool: Pool,
    embedder: Embedder,
    view: View,
    question: str,
    *,
    whole: int = SMALL_SET,
    always: bool = True,
    first: Sequence[DictRow] | None = None,
) -> Recalled:
    """Return what `view.person` told that bears on `question`, and may be seen in `view`.

    With `always`, how the person wants to be answered comes first and in any case. Sets of up to
    `whole` memories come whole and cost no embedding call; of larger ones the `NEAREST` by exact
    cosine distance, without cut-off. No model call; no connection is held while embedding.
    `first` is what `ask_first` brought for the same view and `whole`, where that was asked already.
    """
    if first is None:
        async with person_transaction(pool, view.person) as connection:
            first = await (await ask_first(connection, view, whole=whole)).fetchall()
    if len(first) <= whole:
        memories = checked(sorted(first, key=lambda row: row["updated_at"], reverse=True), view)
        return Recalled(memories=_instructions_first(memories) if always else tuple(memories))
    try:
        [vector] = await embedder.embed([question])
    except EmbeddingsUnavailable:
        return Recalled(memories=await _newest(pool, view, always=always), newest_only=True)
    try:
        return Recalled(memories=await _nearest(pool, view, vector, always=always))
    except DataError:
        # The vectors have just become another model's: see memory.store.reembedding.
        return Recalled(memories=await _newest(pool, view, always=always), newest_only=True)


async def ask_first(
    connection: AsyncConnection[DictRow], view: View, *, whole: int = SMALL_SET
) -> AsyncCursor[DictRow]:
    """Ask, in a transaction of `view.person`, for what `recall_memories` looks at first.

    That is the whole of a small set; more rows than `whole` say that it is a large one.
    """
    where, parameters = seen_in(view)
    return await connection.execute(
        f"SELECT {COLUMNS} FROM store WHERE {where} LIMIT {whole + 1}", parameters
    )


def _instructions_first(memories: Sequence[Memory]) -> tuple[Memory, ...]:
    return tuple(sorted(memories, key=lambda memory: memory.kind != INSTRUCTION_KIND))


async def _nearest(
    pool: Pool, view: View, vector: Sequence[float], *, always: bool
) -> tuple[Memory, ...]:
    where, parameters = seen_in(view)
    return await _read(
        pool,
        view,
        f"SELECT {COLUMNS} FROM (SELECT prefix, key, embedding <=> %(vector)s::vector AS d"
        f" FROM store_vectors WHERE {where} ORDER BY d LIMIT {NEAREST}) nearest"
        " JOIN store USING (prefix, key) ORDER BY d",
        {**parameters, "vector": literal(vector)},
        always=always,
    )


async def _newest(pool: Pool, view: View, *, always: bool) -> tuple[Memory, ...]:
    where, parameters = seen_in(view)
    return await _read(
        pool,
        view,
        f"SELECT {COLUMNS} FROM store WHERE {where} ORDER BY updated_at DESC LIMIT {NEAREST}",
        parameters,
        always=always,
    )


async def _read(
    pool: Pool,
    view: View,
    statement: LiteralString,
    parameters: dict[str, Any],
    *,
    always: bool,
) -> tuple[Memory, ...]:
    """Return what a statement finds, with `always` behind how the person wants to be answered."""
    rows: list[DictRow] = []
    async with person_transaction(pool, view.person) as connection:
        if always:
            where, wide = seen_in(view)
            found = await connection.execute(
                f"SELECT {COLUMNS} FROM store WHERE {where} AND {_INSTRUCTION}"
                f" ORDER BY updated_at DESC LIMIT {INSTRUCTIONS}",
                wide,
            )
            rows += await found.fetchall()
        rows += await (await connection.execute(statement, parameters)).fetchall()
    unique = {(row["prefix"], row["key"]): row for row in rows}
    return tuple(checked(list(unique.values()), view))
