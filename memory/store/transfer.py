"""Export of a person's memories as one document, and import.

The format is described in docs/reference/export.md; `VERSION` is its version.
"""

from __future__ import annotations

import asyncio
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import Any, Literal, TypeAlias

from psycopg import AsyncConnection
from psycopg.rows import DictRow
from pydantic import BaseModel

from memory.embeddings.embedder import Embedder
from memory.model.namespace import Namespace, Person
from memory.model.schemas import SCHEMAS, thing
from memory.postgres.database import Pool, person_transaction
from memory.store import documents
from memory.store.documents import Imported
from memory.store.memories import COLUMNS, OF_PERSON, Memory, RowKey, person_range, read
from memory.store.unit_of_work import AfterWrite, Change, Step, commit_steps

Fate: TypeAlias = Literal["added", "updated", "unchanged"]


@dataclass(frozen=True, slots=True, kw_only=True)
class PlannedMemory:
    """One memory of an import; `now` is the stored memory about the same subject."""

    fate: Fate
    memory: Imported
    now: Memory | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ImportPlan:
    """The changes that an import would make; `refused` counts the other entries by reason."""

    planned: tuple[PlannedMemory, ...]
    refused: Mapping[str, int] = field(default_factory=dict)

    def of(self, fate: Fate) -> list[PlannedMemory]:
        """Return the memories with this fate, in the document's order."""
        return [one for one in self.planned if one.fate == fate]

    @property
    def changes(self) -> list[PlannedMemory]:
        """Memories that are added or updated without confirmation, in that order."""
        found = [*self.of("added"), *self.of("updated")]
        return [one for one in found if not one.memory.is_instruction]

    @property
    def instructions(self) -> list[PlannedMemory]:
        """Instructions that would be added or updated; the person confirms each one."""
        return [p for p in self.planned if p.fate != "unchanged" and p.memory.is_instruction]


