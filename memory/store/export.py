"""Export of a person's memories as one document; docs/reference/export.md has the format."""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import datetime
from typing import Any, LiteralString

from psycopg.rows import DictRow

from memory.model.namespace import Person
from memory.postgres.database import Pool, person_transaction
from memory.store.memories import COLUMNS, OF_IDS, OF_PERSON, Memory, person_range, read

FORMAT = "kioku-export"
VERSION = 1
_SELECTS: Mapping[str, LiteralString] = {
    "memories": f"SELECT {COLUMNS} FROM store WHERE {OF_PERSON} ORDER BY created_at, prefix, key",
    "changes": "SELECT id, key, audience, kind, action, actor, value, expires_at, channel, ts,"
    f" batch, at FROM memory_versions WHERE {OF_IDS} ORDER BY number",
    "questions": "SELECT id, kind, audience, key, before, after, ends_at, messages, batch, at,"
    f" expires_at FROM memory_questions WHERE {OF_IDS} ORDER BY at, id",
    "forgotten": "SELECT DISTINCT channel, ts, forgotten_at FROM forgotten_sources"
    f" WHERE {OF_IDS} AND channel <> '' ORDER BY forgotten_at, channel, ts",
}


async def export_memories(pool: Pool, person: Person) -> dict[str, Any]:
    """Return the stored data about a person's memories as one document.

    Besides its `format` and `version` it has `memories` (oldest first), `changes` (the versions),
    `questions`, and `forgotten`: ids of messages whose memories were forgotten. Rows without a
    kind, or with a text as content, as LangMem's own tools write them, are left out.
    """
    async with person_transaction(pool, person) as connection:
        parts = {
            name: await (await connection.execute(select, person_range(person))).fetchall()
            for name, select in _SELECTS.items()
        }
    stored = [read(row) for row in parts.pop("memories")]
    return {
        "format": FORMAT,
        "version": VERSION,
        "memories": [_memory_entry(row) for row in stored if _is_whole(row)],
        **{name: [_plain(one) for one in rows] for name, rows in parts.items()},
    }


def _is_whole(row: Memory) -> bool:
    return "kind" in row.value and isinstance(row.value.get("content"), dict)


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
