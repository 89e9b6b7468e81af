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
from memory.store.memories import (
    COLUMNS,
    COMPARABLE,
    READABLE,
    UNEXPIRED,
    Memory,
    current,
    current_in,
    from_json,
    in_view,
    read_within,
)

_log = logging.getLogger(__name__)

SMALL_SET = 50
"""Sets of up to this many memories are shown whole, to the chat model and to the memory model."""

NEAREST = 40
MAX_INSTRUCTIONS = 20
# A literal, so that PostgreSQL uses the partial index store_instructions.
_INSTRUCTION: LiteralString = f"value->>'kind' = '{INSTRUCTION_KIND}'"


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
    `first` is the value of `first_memories`, where the caller has already read it for this view.
    """
    if first is None:
        select, parameters = _select_first(view)
        rows = await person_statement(pool, view.person, select, parameters)
    else:
        rows = [from_json(row) for row in first]
    if len(rows) <= SMALL_SET:
        newest = sorted(rows, key=lambda row: row["updated_at"], reverse=True)
        memories = current(read_within(newest, view))
        if instructions:
            memories.sort(key=lambda memory: memory.kind != INSTRUCTION_KIND)
        return Recalled(memories=tuple(memories))
    try:
        [vector] = await embedder.embed([question])
        nearest = await _select(pool, view, vector, space=embedder.space, instructions=instructions)
        return Recalled(memories=nearest)
    except (EmbeddingsUnavailable, DataError) as error:
        # DataError: the vectors were just replaced by another model's (memory.store.reembedding).
        _log.warning("memories were recalled without a search: %s", type(error).__name__)
        found = await _select(pool, view, None, space=embedder.space, instructions=instructions)
        return Recalled(memories=found, newest_only=True)


def first_memories(view: MemoryView) -> tuple[LiteralString, dict[str, Any]]:
    """Return an SQL expression for the rows that `recall_memories` reads first, and its parameters.

    Its value is a JSON array, for `first`. Evaluate it in a transaction of `view.person`.
    """
    select, parameters = _select_first(view)
    return f"(SELECT json_agg(first) FROM ({select}) AS first)", parameters


def _select_first(view: MemoryView) -> tuple[LiteralString, dict[str, Any]]:
    """Return a query for a small set; more than `SMALL_SET` rows mean that the set is large."""
    where, parameters = in_view(view)
    return (
        f"SELECT {COLUMNS} FROM store WHERE {where} AND {UNEXPIRED} LIMIT {SMALL_SET + 1}",
        parameters,
    )


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
    where, values = current_in(view, "store")
    rows: LiteralString = f"FROM store WHERE {where} AND {UNEXPIRED}"
    parts: list[LiteralString] = []
    if instructions:
        parts.append(
            f"SELECT {COLUMNS}, 1 AS part, NULL::float8 AS distance {rows} AND {_INSTRUCTION}"
            f" ORDER BY updated_at DESC LIMIT {MAX_INSTRUCTIONS}"
        )
    if vector is None:
        parts.append(
            f"SELECT {COLUMNS}, 2 AS part, NULL::float8 AS distance {rows}"
            f" ORDER BY updated_at DESC LIMIT {NEAREST}"
        )
    else:
        near, more = _nearest(view, space, [vector], NEAREST)
        values |= more
        parts.append(f"SELECT {COLUMNS}, 2 AS part, distance FROM ({near}) AS near")
    each: LiteralString = ") UNION ALL (".join(parts)
    found = await person_statement(
        pool,
        view.person,
        f"SELECT * FROM (({each})) AS found ORDER BY part, distance, updated_at DESC, key",
        values,
    )
    if vector is not None and not any(row["part"] == 2 for row in found):
        raise EmbeddingsUnavailable("The memories are embedded with another model now.")
    unique = {(row["prefix"], row["key"]): row for row in found}
    return tuple(current(read_within(unique.values(), view)))


def _nearest(
    view: MemoryView, space: EmbeddingSpace, vectors: Sequence[Sequence[float]], limit: int
) -> tuple[LiteralString, dict[str, Any]]:
    """Return a query for the rows nearest to each of `vectors`, with `rank` 1 for the nearest.

    `limit` rows of each; none if the stored vectors are of another space.
    """
    where, values = current_in(view, "store_vectors")
    values |= {**asdict(space), "vectors": list(map(literal, vectors)), "nearest": limit}
    return (
        f"SELECT {COLUMNS}, distance, row_number() OVER (PARTITION BY place ORDER BY distance, key)"
        " AS rank FROM unnest(%(vectors)s::text[]::vector[]) WITH ORDINALITY"
        " AS said (vector, place)"
        " CROSS JOIN LATERAL (SELECT prefix, key, embedding <=> said.vector AS distance"
        f" FROM store_vectors WHERE {where} AND {COMPARABLE}"
        " ORDER BY distance, key LIMIT %(nearest)s) AS nearest JOIN store USING (prefix, key)"
        f" WHERE {UNEXPIRED}",
        values,
    )


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
    near, values = _nearest(view, embedder.space, await embedder.embed(texts), limit)
    readable = READABLE if kinds is not None else "true"
    try:
        found = await person_statement(
            pool,
            view.person,
            f"SELECT * FROM ({near}) AS near WHERE {readable} ORDER BY rank, distance",
            {**values, "kinds": kinds},
        )
    except DataError:  # vectors of different dimensions
        found = []
    if not found:
        select: LiteralString = f"SELECT {COMPARABLE} AS comparable"
        [row] = await person_statement(pool, view.person, select, values)
        if not row["comparable"]:
            raise EmbeddingsUnavailable("The memories are embedded with another model now.")
    unique = {(row["prefix"], row["key"]): row for row in found}
    return read_within(list(unique.values())[:limit], view)
