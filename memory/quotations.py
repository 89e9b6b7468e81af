"""Quotes other memories keep of a message, and that name what was forgotten: they go, too."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, LiteralString

from psycopg import AsyncConnection
from psycopg.rows import DictRow
from psycopg.types.json import Jsonb

from memory.memories import OF_PERSON, Memory, named_in, person_range
from memory.namespace import Person

_OWN: LiteralString = "team_id = %(team)s AND user_id = %(user)s"
# Where stored values stand: the rows' identity, whose they are, the columns that hold values.
_HOLDERS: tuple[
    tuple[LiteralString, LiteralString, LiteralString, tuple[LiteralString, ...]], ...
] = (
    ("store", "prefix || '/' || key", OF_PERSON, ("value",)),
    ("memory_changes", "id::text", _OWN, ("before", "after")),
    ("memory_questions", "id::text", _OWN, ("before", "after")),
)


async def blank_quotes(
    connection: AsyncConnection[DictRow],
    person: Person,
    forgotten: Sequence[Memory],
    keys: Sequence[str],
) -> list[dict[str, Any]]:
    """Blank the quotes that name one of `forgotten`, of the messages in which it was said.

    `keys` are of memories that go altogether. Returns what was there, for `put_quotes_back`.
    """
    places = {place for memory in forgotten for place in memory.places}
    if not places:
        return []
    parameters = {
        **person_range(person),
        "team": person.team_id,
        "user": person.user_id,
        "keys": list(keys),
        "times": sorted({ts for _, ts in places}),
    }
    blanked: list[dict[str, Any]] = []
    for table, identity, whose, columns in _HOLDERS:
        for column in columns:
            found = await connection.execute(
                f"SELECT {identity} AS id, {column} AS value FROM {table} WHERE {whose}"
                f" AND NOT key = ANY(%(keys)s) AND {column} IS NOT NULL"
                f" AND EXISTS (SELECT FROM unnest(%(times)s::text[]) AS said"
                f" WHERE strpos({column}::text, said) > 0)",
                parameters,
            )
            for row in await found.fetchall():
                after = _without(row["value"], places, forgotten)
                if after is not None:
                    one = {"table": table, "column": column, "id": row["id"]}
                    blanked.append({**one, "before": row["value"], "after": after})
    for one in blanked:
        await _set(connection, person, one, one["before"], one["after"])
    return blanked


async def put_quotes_back(
    connection: AsyncConnection[DictRow], person: Person, blanked: Sequence[dict[str, Any]]
) -> None:
    """Restore what `blank_quotes` blanked, where nothing has changed since."""
    for one in blanked:
        await _set(connection, person, one, one["after"], one["before"])


async def _set(
    connection: AsyncConnection[DictRow],
    person: Person,
    where: dict[str, Any],
    old: Any,
    new: Any,
) -> None:
    for table, identity, whose, columns in _HOLDERS:
        for column in columns:
            if (table, column) == (where["table"], where["column"]):
                # The dates stay: nothing else of the memory has changed.
                await connection.execute(
                    f"UPDATE {table} SET {column} = %(new)s"
                    f" WHERE {whose} AND {identity} = %(id)s AND {column} = %(old)s",
                    {
                        **person_range(person),
                        "team": person.team_id,
                        "user": person.user_id,
                        "id": where["id"],
                        "old": Jsonb(old),
                        "new": Jsonb(new),
                    },
                )


def _without(
    value: dict[str, Any], places: set[tuple[str, str]], forgotten: Sequence[Memory]
) -> dict[str, Any] | None:
    """Return a stored value without those quotes; None where it has none."""
    sources = value.get("sources")
    if not isinstance(sources, list):
        return None
    left = [
        {**source, "evidence": ""}
        if (str(source.get("channel")), str(source.get("ts"))) in places
        and any(named_in(memory, str(source.get("evidence") or "")) for memory in forgotten)
        else source
        for source in sources
    ]
    return {**value, "sources": left} if left != sources else None
