"""Export of a person's memories as one document; docs/reference/export.md has the format."""

from __future__ import annotations

import json
from datetime import datetime
from typing import Any, LiteralString

from psycopg import AsyncConnection
from psycopg.rows import DictRow

from memory.model.namespace import Person
from memory.postgres.database import Pool, person_transaction
from memory.store.memories import COLUMNS, OF_IDS, OF_PERSON, Memory, person_range, read

FORMAT = "kioku-export"
VERSION = 1


async def export_memories(pool: Pool, person: Person) -> dict[str, Any]:
    """Return the stored data about a person's memories as one document.

    Besides its `format` and `version` it has `memories` (oldest first), `changes` (the versions),
    `questions`, and `forgotten`: ids of messages whose memories were forgotten. Rows without a
    kind, or with a text as content, as LangMem's own tools write them, are left out.
    """
    async with person_transaction(pool, person) as connection:
        stored = await _rows(connection, person)
        changes = await _all(
            connection,
            person,
            "SELECT id, key, audience, kind, action, actor, value, expires_at, channel, ts, batch,"
            " at FROM memory_versions",
            "number",
        )
        questions = await _all(
            connection,
            person,
            "SELECT id, kind, audience, key, before, after, ends_at, messages, batch, at,"
            " expires_at FROM memory_questions",
            "at, id",
        )
        forgotten = await _all(
            connection,
            person,
            "SELECT DISTINCT channel, ts, forgotten_at FROM forgotten_sources",
            "forgotten_at, channel, ts",
            "channel <> ''",
        )
    return {
        "format": FORMAT,
        "version": VERSION,
        "memories": [_memory_entry(row) for row in stored],
        "changes": [_plain(one) for one in changes],
        "questions": [_plain(one) for one in questions],
        "forgotten": [_plain(one) for one in forgotten],
    }


def _memory_entry(row: Memory) -> dict[str, Any]:
    """Return a memory as an entry of a document: stored value, audience, key and dates."""
    return {
        "audience": row.namespace.audience,
        "key": row.key,
        "created_at": row.created_at.isoformat(),
        "updated_at": row.updated_at.isoformat(),
        "expires_at": row.expires_at.isoformat() if row.expires_at else None,
        **row.value,
    }


def _plain(record: DictRow) -> dict[str, Any]:
    """Return a row with ids and dates as strings."""
    found: dict[str, Any] = json.loads(json.dumps(record, default=_text, ensure_ascii=False))
    return found


def _text(value: object) -> str:
    return value.isoformat() if isinstance(value, datetime) else str(value)


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
    connection: AsyncConnection[DictRow],
    person: Person,
    select: LiteralString,
    order: LiteralString,
    where: LiteralString = "true",
) -> list[DictRow]:
    found = await connection.execute(
        f"{select} WHERE {OF_IDS} AND {where} ORDER BY {order}", person.ids
    )
    return await found.fetchall()
