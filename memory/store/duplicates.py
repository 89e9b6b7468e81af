"""Duplicates: memories of one audience that may say the same, found by vector and merged."""

from __future__ import annotations

import re
import unicodedata
from base64 import urlsafe_b64encode
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from hashlib import sha256
from typing import Any, LiteralString

from psycopg import AsyncConnection
from psycopg.rows import DictRow

from memory.embeddings.embedder import Embedder
from memory.model.namespace import Person
from memory.model.schemas import BUILT_IN_KINDS, EPISODE_KIND, INSTRUCTION_KIND, searchable_text
from memory.postgres.database import Pool, person_transaction
from memory.store import rows
from memory.store.memories import (
    COLUMNS,
    OF_IDS,
    OF_PERSON,
    Memory,
    person_range,
    read_own,
    unexpired,
)
from memory.store.unit_of_work import Change, Step, commit_steps

# Cosine similarity. High, because what is left out or merged by mistake is lost: with
# text-embedding-3-small a sentence and its opposite are often at 0.8 and more.
SIMILARITY = 0.92
# Each with each: the time grows with the square of it (docs/decisions/0041-merging.md).
MOST_COMPARED = 2_000
MOST_IN_GROUP = 200
# Each stored vector is read from TOAST once, as a copy, not once for each comparison. Of vectors of
# length 1 the inner product, which takes a third of the time, is the cosine; `<#>` is its negative.
STORED: LiteralString = "l2_normalize(embedding) AS stored"
NEAREST: LiteralString = (
    "mine.stored <#> new.stored <= %(furthest)s ORDER BY new.number, mine.stored <#> new.stored"
)
_PAIRS: LiteralString = (
    f"WITH mine AS MATERIALIZED (SELECT number, label, {STORED}"
    " FROM unnest(%(prefixes)s::text[], %(keys)s::text[], %(labels)s::text[]) WITH ORDINALITY"
    " AS given (prefix, key, label, number) JOIN store_vectors USING (prefix, key))"
    " SELECT DISTINCT ON (new.number) new.number, mine.number AS nearest FROM mine AS new"
    f" JOIN mine ON new.label = mine.label AND mine.number < new.number AND {NEAREST}"
)
_NUMBER = re.compile(r"\d+")
# Kinds that may hold the same fact.
_FACTS = BUILT_IN_KINDS.keys() - {INSTRUCTION_KIND, EPISODE_KIND}


@dataclass(frozen=True, slots=True, kw_only=True)
class SimilarMemories:
    """Groups of similar memories, in each the one that was confirmed last first.

    `compared` of the person's memories were compared, of `total`.
    """

    groups: tuple[tuple[Memory, ...], ...]
    compared: int
    total: int


@dataclass(frozen=True, slots=True, kw_only=True)
class MergeResult:
    """The changes of a merge; `undo_batch` takes the times of the first and the last one.

    `changed` memories were left out: they, or the one to keep, have changed since they were shown.
    """

    changes: list[Change]
    changed: int


def numbers_in(content: Mapping[str, Any]) -> list[str]:
    """Return the numbers in a content, in order: texts that differ in them do not say the same."""
    return _NUMBER.findall(unicodedata.normalize("NFKC", searchable_text(content)))


def state_id(memory: Memory) -> str:
    """Return eight characters that identify a memory and its current version."""
    state = f"{memory.namespace.prefix}\n{memory.key}\n{memory.updated_at.isoformat()}"
    return urlsafe_b64encode(sha256(state.encode()).digest()[:6]).decode()


async def find_similar(pool: Pool, person: Person) -> SimilarMemories:
    """Return groups of memories whose cosine similarity to one of the group is `SIMILARITY`.

    A group is of one audience, of kinds that may hold the same fact, with the same numbers and the
    same expiry. The `MOST_COMPARED` memories confirmed last are compared, by exact distance.
    """
    async with person_transaction(pool, person) as connection:
        found = await _mergeable(connection, person)
        compared = found[:MOST_COMPARED]
        # Twice the vectors: with less memory PostgreSQL reads them from disk for each comparison.
        await connection.execute("SET LOCAL work_mem = '64MB'")
        pairs = await connection.execute(
            _PAIRS,
            {
                "prefixes": [one.namespace.prefix for one in compared],
                "keys": [one.key for one in compared],
                "labels": [_label(one) for one in compared],
                "furthest": -SIMILARITY,
            },
        )
        nearest = [(row["number"] - 1, row["nearest"] - 1) for row in await pairs.fetchall()]
    roots: dict[int, int] = {}
    groups: dict[int, list[Memory]] = {}
    for number, near in nearest:
        root = roots[number] = roots.get(near, near)
        groups.setdefault(root, [compared[root]]).append(compared[number])
    return SimilarMemories(
        groups=tuple(tuple(one[:MOST_IN_GROUP]) for _, one in sorted(groups.items())),
        compared=len(compared),
        total=len(found),
    )


