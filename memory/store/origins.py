"""Selection of memories, questions and ledger entries by the messages that they come from."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import LiteralString, TypeAlias
from uuid import UUID

from psycopg import AsyncConnection
from psycopg.rows import DictRow
from psycopg.types.json import Jsonb

from memory.model.namespace import Person
from memory.model.schemas import LEVEL_FIELDS
from memory.store.dependents import QUESTION_MESSAGES
from memory.store.memories import OF_IDS, OF_PERSON, MessageKey, person_range
from memory.store.pages import HIDES

# Says by its messages, or without any by its time, whether something comes from what is looked for.
ComesFrom: TypeAlias = Callable[[Collection[MessageKey], datetime], bool]


def _array(value: LiteralString) -> LiteralString:
    return f"CASE jsonb_typeof({value}) WHEN 'array' THEN {value} ELSE '[]' END"


def _messages(sources: LiteralString) -> LiteralString:
    """Return the SQL for (channel, ts) of the sources that have both; NULL without any."""
    return (
        "(SELECT array_agg(ARRAY[said->>'channel', said->>'ts'])"
        f" FROM jsonb_array_elements({sources}) AS said"
        " WHERE said->>'channel' <> '' AND said->>'ts' <> '') AS messages"
    )


_OF_ROW: LiteralString = _messages(_array("value->'sources'"))
_OF_QUESTION: LiteralString = _messages(_array(QUESTION_MESSAGES))
_OF_ENTRY: LiteralString = _messages(
    " || ".join(f"({_array(value)})" for value in ("before->'sources'", "after->'sources'"))
)
# Without the values and vectors, which may be large.
_ROWS: LiteralString = (
    f"SELECT prefix, key, created_at AS at, ({HIDES}) IS TRUE AS hides, {_OF_ROW} FROM store"
    f" WHERE {OF_PERSON}"
)
_QUESTIONS: LiteralString = f"SELECT id, at, {_OF_QUESTION} FROM memory_questions WHERE {OF_IDS}"
# An entry without a value is that of a memory that has expired.
_ENTRIES: LiteralString = (
    f"SELECT id, key, at, {_OF_ENTRY} FROM memory_changes"
    f" WHERE {OF_IDS} AND (before IS NOT NULL OR after IS NOT NULL)"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredFrom:
    """The rows that come from some messages or from a time.

    `references` are those of memories. `questions` are ids, each with its messages. `keys` are of
    memories that only the ledger still has. `entries` are ids of ledger entries of other memories:
    these come from elsewhere now, but did not before or after that change.
    """

    references: Sequence[str] = ()
    questions: Mapping[UUID, Collection[MessageKey]] = field(default_factory=dict)
    keys: Sequence[str] = ()
    entries: Sequence[UUID] = ()


async def stored_from(
    connection: AsyncConnection[DictRow], person: Person, comes_from: ComesFrom
) -> StoredFrom:
    """Return what a person has stored that `comes_from` is true of, without what only hides.

    A memory that only the ledger still has is looked for with the messages of all its entries, or
    without any with the time of the first one; a single entry with its messages only.
    """
    own = {**person_range(person), "levels": Jsonb(dict(LEVEL_FIELDS))}
    rows, questions, entries = [
        await (await connection.execute(statement, own)).fetchall()
        for statement in (_ROWS, _QUESTIONS, _ENTRIES)
    ]
    # In a thread: thousands of entries take tenths of a second.
    return await asyncio.to_thread(_selected, person, rows, questions, entries, comes_from)


def _selected(
    person: Person,
    rows: Sequence[DictRow],
    questions: Sequence[DictRow],
    entries: Sequence[DictRow],
    comes_from: ComesFrom,
) -> StoredFrom:
    own = f"{person.prefix}."
    taken = [row for row in rows if not row["hides"] and comes_from(_keys(row), row["at"])]
    stored, forgotten = {row["key"] for row in rows}, {row["key"] for row in taken}
    gone: dict[str, tuple[set[MessageKey], datetime]] = {}
    single: list[UUID] = []
    for entry in entries:
        key, at, messages = entry["key"], entry["at"], _keys(entry)
        if key not in stored:
            known, first = gone.setdefault(key, (set(), at))
            known.update(messages)
            gone[key] = known, min(first, at)
        elif key not in forgotten and messages and comes_from(messages, at):
            single.append(entry["id"])
    asked = {row["id"]: (_keys(row), row["at"]) for row in questions}
    return StoredFrom(
        references=[f"{row['prefix'].removeprefix(own)}/{row['key']}" for row in taken],
        questions={one: said for one, (said, at) in asked.items() if comes_from(said, at)},
        keys=[key for key, (said, first) in gone.items() if comes_from(said, first)],
        entries=single,
    )


def _keys(row: DictRow) -> set[MessageKey]:
    return {(channel, ts) for channel, ts in row["messages"] or ()}
