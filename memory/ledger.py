"""The ledger: every change of a memory, who made it, and how it is undone."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, LiteralString
from uuid import UUID, uuid4

from psycopg import AsyncConnection
from psycopg.rows import DictRow

from memory import rows
from memory.database import Pool, person_transaction
from memory.embeddings import Embedder
from memory.errors import ChangedSince, ChangeGone
from memory.memories import ends_at
from memory.namespace import Namespace, Person
from memory.rows import Row
from memory.schemas import same_thing
from memory.traces import drop_traces
from memory.writing import Action, Actor, Change, Step, carry_out

_COLUMNS: LiteralString = (
    "id, audience, key, kind, action, actor, moved_from, before, after, at, undone_at"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """One change of one memory; `before` and `after` are whole stored values, None for none.

    `moved_from` is where a moved memory was; `undone_at` when the change was taken back.
    """

    id: UUID
    namespace: Namespace
    key: str
    kind: str
    action: Action
    actor: Actor
    before: dict[str, Any] | None
    after: dict[str, Any] | None
    at: datetime
    undone_at: datetime | None = None
    moved_from: Namespace | None = None

    @property
    def reference(self) -> str:
        """The `Memory.reference` of the memory that was changed."""
        return f"{self.namespace.audience}/{self.key}"


def _entry(person: Person, record: DictRow) -> Entry:
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
    )


async def history(
    pool: Pool,
    person: Person,
    *,
    limit: int = 20,
    before: datetime | None = None,
    reference: str | None = None,
) -> list[Entry]:
    """Return a person's changes, newest first: of one memory, or of all; `before` a moment.

    The entries of a memory that was moved are found by its reference of today.
    """
    key = None if reference is None else reference.partition("/")[2]
    async with person_transaction(pool, person) as connection:
        found = await connection.execute(
            f"SELECT {_COLUMNS} FROM memory_changes WHERE team_id = %(team)s AND user_id = %(user)s"
            " AND (%(before)s::timestamptz IS NULL OR at < %(before)s)"
            " AND (%(key)s::text IS NULL OR key = %(key)s) ORDER BY at DESC, id LIMIT %(limit)s",
            {
                "team": person.team_id,
                "user": person.user_id,
                "before": before,
                "key": key,
                "limit": limit,
            },
        )
        return [_entry(person, record) for record in await found.fetchall()]


async def changes_named(pool: Pool, person: Person, ids: Sequence[UUID]) -> list[Entry]:
    """Return the person's changes with these ids, oldest first; those forgotten are left out."""
    async with person_transaction(pool, person) as connection:
        found = await connection.execute(
            f"SELECT {_COLUMNS} FROM memory_changes WHERE id = ANY(%s) AND team_id = %s"
            " AND user_id = %s ORDER BY at, id",
            (list(ids), person.team_id, person.user_id),
        )
        return [_entry(person, record) for record in await found.fetchall()]


async def entries_of(connection: AsyncConnection[DictRow], person: Person, key: str) -> list[Entry]:
    """Return the entries of one memory, oldest first."""
    found = await connection.execute(
        f"SELECT {_COLUMNS} FROM memory_changes WHERE team_id = %s AND user_id = %s AND key = %s"
        " ORDER BY at, id",
        (person.team_id, person.user_id, key),
    )
    return [_entry(person, record) for record in await found.fetchall()]


async def content_at(
    connection: AsyncConnection[DictRow], person: Person, key: str, updated_at: datetime
) -> dict[str, Any]:
    """Return what a memory said when it had this `updated_at`; raises `ChangedSince`."""
    found = await connection.execute(
        "SELECT before->'content' AS content FROM memory_changes WHERE team_id = %s"
        " AND user_id = %s AND key = %s AND updated_at = %s LIMIT 1",
        (person.team_id, person.user_id, key, updated_at),
    )
    record = await found.fetchone()
    if record is None:
        raise ChangedSince("The memory has changed since it was shown.")
    return dict(record["content"])


