"""Export of a person's memories as one document; docs/reference/export.md has the format."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, LiteralString

from psycopg import AsyncConnection
from psycopg.rows import DictRow

from memory.model.namespace import Person
from memory.postgres.database import Pool, person_transaction
from memory.store.memories import OF_IDS, OF_PERSON, person_range

FORMAT = "kioku-export"
VERSION = 1
_ROWS_AT_ONCE = 20  # of up to 40,000 characters in each of two texts
_SELECTS: Mapping[str, LiteralString] = {
    # A row as one object; rows that LangMem's own tools wrote have no kind, or a text as content.
    "memories": "SELECT jsonb_build_object('audience', split_part(prefix, '.', 4), 'key', key,"
    " 'created_at', created_at, 'updated_at', updated_at, 'expires_at', expires_at) || value AS row"
    f" FROM store WHERE {OF_PERSON} AND value ? 'kind' AND jsonb_typeof(value->'content')"
    " = 'object' ORDER BY created_at, prefix, key",
    "changes": "SELECT id, key, audience, kind, action, actor, value, expires_at, channel, ts,"
    f" batch, at FROM memory_versions WHERE {OF_IDS} ORDER BY number",
    "questions": "SELECT id, kind, audience, key, before, after, ends_at, messages, batch, at,"
    f" expires_at FROM memory_questions WHERE {OF_IDS} ORDER BY at, id",
    "forgotten": "SELECT DISTINCT channel, ts, forgotten_at FROM forgotten_sources"
    f" WHERE {OF_IDS} AND what = 'message' ORDER BY forgotten_at, channel, ts",
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
    rows["memories"] = [one["row"] for one in rows["memories"]]
    return {"format": FORMAT, "version": VERSION, **rows}


async def json_rows(
    connection: AsyncConnection[DictRow], select: LiteralString, values: Mapping[str, Any]
) -> list[dict[str, Any]]:
    """Return the rows of a query as JSON objects: ids and dates are strings.

    They are read a few at a time, so that parsing many long ones does not hold up the event loop.
    """
    async with connection.cursor(name="export") as cursor:
        cursor.itersize = _ROWS_AT_ONCE
        await cursor.execute(f"SELECT to_jsonb(r) AS row FROM ({select}) AS r", values)
        return [row["row"] async for row in cursor]