async def merge_memories(
    pool: Pool, embedder: Embedder, person: Person, groups: Sequence[Sequence[str]]
) -> MergeResult:
    """Join the memories of each group to its first one, which gets their sources.

    Memories are given by `state_id`. All else of the first one stays as it is; what the others
    supersede, it supersedes too. Runs in one transaction; `undo_batch` undoes all of it.
    """
    async with person_transaction(pool, person) as connection:
        known = await _mergeable(connection, person)
    wanted = {name for group in groups for name in group}
    namespaces = list({one.namespace for one in known if state_id(one) in wanted})

    async def decide(connection: AsyncConnection[DictRow]) -> list[Step]:
        now = {state_id(one): one for one in await _mergeable(connection, person)}
        kept = {group[0]: now[group[0]] for group in groups if group[0] in now}
        vectors = await rows.vectors_of(connection, [one.row_key for one in kept.values()])
        steps: list[Step] = []
        for first, *names in groups:
            members = [now[name] for name in names if name in now and first in kept]
            members = [one for one in members if _label(one) == _label(kept[first])]
            if members:
                steps.append(_kept(kept[first], members, vectors.get(kept[first].row_key)))
                steps += [Step.on(one, "removed", "merge", None) for one in members]
        return steps

    changes = await commit_steps(pool, embedder, person, namespaces, decide)
    left = sum(len(group) - 1 for group in groups) - sum(one.after is None for one in changes)
    return MergeResult(changes=changes, changed=left)


def _kept(memory: Memory, others: Sequence[Memory], vector: bytes | None) -> Step:
    """Return the step that joins `others` to a memory; their sources come before its own."""
    sources: list[dict[str, Any]] = []
    for one in (*reversed(others), memory):
        for source in one.sources:
            sources = rows.with_source(sources, source)
    supersedes = dict.fromkeys(pair for one in (memory, *others) for pair in one.supersedes)
    merged = [key for one in (memory, *others) for key in one.merged]
    merged += [one.key for one in others]
    value = {**memory.value, "sources": sources, "merged": merged}
    if supersedes:
        value["supersedes"] = [{"audience": a, "key": key} for a, key in supersedes]
    dates = (memory.created_at, memory.updated_at)
    return replace(Step.on(memory, "confirmed", "merge", value), dates=dates, vector=vector)


async def _mergeable(connection: AsyncConnection[DictRow], person: Person) -> list[Memory]:
    """Return the person's memories that may be merged, the one confirmed last first.

    Left out are memories that have expired, that another one supersedes, and that an open question
    is about.
    """
    found = await connection.execute(
        f"SELECT {COLUMNS} FROM store WHERE {OF_PERSON} AND jsonb_typeof(value->'content') ="
        " 'object' AND value ? 'kind' AND NOT EXISTS (SELECT FROM memory_questions q WHERE"
        f" {OF_IDS} AND (store.key IN (q.key, q.narrow_key)))",
        person_range(person),
    )
    memories = read_own(await found.fetchall(), person)
    superseded = {row_key for one in memories for row_key in one.superseded_rows}
    left = [m for m in unexpired(memories) if not m.hides and m.row_key not in superseded]
    return sorted(left, key=lambda m: (m.confirmed_at or m.updated_at, m.key), reverse=True)


def _label(memory: Memory) -> str:
    """Return a text that is equal for memories that may say the same."""
    kind = "" if memory.kind in _FACTS else memory.kind
    numbers = ",".join(numbers_in(memory.content))
    return f"{memory.namespace.prefix}\n{kind}\n{numbers}\n{memory.value.get('expires_at')}"