async def undo_change(pool: Pool, embedder: Embedder, person: Person, change_id: UUID) -> Entry:
    """Take a change back: the same bytes, dates and vector as before it. Itself an entry.

    Raises `ChangeGone` (forgotten, erased, ended or undone already), `ChangedSince` (the memory is
    no longer as that change left it) and, after a change of the embedding model only,
    `EmbeddingsUnavailable`.
    """
    async with person_transaction(pool, person) as connection:
        entry, _ = await _undoable(connection, person, change_id)
    namespaces = [entry.namespace, *([entry.moved_from] if entry.moved_from else [])]

    async def decide(connection: AsyncConnection[DictRow]) -> list[Step]:
        entry, record = await _undoable(connection, person, change_id)
        step = await _back(connection, entry, record)
        await connection.execute(
            "UPDATE memory_changes SET undone_at = now()"
            " WHERE id = %s AND team_id = %s AND user_id = %s",
            (change_id, person.team_id, person.user_id),
        )
        return [step]

    done = await carry_out(pool, embedder, person, namespaces, decide)
    if not done:
        raise ChangedSince("The memory is gone.")
    [change] = done
    async with person_transaction(pool, person) as connection:
        return (await _undoable(connection, person, change.id))[0]


async def _undoable(
    connection: AsyncConnection[DictRow], person: Person, change_id: UUID
) -> tuple[Entry, DictRow]:
    found = await connection.execute(
        f"SELECT {_COLUMNS}, created_at, updated_at, vector::text AS vector FROM memory_changes"
        " WHERE id = %s AND team_id = %s AND user_id = %s FOR UPDATE",
        (change_id, person.team_id, person.user_id),
    )
    record = await found.fetchone()
    if record is None or record["undone_at"] is not None:
        raise ChangeGone("That change was forgotten, or undone already.")
    entry = _entry(person, record)
    ended = ends_at(entry.before or {})
    nothing = entry.before is None and entry.after is None
    if nothing or (ended is not None and ended <= datetime.now(UTC)):
        raise ChangeGone("What that change took away has ended meanwhile.")
    return entry, record


async def _back(connection: AsyncConnection[DictRow], entry: Entry, record: DictRow) -> Step:
    current = await rows.fetch(connection, entry.namespace, entry.key)
    if (current.value if current else None) != entry.after:
        raise ChangedSince("The memory has changed since.")
    home = entry.moved_from or entry.namespace
    if entry.moved_from and await rows.fetch(connection, home, entry.key):
        raise ChangedSince("Another memory stands in its place.")
    if current is None and entry.before and await _is_known_anew(connection, home, entry.before):
        raise ChangedSince("The same was remembered anew.")
    return Step(
        action="restored" if entry.before else "removed",
        actor="undo",
        namespace=home,
        key=entry.key,
        before=current,
        after=entry.before,
        moved_from=entry.namespace if entry.moved_from else None,
        dates=(record["created_at"], record["updated_at"]) if entry.before else None,
        vector=record["vector"],
    )


async def _is_known_anew(
    connection: AsyncConnection[DictRow], home: Namespace, value: dict[str, Any]
) -> bool:
    there = await rows.reread(connection, home, [value["kind"]], [])
    return any(same_thing(row.kind, row.content, value["content"]) for row in there)


async def note_end(connection: AsyncConnection[DictRow], row: Row) -> Change:
    """Enter that a memory has ended, and drop what the ledger and open questions say of it."""
    person = row.namespace.person
    await drop_traces(connection, person, [row.key])
    identity = uuid4()
    await connection.execute(
        "INSERT INTO memory_changes (id, team_id, user_id, audience, key, kind, action, actor)"
        " VALUES (%s, %s, %s, %s, %s, %s, 'removed', 'expiry')",
        (
            identity,
            person.team_id,
            person.user_id,
            row.namespace.audience,
            row.key,
            row.kind,
        ),
    )
    return Change(
        id=identity,
        action="removed",
        namespace=row.namespace,
        key=row.key,
        kind=row.kind,
        before=row.content,
        after=None,
        expires_at=ends_at(row.value),
    )
