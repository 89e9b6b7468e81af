"""Removal of quotes in other memories' sources that name a forgotten subject."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Sequence
from typing import Any, LiteralString

from psycopg import AsyncConnection
from psycopg.rows import DictRow
from psycopg.types.json import Jsonb

from memory.model.namespace import Person
from memory.store.memories import OF_IDS, OF_PERSON, Memory, MessageKey, person_range
from memory.store.undo_payload import UndoPayload
from memory.store.words import SubjectTerms

# Columns with stored values: the table, the column, the table's key, the person's condition.
_HOLDERS: tuple[tuple[LiteralString, LiteralString, LiteralString, LiteralString], ...] = (
    ("store", "value", "prefix || '/' || key", OF_PERSON),
    ("memory_changes", "before", "id::text", OF_IDS),
    ("memory_changes", "after", "id::text", OF_IDS),
    ("memory_questions", "before", "id::text", OF_IDS),
    ("memory_questions", "after", "id::text", OF_IDS),
)
_VALUES = frozenset(column for _, column, *_ in _HOLDERS)


async def blank_quotes(
    connection: AsyncConnection[DictRow],
    person: Person,
    forgotten: Sequence[Memory],
    keys: Sequence[str],
) -> list[dict[str, Any]]:
    """Blank quotes of the source messages of `forgotten` that name one of the forgotten subjects.

    `keys` are those of deleted memories. Returns the previous values for `put_quotes_back`.
    """
    messages = {key for memory in forgotten for key in memory.source_messages}
    if not messages:
        return []
    names = await asyncio.to_thread(SubjectTerms, forgotten)
    parameters = {
        **person_range(person),
        "keys": list(keys),
        "times": sorted({ts for _, ts in messages}),
    }
    blanked: list[dict[str, Any]] = []
    for table, column, identity, whose in _HOLDERS:
        found = await connection.execute(
            f"SELECT {identity} AS id, {column} AS value FROM {table} WHERE {whose}"
            f" AND NOT key = ANY(%(keys)s) AND {column} IS NOT NULL"
            " AND EXISTS (SELECT FROM jsonb_array_elements(CASE"
            f" jsonb_typeof({column}->'sources') WHEN 'array' THEN {column}->'sources'"
            " ELSE '[]' END) AS said WHERE said->>'ts' = ANY(%(times)s))",
            parameters,
        )
        records = await found.fetchall()
        blanked += await asyncio.to_thread(_blanked, table, column, records, messages, names)
    await _set(connection, person, blanked, old="before", new="after")
    return blanked


def _blanked(
    table: str,
    column: str,
    records: Sequence[DictRow],
    messages: set[MessageKey],
    names: SubjectTerms,
) -> list[dict[str, Any]]:
    where = {"table": table, "column": column}
    return [
        {**where, "id": record["id"], "before": record["value"], "after": after}
        for record in records
        if (after := _without(record["value"], messages, names)) != record["value"]
    ]


async def put_quotes_back(
    connection: AsyncConnection[DictRow], person: Person, blanked: Sequence[dict[str, Any]]
) -> None:
    """Restore values that `blank_quotes` changed, if they have not changed since."""
    await _set(connection, person, blanked, old="after", new="before")


def remove_quotes(payload: UndoPayload, messages: set[MessageKey]) -> None:
    """Blank every quote of `messages` in what an Undo would restore, in place.

    For messages of which something else was forgotten since: what that was is encrypted.
    """
    for rows in payload.rows.values():
        rows[:] = [
            (json.dumps(_unquoted(json.loads(line), messages)), vector) for line, vector in rows
        ]
    payload.quotes[:] = [
        {**one, "before": _without(one["before"], messages)} for one in payload.quotes
    ]


def _unquoted(row: dict[str, Any], messages: set[MessageKey]) -> dict[str, Any]:
    return row | {
        name: _without(row[name], messages) for name in _VALUES if isinstance(row.get(name), dict)
    }


async def _set(
    connection: AsyncConnection[DictRow],
    person: Person,
    blanked: Sequence[dict[str, Any]],
    *,
    old: str,
    new: str,
) -> None:
    for table, column, identity, whose in _HOLDERS:
        changed = [one for one in blanked if (one["table"], one["column"]) == (table, column)]
        if not changed:
            continue
        # The dates stay, because the memory's content has not changed.
        await connection.execute(
            f"UPDATE {table} SET {column} = given.becomes FROM unnest(%(ids)s::text[],"
            " %(olds)s::jsonb[], %(news)s::jsonb[]) AS given (row_id, was, becomes)"
            f" WHERE {whose} AND {identity} = given.row_id AND {column} = given.was",
            {
                **person_range(person),
                "ids": [one["id"] for one in changed],
                "olds": [Jsonb(one[old]) for one in changed],
                "news": [Jsonb(one[new]) for one in changed],
            },
        )


def _without(
    value: dict[str, Any], messages: set[MessageKey], names: SubjectTerms | None = None
) -> dict[str, Any]:
    """Return a stored value without quotes of `messages`: those with `names`, without it all."""
    sources = value.get("sources")
    if not isinstance(sources, list):
        return value
    left = [
        {**source, "evidence": ""}
        if (str(source.get("channel")), str(source.get("ts"))) in messages
        and (names is None or names.found_in(str(source.get("evidence") or "")))
        else source
        for source in sources
    ]
    return {**value, "sources": left}
