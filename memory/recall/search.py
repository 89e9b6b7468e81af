"""Recall: small sets are returned whole, larger ones by exact vector distance."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, LiteralString

from psycopg import DataError

from memory.embeddings.embedder import Embedder
from memory.metrics import step
from memory.model.embedding_space import EmbeddingSpace
from memory.model.errors import EmbeddingsUnavailable
from memory.model.namespace import MemoryView
from memory.model.schemas import INSTRUCTION_KIND
from memory.postgres.database import Pool, person_statement
from memory.store.memories import (
    COLUMNS,
    Memory,
    checked,
    current_condition,
    from_json,
    view_condition,
)
from memory.store.rows import COMPARABLE, compared, other_model

_log = logging.getLogger(__name__)

SMALL_SET = 50
"""Sets of up to this many memories are shown whole, to the chat model and to the memory model."""

NEAREST = 40
MAX_INSTRUCTIONS = 20
# A literal, so that PostgreSQL uses the partial index store_instructions.
_INSTRUCTION: LiteralString = "value->>'kind' = 'UserInstruction'"


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
    whole: int = SMALL_SET,
    instructions: bool = True,
    first: Sequence[Mapping[str, Any]] | None = None,
) -> Recalled:
    """Return the memories in `view` that are relevant to `question`.

    With `instructions`, the person's instructions come first and are always included. Sets of up
    to `whole` memories are returned whole, without an embedding call; of larger sets, the `NEAREST`
    by exact cosine distance, without a cut-off. No connection is held while embedding.
    `first` is the value of `first_memories`, where the caller has already read it for this view and
    the default of `whole`.
    """
    if first is None:
        select, parameters = _select_first(view, whole)
        rows = await person_statement(pool, view.person, select, parameters)
    else:
        rows = [from_json(row) for row in first]
    if len(rows) <= whole:
        memories = checked(sorted(rows, key=lambda row: row["updated_at"], reverse=True), view)
        return Recalled(memories=_instructions_first(memories) if instructions else tuple(memories))
    try:
        [vector] = await embedder.embed([question])
        nearest = await _select(pool, view, vector, space=embedder.space, instructions=instructions)
        return Recalled(memories=nearest)
    except (EmbeddingsUnavailable, DataError) as error:
        # DataError: the vectors were just replaced by another model's (memory.store.reembedding).
        _log.warning("memories were recalled without a search: %s", type(error).__name__)
        newest = await _select(pool, view, None, space=embedder.space, instructions=instructions)
        return Recalled(memories=newest, newest_only=True)


async def similar_memories(
    pool: Pool,
    embedder: Embedder,
    view: MemoryView,
    text: str,
    *,
    least: float = -1.0,
    most: int = 1_000,
) -> list[Memory]:
    """Return the memories in `view` whose cosine similarity to `text` is `least` or more.

    The most similar come first, `most` at the most. Empty if embeddings are unavailable.
    """
    where, values = view_condition(view)
    try:
        [vector] = await embedder.embed([text])
        found = await person_statement(
            pool,
            view.person,
            f"SELECT {COLUMNS} FROM (SELECT prefix, key, embedding <=> %(vector)s::vector AS d"
            f" FROM store_vectors WHERE {where} AND {COMPARABLE}) near"
            " JOIN store USING (prefix, key)"
            " WHERE d <= %(furthest)s ORDER BY d LIMIT %(most)s",
            {**values, **compared(embedder.space, vector), "furthest": 1 - least, "most": most},
        )
    except (EmbeddingsUnavailable, DataError) as error:
        _log.warning("similar memories could not be searched: %s", type(error).__name__)
        return []
    return checked(found, view)


def first_memories(view: MemoryView) -> tuple[LiteralString, dict[str, Any]]:
    """Return an SQL expression for the rows that `recall_memories` reads first, and its parameters.

    Its value is a JSON array, for `first`. Evaluate it in a transaction of `view.person`.
    """
    select, parameters = _select_first(view, SMALL_SET)
    return f"(SELECT json_agg(first) FROM ({select}) AS first)", parameters


def _select_first(view: MemoryView, whole: int) -> tuple[LiteralString, dict[str, Any]]:
    """Return a query for a small set; more than `whole` rows mean that the set is large."""
    where, parameters = view_condition(view)
    return f"SELECT {COLUMNS} FROM store WHERE {where} LIMIT {whole + 1}", parameters


def _instructions_first(memories: Sequence[Memory]) -> tuple[Memory, ...]:
    return tuple(sorted(memories, key=lambda memory: memory.kind != INSTRUCTION_KIND))


async def _select(
    pool: Pool,
    view: MemoryView,
    vector: Sequence[float] | None,
    *,
    space: EmbeddingSpace,
    instructions: bool,
) -> tuple[Memory, ...]:
    """Return the nearest memories to `vector`, which is of `space`, or, without one, the newest.

    With `instructions` these come first. Raises `EmbeddingsUnavailable` if no vector is of `space`.
    """
    where, values = current_condition(view, "store")
    newest: LiteralString = f"FROM store WHERE {where}"
    parts: list[LiteralString] = []
    if instructions:
        parts.append(
            f"SELECT {COLUMNS}, 1 AS part, NULL::float8 AS distance {newest} AND {_INSTRUCTION}"
            f" ORDER BY updated_at DESC LIMIT {MAX_INSTRUCTIONS}"
        )
    if vector is None:
        parts.append(
            f"SELECT {COLUMNS}, 2 AS part, NULL::float8 AS distance {newest}"
            f" ORDER BY updated_at DESC LIMIT {NEAREST}"
        )
    else:
        where, more = current_condition(view, "store_vectors")
        values |= {**more, **compared(space, vector)}
        parts.append(
            f"SELECT {COLUMNS}, 2 AS part, distance FROM"
            " (SELECT prefix, key, embedding <=> %(vector)s::vector AS distance"
            f" FROM store_vectors WHERE {where} AND {COMPARABLE}"
            f" ORDER BY distance, key LIMIT {NEAREST}) nearest JOIN store USING (prefix, key)"
        )
    each: LiteralString = ") UNION ALL (".join(parts)
    rows = await person_statement(
        pool,
        view.person,
        f"SELECT * FROM (({each})) AS found ORDER BY part, distance, updated_at DESC, key",
        values,
    )
    if vector is not None and not any(row["part"] == 2 for row in rows):
        raise other_model()
    unique = {(row["prefix"], row["key"]): row for row in rows}
    return tuple(checked(list(unique.values()), view))
