"""Export of a person's memories as one document; docs/reference/export.md has the format."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, LiteralString

from psycopg import AsyncConnection
from psycopg.rows import DictRow

from memory.model.namespace import Namespace, Person
from memory.postgres.database import Pool, person_transaction
from memory.store.memories import COLUMNS, OF_IDS, OF_PERSON, person_range

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
        values = person_range(person)
        rows = {name: await json_rows(connection, one, values) for name, one in _SELECTS.items()}
    memories = [_memory_entry(row) for row in rows.pop("memories") if _is_whole(row["value"])]
    return {"format": FORMAT, "version": VERSION, "memories": memories, **rows}


async def json_rows(
    connection: AsyncConnection[DictRow], select: LiteralString, values: Mapping[str, Any]
) -> list[dict[str, Any]]:
    """Return the rows of a query as JSON objects: ids and dates are strings."""
    found = await connection.execute(f"SELECT to_jsonb(r) AS row FROM ({select}) AS r", values)
    return [row["row"] for row in await found.fetchall()]


def _is_whole(value: Mapping[str, Any]) -> bool:
    return "kind" in value and isinstance(value.get("content"), dict)


def _memory_entry(row: Mapping[str, Any]) -> dict[str, Any]:
    """Return a memory as an entry of a document: stored value, audience, key and dates."""
    dates = {name: row[name] for name in ("created_at", "updated_at", "expires_at")}
    audience = Namespace.from_prefix(row["prefix"]).audience
    return {"audience": audience, "key": row["key"], **dates, **row["value"]}
