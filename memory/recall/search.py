"""Recall: a set within the token budget is returned whole, a larger one by vector distance."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

from psycopg import DataError

from memory.embeddings.embedder import Embedder, literal
from memory.metrics import step
from memory.model.errors import EmbeddingsUnavailable, logged
from memory.model.namespace import MemoryView
from memory.model.schemas import INSTRUCTION_KIND
from memory.postgres.database import Pool, Query, person_statement
from memory.postgres.statements import load_statements
from memory.recall.lines import line_tokens, memories_within
from memory.store.memories import Memory, newest, read_in_view

_log = logging.getLogger(__name__)

MEMORY_TOKENS = 4_000
"""The token budget for the lines of a person's memories in a prompt."""

NEAREST = 80
# The budgets, in a large set, for how the person wants to be answered and for what may harm.
_INSTRUCTION_TOKENS = 600
_HARM_TOKENS = 1_000
_LEAST_TOKENS = 8  # of a line, which limits how many lines a budget can hold
_SQL = load_statements("memory", "memories")


@dataclass(frozen=True, slots=True, kw_only=True)
class Recalled:
    """The memories for one reply.

    `always` are shown whatever is asked, oldest first: a whole set that fits the budget, or, of a
    larger one, how the person wants to be answered and what may harm. `nearest` are found for the
    question, nearest first. `is_whole`: these are all that there are. `newest_only`: embeddings
    were unavailable, so `nearest` has the newest memories instead.
    """

    always: tuple[Memory, ...] = ()
    nearest: tuple[Memory, ...] = ()
    is_whole: bool = True
    newest_only: bool = False

    @property
    def memories(self) -> tuple[Memory, ...]:
        """All of them."""
        return (*self.always, *self.nearest)


@step("search")
async def recall_memories(
    pool: Pool,
    embedder: Embedder,
    view: MemoryView,
    question: str,
    *,
    budget: int = MEMORY_TOKENS,
    is_large: bool = False,
) -> Recalled:
    """Return the memories in `view` that a reply to `question` is given.

    A set whose lines have at most `budget` tokens is returned whole, without an embedding call. Of
    a larger one it returns those that are always shown, then the `NEAREST` by exact cosine
    distance, without a cut-off, until the budget is used up. No connection is held while embedding.

    `is_large`: the set is known not to fit, as `large_set_query` says, so the question is embedded
    while the memories are read.
    """
    if not is_large:
        most = budget // _LEAST_TOKENS
        whole = await newest(pool, view, most + 1)
        tokens = sum(map(line_tokens, whole))
        if len(whole) <= most and tokens <= budget:
            return Recalled(always=tuple(sorted(whole, key=_age)))
    found, always = await asyncio.gather(
        _nearest_or_newest(pool, embedder, view, question),
        _always_shown(pool, view, budget),
    )
    left = budget - sum(map(line_tokens, always))
    known = {memory.key for memory in always}
    others = [memory for memory in found.nearest if memory.key not in known]
    nearest = memories_within(others, left)
    return Recalled(
        always=tuple(always),
        nearest=tuple(nearest),
        is_whole=False,
        newest_only=found.newest_only,
    )


def large_set_query(view: MemoryView, *, budget: int = MEMORY_TOKENS) -> Query:
    """Return the query for whether the memories in `view` are too many for `budget`.

    Its one row has `is_large`. A set of fewer memories may be too large as well, by their length.
    """
    values = {
        **view.person.parameters,
        "prefixes": view.prefixes,
        "limit": budget // _LEAST_TOKENS,
    }
    return Query(_SQL["is_large"], values)


async def _always_shown(pool: Pool, view: MemoryView, budget: int) -> list[Memory]:
    """Return the newest wishes about answers, and memories that may harm, that fit; by age."""
    values = {"prefixes": view.prefixes, "limit": budget // _LEAST_TOKENS}
    rows = await person_statement(pool, view.person, _SQL["always_shown"], values)
    found = read_in_view(rows, view)
    instructions: list[Memory] = []
    harmful: list[Memory] = []
    for memory in sorted(found, key=_age, reverse=True):
        if memory.kind == INSTRUCTION_KIND:
            instructions.append(memory)
        else:
            harmful.append(memory)
    shown = [
        *memories_within(instructions, _INSTRUCTION_TOKENS),
        *memories_within(harmful, _HARM_TOKENS),
    ]
    return sorted(shown, key=_age)


async def _nearest_or_newest(
    pool: Pool,
    embedder: Embedder,
    view: MemoryView,
    text: str,
    limit: int = NEAREST,
) -> Recalled:
    """Return the memories in `view` nearest to a text, or the newest if there is none to compare.

    That is so without an answer of the embedding model, and before the memories have vectors.
    """
    found: list[Memory] = []
    try:
        found = await nearest_memories(pool, embedder, view, [text], limit)
    except EmbeddingsUnavailable as error:
        _log.warning("memories were recalled without a search: %s", logged(error))
    if found:
        return Recalled(nearest=tuple(found))
    found = await newest(pool, view, limit)
    return Recalled(nearest=tuple(found), newest_only=True)


async def search_memories(
    pool: Pool, embedder: Embedder, view: MemoryView, query: str, limit: int
) -> list[Memory]:
    """Return the memories in `view` nearest to `query`, at most `limit`.

    A set of at most `limit` memories is returned whole, without an embedding call. If embeddings
    are unavailable, the newest memories are returned.
    """
    found = await newest(pool, view, limit + 1)
    if len(found) <= limit:
        return found
    nearest = await _nearest_or_newest(pool, embedder, view, query, limit)
    return list(nearest.nearest)


def _age(memory: Memory) -> tuple[Any, ...]:
    return memory.said_on, memory.created_at, memory.key


async def nearest_memories(
    pool: Pool,
    embedder: Embedder,
    view: MemoryView,
    texts: Sequence[str],
    limit: int,
) -> list[Memory]:
    """Return at most `limit` memories in `view`, the nearest to each of `texts` in turn.

    The distance is exact. Makes one embedding call, with no connection held. Raises
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
    if not rows:
        statement = _SQL["is_comparable"]
        [row] = await person_statement(pool, view.person, statement, values)
        if not row["comparable"]:
            raise EmbeddingsUnavailable(
                "The memories are embedded with another model now."
            )
    found: dict[str, Memory] = {}
    for one in read_in_view(rows, view):
        found.setdefault(one.key, one)
    return list(found.values())[:limit]
