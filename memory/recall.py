"""What is relevant now: small sets whole, larger ones by exact vector order."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, LiteralString

from memory.database import Pool, person_transaction
from memory.embeddings import Embedder, literal
from memory.errors import EmbeddingsUnavailable
from memory.memories import COLUMNS, Memory, checked, seen_in
from memory.namespace import View

SMALL_SET = 50
NEAREST = 40


@dataclass(frozen=True, slots=True, kw_only=True)
class Recalled:
    """The memories for one reply, most relevant first (a small set: newest first).

    `newest_only` says that embeddings were unavailable and the newest were taken instead.
    """

    memories: tuple[Memory, ...]
    newest_only: bool = False


async def recall_memories(
    pool: Pool, embedder: Embedder, view: View, question: str, *, whole: int = SMALL_SET
) -> Recalled:
    """Return what `view.person` told that bears on `question`, and may be seen in `view`.

    Sets of up to `whole` memories come whole and cost no embedding call; of larger ones the
    `NEAREST` by exact cosine distance, without cut-off. No model call; no connection is held
    while embedding.
    """
    where, parameters = seen_in(view)
    async with person_transaction(pool, view.person) as connection:
        found = await connection.execute(
            f"SELECT {COLUMNS} FROM store WHERE {where} LIMIT {whole + 1}", parameters
        )
        rows = await found.fetchall()
    if len(rows) <= whole:
        rows.sort(key=lambda row: row["updated_at"], reverse=True)
        return Recalled(memories=tuple(checked(rows, view)))
    try:
        [vector] = await embedder.embed([question])
    except EmbeddingsUnavailable:
        return Recalled(memories=await _newest(pool, view, where, parameters), newest_only=True)
    parameters["vector"] = literal(vector)
    async with person_transaction(pool, view.person) as connection:
        found = await connection.execute(
            f"SELECT {COLUMNS} FROM (SELECT prefix, key, embedding <=> %(vector)s::vector AS d"
            f" FROM store_vectors WHERE {where} ORDER BY d LIMIT {NEAREST}) nearest"
            " JOIN store USING (prefix, key) ORDER BY d",
            parameters,
        )
        rows = await found.fetchall()
    unique = {(row["prefix"], row["key"]): row for row in rows}
    return Recalled(memories=tuple(checked(list(unique.values()), view)))


async def _newest(
    pool: Pool, view: View, where: LiteralString, parameters: dict[str, Any]
) -> tuple[Memory, ...]:
    async with person_transaction(pool, view.person) as connection:
        found = await connection.execute(
            f"SELECT {COLUMNS} FROM store WHERE {where} ORDER BY updated_at DESC LIMIT {NEAREST}",
            parameters,
        )
        return tuple(checked(await found.fetchall(), view))
