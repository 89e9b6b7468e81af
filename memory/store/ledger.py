"""The ledger: the changes of memories with their actor."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any, LiteralString
from uuid import UUID

from psycopg import AsyncConnection
from psycopg.rows import DictRow

from memory.model.errors import ChangedSince
from memory.model.namespace import Namespace, Person
from memory.postgres.database import Pool, person_statement
from memory.store.memories import OF_IDS, Keyed, person_range, thing_of
from memory.store.unit_of_work import Action, Actor

ENTRY_COLUMNS: LiteralString = (
    "id, audience, key, kind, action, actor, moved_from, before, after, at, undone_at"
)
# Undo needs the row as the change left it.
_WITH_CHANGED_SINCE: LiteralString = (
    f"{ENTRY_COLUMNS}, after IS DISTINCT FROM (SELECT s.value FROM store s"
    " WHERE s.prefix = %(low)s || audience AND s.key = memory_changes.key) AS changed_since"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry(Keyed):
    """One change of one memory; `before` and `after` are whole stored values or None.

    `moved_from` is the previous namespace of a moved memory; `undone_at` the time of its Undo.
    `changed_since`: the memory was changed after it, so it cannot be undone alone; only `history`
    and `changes_named` look that up.
    """

    id: UUID
    kind: str
    action: Action
    actor: Actor
    before: dict[str, Any] | None
    after: dict[str, Any] | None
    at: datetime
    undone_at: datetime | None = None
    moved_from: Namespace | None = None
    changed_since: bool = False

    @property
    def namespaces(self) -> list[Namespace]:
        """The namespaces that the change wrote to."""
        return [self.namespace, *([self.moved_from] if self.moved_from else [])]


def read_entry(person: Person, record: DictRow) -> Entry:
    """Convert a row with `ENTRY_COLUMNS`."""
    moved_from = record["moved_from"]
    return Entry(
        id=record["id"],
        namespace=person.namespace(record["audience"]),
        key=record["key"],
        kind=record["kind"],
        action=record["action"],
        actor=record["actor"],
        before=record["before"],
        after=record["after"],
        at=record["at"],
        undone_at=record["undone_at"],
        moved_from=person.namespace(moved_from) if moved_from else None,
        changed_since=record.get("changed_since", False),
    )


async def history(
    pool: Pool,
    person: Person,
    *,
    limit: int = 20,
    before: datetime | None = None,
    reference: str | None = None,
) -> list[Entry]:
    """Return a person's changes, newest first: of one memory or of all; only those `before` a time.

    The entries of a moved memory are found by its current reference.
    """
    key = None if reference is None else reference.partition("/")[2]
    found = await person_statement(
        pool,
        person,
        f"SELECT {_WITH_CHANGED_SINCE} FROM memory_changes"
        f" WHERE {OF_IDS}"
        " AND (%(before)s::timestamptz IS NULL OR at < %(before)s)"
        " AND (%(key)s::text IS NULL OR key = %(key)s) ORDER BY at DESC, id LIMIT %(limit)s",
        {
            **person_range(person),
            "before": before,
            "key": key,
            "limit": limit,
        },
    )
    return _remembered_again([read_entry(person, record) for record in found])


def _remembered_again(entries: Sequence[Entry]) -> list[Entry]:
    """Mark removals of what a later one of `entries`, newest first, has remembered again."""
    marked: list[Entry] = []
    current: set[tuple[str, str, str]] = set()
    for entry in entries:
        if entry.after is not None and not entry.changed_since:
            current.add(thing_of(entry.namespace, entry.after))
        elif entry.after is None and entry.before is not None:
            again = thing_of(entry.namespace, entry.before) in current
            entry = replace(entry, changed_since=entry.changed_since or again)
        marked.append(entry)
    return marked


async def changes_named(pool: Pool, person: Person, ids: Sequence[UUID]) -> list[Entry]:
    """Return the person's changes with these ids, oldest first, without forgotten ones."""
    found = await person_statement(
        pool,
        person,
        f"SELECT {_WITH_CHANGED_SINCE} FROM memory_changes WHERE id = ANY(%(ids)s)"
        f" AND {OF_IDS} ORDER BY at, id",
        {**person_range(person), "ids": list(ids)},
    )
    return [read_entry(person, record) for record in found]


async def entries_of(
    connection: AsyncConnection[DictRow], person: Person, keys: Sequence[str]
) -> dict[str, list[Entry]]:
    """Return the entries of some memories by key, oldest first."""
    found = await connection.execute(
        f"SELECT {ENTRY_COLUMNS} FROM memory_changes WHERE team_id = %s AND user_id = %s"
        " AND key = ANY(%s) ORDER BY at, id",
        (person.team_id, person.user_id, list(keys)),
    )
    entries: dict[str, list[Entry]] = {key: [] for key in keys}
    for record in await found.fetchall():
        entries[record["key"]].append(read_entry(person, record))
    return entries


async def content_at(
    connection: AsyncConnection[DictRow], person: Person, key: str, updated_at: datetime
) -> dict[str, Any]:
    """Return the content that a memory had with this `updated_at`; raises `ChangedSince`."""
    found = await connection.execute(
        "SELECT before->'content' AS content FROM memory_changes WHERE team_id = %s"
        " AND user_id = %s AND key = %s AND updated_at = %s LIMIT 1",
        (person.team_id, person.user_id, key, updated_at),
    )
    record = await found.fetchone()
    if record is None:
        raise ChangedSince("The memory has changed since it was shown.")
    return dict(record["content"])
