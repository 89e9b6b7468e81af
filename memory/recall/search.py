"""Recall: small sets are returned whole, larger ones by exact vector distance."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any, LiteralString

from psycopg import DataError

from memory.embeddings.embedder import Embedder, literal
from memory.metrics import step
from memory.model.embedding_space import EmbeddingSpace
from memory.model.errors import EmbeddingsUnavailable
from memory.model.namespace import MemoryView
from memory.model.schemas import INSTRUCTION_KIND
from memory.postgres.database import Pool, person_statement
from memory.postgres.statements import load_statements
from memory.store.memories import Memory, merged, newest, read_within

_log = logging.getLogger(__name__)

SMALL_SET = 50
"""Sets of up to this many memories are shown whole, to the chat model and to the memory model."""

NEAREST = 40
MAX_INSTRUCTIONS = 20
_SQL = load_statements("memory", "memories")


@dataclass(frozen=True, slots=True, kw_only=True)
class Recalled:
    """The memories for one reply: instructions first, then by relevance, a small set by date.

    `newest_only`: embeddings were unavailable, so the newest memories are returned instead.
    """

    memories: tuple[Memory, ...]
    newest_only: bool = False


@step("search")
async def recall_memories(
    pool: Pool,
    embedder: Embedder,
    view: MemoryView,
    question: str,
    *,
    instructions: bool = True,
    first: Sequence[Mapping[str, Any]] | None = None,
) -> Recalled:
    """Return the memories in `view` that are relevant to `question`.

    With `instructions`, the person's instructions come first and are always included. Sets of up
    to `SMALL_SET` memories are returned whole, without an embedding call; of larger sets, the
    `NEAREST` by exact cosine distance, without a cut-off. No connection is held while embedding.
    `first` are the rows of `first_memories`, where the caller has already read them for this view.
    """
    if first is None:
        rows = await person_statement(pool, view.person, _SQL["first"], _first_values(view))
    else:
        rows = [dict(row) for row in first]
    if len(rows) <= SMALL_SET:
        rows.sort(key=lambda row: row["updated_at"], reverse=True)
        memories = merged(read_within(rows, view), view)
        if instructions:
            memories.sort(key=lambda memory: memory.kind != INSTRUCTION_KIND)
        return Recalled(memories=tuple(memories))
    always = await _instructions(pool, view) if instructions else []
    try:
        nearest = await nearest_memories(pool, embedder, view, [question], NEAREST)
    except EmbeddingsUnavailable as error:
        _log.warning("memories were recalled without a search: %s", type(error).__name__)
        nearest = []
    if nearest:
        return Recalled(memories=_once(view, always, nearest))
    # Without an embedding model, or before the memories have vectors.
    found = await newest(pool, view, None, NEAREST)
    return Recalled(memories=_once(view, always, found), newest_only=True)


def first_memories(view: MemoryView) -> tuple[LiteralString, dict[str, Any]]:
    """Return the statement for the rows that `recall_memories` reads first, and its parameters.

    More than `SMALL_SET` rows mean that the set is large. Execute it in a transaction of
    `view.person`.
    """
    return _SQL["first"], _first_values(view)


def _first_values(view: MemoryView) -> dict[str, Any]:
    return {"prefixes": view.prefixes, "limit": SMALL_SET + 1}


async def _instructions(pool: Pool, view: MemoryView) -> list[Memory]:
    """Return how the person wants to be answered, newest first."""
    values = {"prefixes": view.prefixes, "limit": MAX_INSTRUCTIONS}
    found = await person_statement(pool, view.person, _SQL["instructions"], values)
    return merged(read_within(found, view), view)


def _once(view: MemoryView, *several: Sequence[Memory]) -> tuple[Memory, ...]:
    return tuple(merged([memory for memories in several for memory in memories], view))


async def nearest_memories(
    pool: Pool,
    embedder: Embedder,
    view: MemoryView,
    texts: Sequence[str],
    limit: int,
    *,
    kinds: Sequence[str] | None = None,
) -> list[Memory]:
    """Return at most `limit` memories in `view`, nearest to each of `texts` in turn, exactly.

    Of `kinds`, if given. One embedding call, with no connection held. Raises
    `EmbeddingsUnavailable`, also if the stored vectors are of another model.
    """
    vectors = await embedder.embed(texts)
    values = {
        **asdict(embedder.space),
        "prefixes": view.prefixes,
        "vectors": [literal(vector) for vector in vectors],
        "limit": limit,
    }
    try:
        rows = await person_statement(pool, view.person, _SQL["nearest"], values)
    except DataError:  # the vectors were just replaced by those of another model
        rows = []
    if not rows and not await _is_comparable(pool, view, embedder.space):
        raise EmbeddingsUnavailable("The memories are embedded with another model now.")
    found = merged(read_within(rows, view), view)
    if kinds is not None:
        found = [memory for memory in found if memory.kind in kinds]
    return found[:limit]


async def _is_comparable(pool: Pool, view: MemoryView, space: EmbeddingSpace) -> bool:
    statement = _SQL["is_comparable"]
    [row] = await person_statement(pool, view.person, statement, asdict(space))
    return bool(row["comparable"])
