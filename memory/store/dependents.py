"""Rows that depend on a memory and are forgotten with it: ledger entries and questions."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Collection, Mapping, Sequence
from datetime import datetime
from typing import Any, LiteralString
from uuid import UUID

from psycopg import AsyncConnection
from psycopg.rows import DictRow
from psycopg.types.json import Jsonb

from memory.model.namespace import Person
from memory.model.schemas import thing
from memory.store.memories import OF_IDS, OF_PERSON, Memory, person_range, read
from memory.store.row_copies import Table, put_rows, read_rows
from memory.store.undo_payload import UndoPayload

# By table, the condition that selects the rows of some memories by key. A ``widen`` question also
# quotes the narrower memory whose key it has, a ``store`` question the memory it would supersede.
# Questions are also selected by their ids.
DEPENDENT_ROWS: Mapping[Table, LiteralString] = {
    "memory_changes": "key = ANY(%(keys)s)",
    "memory_questions": "(key = ANY(%(keys)s) OR narrow_key = ANY(%(keys)s) OR kind = 'store'"
    " AND jsonb_path_query_array(after, '$.supersedes[*].key') ?| %(keys)s"
    " OR id = ANY(%(questions)s::uuid[]))",
}
SINGLE_ENTRIES = "single_entries"
"""The rows of `UndoPayload` with ledger entries of memories that were not forgotten with them."""
QUESTION_MESSAGES: LiteralString = "COALESCE(messages, after->'sources')"
"""The messages that a question was asked because of: a JSON array of channel and ts."""
_OF: LiteralString = f"{OF_IDS} AND (%(keys)s::text[] IS NULL OR "


# Where values name the memories that they supersede, with the condition of the person's own rows.
_SUPERSEDING: Sequence[tuple[LiteralString, LiteralString, LiteralString]] = (
    ("store", "value", OF_PERSON),
    ("memory_changes", "before", OF_IDS),
    ("memory_changes", "after", OF_IDS),
    ("memory_questions", "after", OF_IDS),
)


async def follow_move(
    connection: AsyncConnection[DictRow], person: Person, key: str, origin: str, target: str
) -> None:
    """Name the new audience of a moved memory wherever another one supersedes it.

    The ledger's values change with the rows: Undo compares them.
    """
    for table, value, own in _SUPERSEDING:
        await connection.execute(
            f"UPDATE {table} SET {value} = jsonb_set({value}, '{{supersedes}}', (SELECT jsonb_agg("
            "CASE WHEN one @> %(was)s::jsonb THEN one || %(now)s::jsonb ELSE one END"
            " ORDER BY number)"
            f" FROM jsonb_array_elements({value}->'supersedes')"
            " WITH ORDINALITY AS entries (one, number)))"
            f" WHERE {own} AND {value} ? 'supersedes'"
            f" AND {value}->'supersedes' @> jsonb_build_array(%(was)s::jsonb)",
            {
                **person_range(person),
                "was": Jsonb({"audience": origin, "key": key}),
                "now": Jsonb({"audience": target}),
            },
        )


async def earlier_keys(
    connection: AsyncConnection[DictRow], person: Person, forgotten: Sequence[DictRow]
) -> list[str]:
    """Return the keys of removed memories about the same subjects."""
    if not forgotten:
        return []
    memories = [read(row) for row in forgotten]
    found = await connection.execute(
        "SELECT DISTINCT key, kind, value->'content' AS content"
        " FROM memory_changes, LATERAL (VALUES (before), (after)) AS stored (value)"
        f" WHERE {OF_IDS}"
        " AND kind = ANY(%(kinds)s) AND value IS NOT NULL"
        # NOT IN is hashed, whatever PostgreSQL estimates; keys are never NULL.
        f" AND key NOT IN (SELECT store.key FROM store WHERE {OF_PERSON})",
        {
            "kinds": list({str(row["value"].get("kind")) for row in forgotten}),
            **person_range(person),
        },
    )
    things = {(one.kind, thing(one.kind, one.content)) for one in memories}
    return [
        gone["key"]
        for gone in await found.fetchall()
        if (gone["kind"], thing(gone["kind"], gone["content"])) in things
    ]


def keys_of(references: Sequence[str]) -> list[str]:
    """Return the keys of `Memory.reference`s."""
    return [key for _, _, key in (reference.partition("/") for reference in references)]


def _whose(
    person: Person, keys: Sequence[str] | None, questions: Collection[UUID]
) -> dict[str, Any]:
    whole = None if keys is None else list(keys)
    return {**person.ids, "keys": whole, "questions": list(questions)}


async def read_dependents(
    connection: AsyncConnection[DictRow],
    person: Person,
    keys: Sequence[str] | None,
    questions: Collection[UUID] = (),
) -> UndoPayload:
    """Return the ledger entries and questions of memories; of all memories if `keys` is None.

    `questions` are the ids of further questions.
    """
    payload = UndoPayload()
    for table, of_keys in DEPENDENT_ROWS.items():
        payload.rows[table] = await read_rows(
            connection, table, f"{_OF}{of_keys})", _whose(person, keys, questions)
        )
    return payload


async def delete_dependents(
    connection: AsyncConnection[DictRow],
    person: Person,
    keys: Sequence[str] | None,
    questions: Collection[UUID] = (),
) -> None:
    """Delete what `read_dependents` returns."""
    for table, of_keys in DEPENDENT_ROWS.items():
        await connection.execute(
            f"DELETE FROM {table} WHERE {_OF}{of_keys})", _whose(person, keys, questions)
        )


async def take_entries(
    connection: AsyncConnection[DictRow],
    person: Person,
    entries: Collection[UUID],
    payload: UndoPayload,
) -> None:
    """Delete ledger entries by their ids, and add them to `payload` as `SINGLE_ENTRIES`."""
    if not entries:
        return
    values = {**person.ids, "entries": list(entries)}
    payload.rows[SINGLE_ENTRIES] = await read_rows(
        connection, "memory_changes", f"{OF_IDS} AND id = ANY(%(entries)s::uuid[])", values
    )
    await connection.execute(
        f"DELETE FROM memory_changes WHERE {OF_IDS} AND id = ANY(%(entries)s::uuid[])", values
    )


async def put_entries_back(
    connection: AsyncConnection[DictRow], person: Person, payload: UndoPayload
) -> None:
    """Insert the entries of `take_entries` again, without those of memories that are gone since.

    A memory that was forgotten or has expired since has no row, and no value in the ledger.
    """
    rows = payload.rows.get(SINGLE_ENTRIES, [])
    if not rows:
        return
    keys = await asyncio.to_thread(lambda: [str(json.loads(line)["key"]) for line, _ in rows])
    found = await connection.execute(
        f"SELECT key FROM store WHERE {OF_PERSON} AND key = ANY(%(keys)s)"
        f" UNION SELECT key FROM memory_changes WHERE {OF_IDS} AND key = ANY(%(keys)s)"
        " AND (before IS NOT NULL OR after IS NOT NULL)",
        {**person_range(person), "keys": keys},
    )
    known = {row["key"] for row in await found.fetchall()}
    kept = [row for key, row in zip(keys, rows, strict=True) if key in known]
    await put_rows(connection, "memory_changes", kept)


def earlier_contents(
    payload: UndoPayload, memories: Sequence[Memory], person: Person
) -> list[Memory]:
    """Return earlier contents of memories, from ledger entries, that are not current."""
    earlier: list[Memory] = []
    for line, _ in payload.rows["memory_changes"]:
        entry = json.loads(line)
        at = datetime.fromisoformat(entry["at"])
        for value in filter(None, (entry["before"], entry["after"])):
            prefix = person.namespace(entry["audience"]).prefix
            dates = {"created_at": at, "updated_at": at}
            earlier.append(read({"prefix": prefix, "key": entry["key"], "value": value, **dates}))
    now = {(memory.key, json.dumps(memory.content, sort_keys=True)) for memory in memories}
    return [m for m in earlier if (m.key, json.dumps(m.content, sort_keys=True)) not in now]