async def export_memories(pool: Pool, person: Person) -> dict[str, Any]:
    """Return all stored data about a person's memories, by the document's keys.

    These are `memories` (oldest first), `changes` (the ledger), `questions`, and `forgotten`: ids
    of messages whose memories were forgotten.
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
            "SELECT id, kind, audience, key, narrow_audience, narrow_key, before, after, at,"
            " expires_at FROM memory_questions",
            "at, id",
        )
        forgotten = await _all(
            connection,
            person,
            "SELECT DISTINCT channel, ts, forgotten_at FROM forgotten_sources",
            "forgotten_at, channel, ts",
        )
    return {
        "memories": [documents.memory_entry(row) for row in stored],
        "changes": [documents.plain(one) for one in changes],
        "questions": [documents.plain(one) for one in questions],
        "forgotten": [documents.plain(one) for one in forgotten],
    }


async def plan_import(
    pool: Pool,
    person: Person,
    text: str,
    *,
    schemas: Sequence[type[BaseModel]] = SCHEMAS,
) -> ImportPlan:
    """Return the changes that importing `text` would make; writes nothing.

    `text` is an exported document, or another assistant's list of what it remembers, one memory
    per line. Raises `NotAnExport`.
    """
    found = await asyncio.to_thread(documents.read, text, person, schemas)
    async with person_transaction(pool, person) as connection:
        stored = await _rows(connection, person)
    return await asyncio.to_thread(_plan, found, stored)


async def import_memories(
    pool: Pool,
    embedder: Embedder,
    person: Person,
    text: str,
    *,
    schemas: Sequence[type[BaseModel]] = SCHEMAS,
    instructions: Collection[str] = (),
    in_commit: AfterWrite | None = None,
) -> list[Change]:
    """Import `text` as `plan_import` does for the current memories; return the changes.

    Of the kind ``UserInstruction`` only those whose `Imported.reference` is in `instructions` are
    stored: the person has confirmed them one by one. Memories keep their keys, values and dates.
    Memories that are stored already are not duplicated, and of two versions the newer one wins.
    Runs in one transaction, with ledger entries that can be undone. `in_commit` is awaited last; an
    exception from it rolls everything back. Raises `NotAnExport` and `EmbeddingsUnavailable`.
    """
    found = await asyncio.to_thread(documents.read, text, person, schemas)
    taken = [
        one for one in found.memories if not one.is_instruction or one.reference in instructions
    ]
    found = replace(found, memories=tuple(taken))
    namespaces = list({one.namespace.prefix: one.namespace for one in found.memories}.values())

    async def decide(connection: AsyncConnection[DictRow]) -> list[Step]:
        return await asyncio.to_thread(_steps, found, await _rows(connection, person))

    return await commit_steps(pool, embedder, person, namespaces, decide, in_commit=in_commit)


def _steps(found: documents.Document, stored: Sequence[Memory]) -> list[Step]:
    return [_step(one) for one in _plan(found, stored).planned if one.fate != "unchanged"]


def _plan(found: documents.Document, stored: Sequence[Memory]) -> ImportPlan:
    """Return the plan; takes time linear in the sizes of document and stored memories."""
    plan = _Planning(stored)
    for one in found.memories:
        plan.add(one)
    return ImportPlan(planned=tuple(plan.planned), refused=found.refused)


class _Planning:
    """The stored memories and the planned changes while a document is processed in order.

    Each row is written once: of two entries about the same subject the newer one wins.
    """

    def __init__(self, stored: Sequence[Memory]) -> None:
        self.planned: list[PlannedMemory] = []
        self._moment = datetime.now(UTC)
        self._places: dict[RowKey, Memory] = {}
        self._things: dict[tuple[str, str, str], Memory] = {}
        self._writes: dict[RowKey, int] = {}
        for row in stored:
            self._places[row.row_key] = row
            self._things.setdefault(_thing(row.namespace, row.value), row)

    def add(self, one: Imported) -> None:
        """Plan the next memory of the document."""
        stored = self._places.get((one.namespace.prefix, one.key))
        now = stored or self._things.get(_thing(one.namespace, one.value))
        fate = _fate(one, now)
        number = self._writes.get(now.row_key) if now else None
        if fate == "unchanged" or now is None or number is None:
            self.planned.append(PlannedMemory(fate=fate, memory=one, now=now))
        else:
            # It replaces an earlier entry of the document.
            earlier = self.planned[number]
            self.planned[number] = replace(earlier, fate="unchanged")
            if earlier.now is None:
                fate, one = "added", replace(one, key=earlier.memory.key)
            self.planned.append(PlannedMemory(fate=fate, memory=one, now=earlier.now))
        if fate != "unchanged":
            self._note(self.planned[-1])

    def _note(self, planned: PlannedMemory) -> None:
        memory, now = planned.memory, planned.now
        row = Memory(
            namespace=memory.namespace,
            key=now.key if now else memory.key,
            value=memory.value,
            created_at=memory.created_at or self._moment,
            updated_at=memory.updated_at or self._moment,
        )
        if now is not None:
            self._things.pop(_thing(now.namespace, now.value), None)
        self._places[row.row_key] = row
        self._things[_thing(row.namespace, row.value)] = row
        self._writes[row.row_key] = len(self.planned) - 1


def _thing(namespace: Namespace, value: Mapping[str, Any]) -> tuple[str, str, str]:
    """Return a key that is equal for memories about the same subject in one audience."""
    kind = str(value["kind"])
    return (namespace.prefix, kind, thing(kind, value["content"]))


def _fate(one: Imported, now: Memory | None) -> Fate:
    if now is None:
        return "added"
    if one.value["content"] == now.content and one.key != now.key:
        return "unchanged"
    same = (one.value, one.updated_at) == (now.value, now.updated_at)
    older = one.updated_at is None or one.updated_at <= now.updated_at
    return "unchanged" if same or older else "updated"


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
