"""What is relevant now: small sets whole, larger ones by exact vector order."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, LiteralString

from psycopg import DataError
from psycopg.rows import DictRow

from memory.database import Pool, person_transaction
from memory.embeddings import Embedder, literal
from memory.errors import EmbeddingsUnavailable
from memory.memories import COLUMNS, Memory, checked, seen_in
from memory.namespace import View
from memory.schemas import INSTRUCTION_KIND
from memory.spans import measured

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
) -> Recalled:
    """Return what `view.person` told that bears on `question`, and may be seen in `view`.

    With `always`, how the person wants to be answered comes first and in any case. Sets of up to
    `whole` memories come whole and cost no embedding call; of larger ones the `NEAREST` by exact
    cosine distance, without cut-off. No model call; no connection is held while embedding.
    """
    where, parameters = seen_in(view)
    async with person_transaction(pool, view.person) as connection:
        found = await connection.execute(
            f"SELECT {COLUMNS} FROM store WHERE {where} LIMIT {whole + 1}", parameters
        )
        rows = await found.fetchall()
        first: list[DictRow] = []
        if len(rows) > whole and always:
            found = await connection.execute(
                f"SELECT {COLUMNS} FROM store WHERE {where} AND {_INSTRUCTION}"
                f" ORDER BY updated_at DESC LIMIT {INSTRUCTIONS}",
                parameters,
            )
            first = await found.fetchall()
    if len(rows) <= whole:
        rows.sort(key=lambda row: row["updated_at"], reverse=True)
        memories = checked(rows, view)
        return Recalled(memories=_instructions_first(memories) if always else tuple(memories))
    try:
        [vector] = await embedder.embed([question])
    except EmbeddingsUnavailable:
        rows = await _newest(pool, view, where, parameters)
        return Recalled(memories=_of(first, rows, view), newest_only=True)
    try:
        rows = await _nearest(pool, view, where, {**parameters, "vector": literal(vector)})
    except DataError:
        # The vectors have just become another model's: see memory.reembedding.
        rows = await _newest(pool, view, where, parameters)
        return Recalled(memories=_of(first, rows, view), newest_only=True)
    return Recalled(memories=_of(first, rows, view))


def _of(first: Sequence[DictRow], rows: Sequence[DictRow], view: View) -> tuple[Memory, ...]:
    unique = {(row["prefix"], row["key"]): row for row in [*first, *rows]}
    return tuple(checked(list(unique.values()), view))


def _instructions_first(memories: Sequence[Memory]) -> tuple[Memory, ...]:
    return tuple(sorted(memories, key=lambda memory: memory.kind != INSTRUCTION_KIND))


async def _nearest(
    pool: Pool, view: View, where: LiteralString, parameters: dict[str, Any]
) -> list[DictRow]:
    async with person_transaction(pool, view.person) as connection:
        found = await connection.execute(
            f"SELECT {COLUMNS} FROM (SELECT prefix, key, embedding <=> %(vector)s::vector AS d"
            f" FROM store_vectors WHERE {where} ORDER BY d LIMIT {NEAREST}) nearest"
            " JOIN store USING (prefix, key) ORDER BY d",
            parameters,
        )
        return await found.fetchall()


async def _newest(
    pool: Pool, view: View, where: LiteralString, parameters: dict[str, Any]
) -> list[DictRow]:
    async with person_transaction(pool, view.person) as connection:
        found = await connection.execute(
            f"SELECT {COLUMNS} FROM store WHERE {where} ORDER BY updated_at DESC LIMIT {NEAREST}",
            parameters,
        )
        return await found.fetchall()
