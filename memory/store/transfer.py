"""Export of a person's memories as one document, and import of such a document or of lines.

The format is described in docs/reference/export.md; its version is
`memory.store.documents.VERSION`.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any, LiteralString

from psycopg import AsyncConnection, DataError
from psycopg.rows import DictRow
from pydantic import BaseModel

from memory.embeddings.embedder import Embedder
from memory.embeddings.vectors import vector_array
from memory.model.errors import EmbeddingsUnavailable
from memory.model.namespace import Person
from memory.model.schemas import SCHEMAS, searchable_text
from memory.postgres.database import Pool, person_transaction
from memory.store import documents
from memory.store.duplicates import NEAREST, SIMILARITY, STORED
from memory.store.import_plan import ImportPlan, PlannedMemory, plan_document
from memory.store.memories import COLUMNS, OF_PERSON, Memory, RowKey, person_range, read
from memory.store.unit_of_work import AfterWrite, Change, Step, commit_steps

_log = logging.getLogger(__name__)

# Lines of a document that are compared, each with so many of the person's newest memories.
_MOST_LINES, _MOST_STORED = 500, 5_000
_NEAREST: LiteralString = (
    f"WITH mine AS MATERIALIZED (SELECT prefix, key, {STORED}"
    f" FROM store_vectors WHERE {OF_PERSON} ORDER BY updated_at DESC LIMIT {_MOST_STORED})"
    " SELECT DISTINCT ON (number) number, prefix, key"
    f" FROM (SELECT number, {STORED} FROM unnest(%(vectors)b::vector[])"
    " WITH ORDINALITY AS given (embedding, number)) AS new"
    f" JOIN mine ON {NEAREST}"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class ImportResult:
    """The changes of an import; `undo_batch` takes the times of the first and the last one.

    `known` counts the memories that were stored already.
    """

    changes: list[Change]
    known: int


async def export_memories(pool: Pool, person: Person) -> dict[str, Any]:
    """Return the stored data about a person's memories as a document of `import_memories`.

    Besides its `format` and `version` it has `memories` (oldest first), `changes` (the ledger),
    `questions`, and `forgotten`: ids of messages whose memories were forgotten. Rows without a
    kind, or with a text as content, as LangMem's own tools write them, are left out:
    `import_memories` could not read them.
    """
    async with person_transaction(pool, person) as connection:
        stored = await _rows(connection, person)
        changes = await _all(
            connection,
            person,
            "SELECT id, audience, key, kind, action, actor, moved_from, before, after,"
            " created_at, updated_at, at, undone_at FROM memory_changes",
            "at, id",
        )
        questions = await _all(
            connection,
            person,
            "SELECT id, kind, audience, key, narrow_audience, narrow_key, before, after, messages,"
            " at, expires_at FROM memory_questions",
            "at, id",
        )
        forgotten = await _all(
            connection,
            person,
            "SELECT DISTINCT channel, ts, forgotten_at FROM forgotten_sources",
            "forgotten_at, channel, ts",
        )
    return {
        "format": documents.FORMAT,
        "version": documents.VERSION,
        "memories": [documents.memory_entry(row) for row in stored],
        "changes": [documents.plain(one) for one in changes],
        "questions": [documents.plain(one) for one in questions],
        "forgotten": [documents.plain(one) for one in forgotten],
    }


async def plan_import(
    pool: Pool,
    embedder: Embedder,
    person: Person,
    text: str,
    *,
    schemas: Sequence[type[BaseModel]] = SCHEMAS,
) -> ImportPlan:
    """Return the changes that importing `text` would make; writes nothing.

    `text` is an exported document, or another assistant's list of what it remembers, one memory
    per line. A line is ``similar`` where the cosine similarity of a stored memory is `SIMILARITY`
    or more and both have the same numbers; without embeddings none is, and the plan is not
    `compared`. Raises `NotAnExport`.
    """
    found = await asyncio.to_thread(documents.read, text, person, schemas)
    similar = await _similar(pool, embedder, person, found)
    async with person_transaction(pool, person) as connection:
        stored = await _rows(connection, person)
    plan = await asyncio.to_thread(plan_document, found, stored, similar or {})
    return replace(plan, compared=similar is not None)


async def import_memories(
    pool: Pool,
    embedder: Embedder,
    person: Person,
    text: str,
    *,
    schemas: Sequence[type[BaseModel]] = SCHEMAS,
    instructions: Collection[str] = (),
    in_commit: AfterWrite | None = None,
) -> ImportResult:
    """Import `text` as `plan_import` does for the current memories.

    Of the kind ``UserInstruction`` only those whose `Imported.reference` is in `instructions` are
    stored: the person has confirmed them one by one. Memories keep their keys, values and dates.
    Memories that are stored already are not duplicated, and of two versions the newer one wins.
    Runs in one transaction; `undo_batch` undoes all of it. `in_commit` is awaited last; an
    exception from it rolls everything back. Raises `NotAnExport` and `EmbeddingsUnavailable`.
    """
    found = await asyncio.to_thread(documents.read, text, person, schemas)
    taken = [
        one for one in found.memories if not one.is_instruction or one.reference in instructions
    ]
    found = replace(found, memories=tuple(taken))
    namespaces = list({one.namespace.prefix: one.namespace for one in found.memories}.values())
    similar = await _similar(pool, embedder, person, found)
    known = 0

    async def decide(connection: AsyncConnection[DictRow]) -> list[Step]:
        nonlocal known
        stored = await _rows(connection, person)
        plan = await asyncio.to_thread(plan_document, found, stored, similar or {})
        known = len(plan.of("unchanged")) + len(plan.of("similar"))
        return [_step(one) for one in plan.planned if one.fate in ("added", "updated")]

    changes = await commit_steps(pool, embedder, person, namespaces, decide, in_commit=in_commit)
    return ImportResult(changes=changes, known=known)


async def _similar(
    pool: Pool, embedder: Embedder, person: Person, found: documents.Document
) -> dict[str, RowKey] | None:
    """Return the stored memory nearest to each line, at `SIMILARITY` or more, by the line's key.

    None if embeddings are unavailable. An export is not compared: its memories were distinct where
    it was made.
    """
    if not found.lines:
        return {}
    lines = found.memories[:_MOST_LINES]
    texts = [searchable_text(one.value["content"]) for one in lines]
    try:
        vectors = await embedder.packed(texts)
        async with person_transaction(pool, person) as connection:
            given = await vector_array(connection, [vectors[text] for text in texts])
            near = await connection.execute(
                _NEAREST, {**person_range(person), "furthest": -SIMILARITY, "vectors": given}
            )
            return {
                lines[row["number"] - 1].key: (row["prefix"], row["key"])
                for row in await near.fetchall()
            }
    except (EmbeddingsUnavailable, DataError) as error:
        # DataError: the vectors were just replaced by another model's (memory.store.reembedding).
        _log.warning("lines of an import were not compared: %s", type(error).__name__)
        return None


def _step(one: PlannedMemory) -> Step:
    memory, now = one.memory, one.now
    created = memory.created_at or (now.created_at if now else datetime.now(UTC))
    updated = memory.updated_at or datetime.now(UTC)
    return Step(
        action="updated" if now else "remembered",
        actor="import",
        namespace=memory.namespace,
        key=now.key if now else memory.key,
        before=now,
        after=memory.value,
        dates=(created, updated),
    )


async def _rows(connection: AsyncConnection[DictRow], person: Person) -> list[Memory]:
    found = await connection.execute(
        f"SELECT {COLUMNS} FROM store WHERE {OF_PERSON} ORDER BY created_at, prefix, key",
        person_range(person),
    )
    return [
        read(record)
        for record in await found.fetchall()
        if isinstance(record["value"].get("content"), dict) and "kind" in record["value"]
    ]


async def _all(
    connection: AsyncConnection[DictRow], person: Person, select: Any, order: Any
) -> list[DictRow]:
    found = await connection.execute(
        f"{select} WHERE team_id = %s AND user_id = %s ORDER BY {order}",
        (person.team_id, person.user_id),
    )
    return await found.fetchall()
