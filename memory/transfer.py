"""Taking memories along: everything about a person as one document, and back again.

The document's shape is described in docs/reference/export.md; `VERSION` names it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, Literal, TypeAlias

from psycopg import AsyncConnection
from psycopg.rows import DictRow
from pydantic import BaseModel

from memory import documents, rows
from memory.database import Pool, person_transaction
from memory.documents import Imported
from memory.embeddings import Embedder
from memory.memories import COLUMNS, OF_PERSON, person_range
from memory.namespace import Person
from memory.rows import Row
from memory.schemas import SCHEMAS, same_thing
from memory.writing import Change, Step, Written, carry_out

Fate: TypeAlias = Literal["added", "updated", "unchanged"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Planned:
    """What an import does with one memory; `now` is what is known of the same thing already."""

    fate: Fate
    memory: Imported
    now: Row | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """What an import would do; `refused` counts what cannot be taken, by reason."""

    planned: tuple[Planned, ...]
    refused: Mapping[str, int] = field(default_factory=dict)

    def of(self, fate: Fate) -> list[Planned]:
        """Return what has this fate, in the document's order."""
        return [one for one in self.planned if one.fate == fate]


async def export_memories(pool: Pool, person: Person) -> dict[str, Any]:
    """Return all that is stored of a person's memories, as the document's own keys.

    `memories` (oldest first), `changes` (the ledger), `questions`, and `forgotten`: where something
    was said that was forgotten since.
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
) -> Plan:
    """Say what importing `text` would do, and do nothing.

    `text` is an exported document, or what another assistant prints when it is asked what it
    remembers: one memory a line. Raises `NotAnExport`.
    """
    found = documents.read(text, person, schemas)
    async with person_transaction(pool, person) as connection:
        stored = await _rows(connection, person)
    return _plan(found, stored)


async def import_memories(
    pool: Pool,
    embedder: Embedder,
    person: Person,
    text: str,
    *,
    schemas: Sequence[type[BaseModel]] = SCHEMAS,
    in_commit: Written | None = None,
) -> list[Change]:
    """Import `text` as `plan_import` says of the memories as they stand then; return the changes.

    Memories come back under their keys, with their bytes and dates; what is known already is not
    doubled, and of two versions the newer stays. All in one transaction, in the ledger, so that
    each can be undone; what `in_commit`, awaited last, raises keeps all of it from happening.
    Raises `NotAnExport` and `EmbeddingsUnavailable`.
    """
    found = documents.read(text, person, schemas)
    namespaces = list({one.namespace.prefix: one.namespace for one in found.memories}.values())

    async def decide(connection: AsyncConnection[DictRow]) -> list[Step]:
        plan = _plan(found, await _rows(connection, person))
        return [_step(one) for one in plan.planned if one.fate != "unchanged"]

    return await carry_out(pool, embedder, person, namespaces, decide, in_commit=in_commit)


def _plan(found: documents.Document, stored: Sequence[Row]) -> Plan:
    places = {row.place: row for row in stored}
    planned: list[Planned] = []
    for one in found.memories:
        now = places.get((one.namespace.prefix, one.key)) or _same(one, stored, planned)
        planned.append(Planned(fate=_fate(one, now), memory=one, now=now))
    return Plan(planned=tuple(planned), refused=found.refused)


def _fate(one: Imported, now: Row | None) -> Fate:
    if now is None:
        return "added"
    if one.value["content"] == now.content and one.key != now.key:
        return "unchanged"
    same = (one.value, one.updated_at) == (now.value, now.updated_at)
    older = one.updated_at is None or one.updated_at <= now.updated_at
    return "unchanged" if same or older else "updated"


def _same(one: Imported, stored: Sequence[Row], planned: Sequence[Planned]) -> Row | None:
    """Return what is known of the same thing for the same ears, also from this very document."""
    fresh = [
        Row(
            namespace=p.memory.namespace,
            key=p.memory.key,
            value=p.memory.value,
            created_at=p.memory.created_at or datetime.now(UTC),
            updated_at=p.memory.updated_at or datetime.now(UTC),
        )
        for p in planned
        if p.fate == "added"
    ]
    kind, content = str(one.value["kind"]), one.value["content"]
    return next(
        (
            row
            for row in (*stored, *fresh)
            if row.namespace == one.namespace
            and row.kind == kind
            and row.key != one.key
            and same_thing(kind, row.content, content)
        ),
        None,
    )


def _step(one: Planned) -> Step:
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


async def _rows(connection: AsyncConnection[DictRow], person: Person) -> list[Row]:
    found = await connection.execute(
        f"SELECT {COLUMNS} FROM store WHERE {OF_PERSON} ORDER BY created_at, prefix, key",
        person_range(person),
    )
    return [
        rows.row(record)
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
