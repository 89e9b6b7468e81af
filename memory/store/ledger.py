"""The ledger: the changes of memories with their actor, and Undo."""

from __future__ import annotations

from collections.abc import Mapping, Sequence, Set
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any, Literal, LiteralString
from uuid import UUID

from psycopg import AsyncConnection
from psycopg.rows import DictRow

from memory.embeddings.embedder import Embedder
from memory.model.errors import ChangedSince, ChangeGone
from memory.model.namespace import Namespace, Person
from memory.postgres.database import Pool, person_statement, person_transaction
from memory.store import rows
from memory.store.memories import Memory, RowKey, ends_at, thing_of
from memory.store.unit_of_work import Action, Actor, Change, Step, commit_steps

_COLUMNS: LiteralString = (
    "id, audience, key, kind, action, actor, moved_from, before, after, at, undone_at"
)
# Undo needs the row as the change left it.
_WITH_SUPERSEDED: LiteralString = (
    f"{_COLUMNS}, after IS DISTINCT FROM (SELECT s.value FROM store s"
    " WHERE s.prefix = %(prefix)s || audience AND s.key = memory_changes.key) AS superseded"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """One change of one memory; `before` and `after` are whole stored values or None.

    `moved_from` is the previous namespace of a moved memory; `undone_at` the time of its Undo.
    `superseded`: the memory was changed after it, so it cannot be undone alone; only `history` and
    `changes_named` look that up.
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
    superseded: bool = False

    @property
    def namespaces(self) -> list[Namespace]:
        """The namespaces that the change wrote to."""
        return [self.namespace, *([self.moved_from] if self.moved_from else [])]

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
        superseded=record.get("superseded", False),
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
        f"SELECT {_WITH_SUPERSEDED} FROM memory_changes"
        " WHERE team_id = %(team)s AND user_id = %(user)s"
        " AND (%(before)s::timestamptz IS NULL OR at < %(before)s)"
        " AND (%(key)s::text IS NULL OR key = %(key)s) ORDER BY at DESC, id LIMIT %(limit)s",
        {
            **person.ids,
            "prefix": f"{person.prefix}.",
            "before": before,
            "key": key,
            "limit": limit,
        },
    )
    return _remembered_again([_entry(person, record) for record in found])


def _remembered_again(entries: Sequence[Entry]) -> list[Entry]:
    """Mark removals of what a later one of `entries`, newest first, has remembered again."""
    marked: list[Entry] = []
    current: set[tuple[str, str, str]] = set()
    for entry in entries:
        if entry.after is not None and not entry.superseded:
            current.add(thing_of(entry.namespace, entry.after))
        elif entry.after is None and entry.before is not None:
            again = thing_of(entry.namespace, entry.before) in current
            entry = replace(entry, superseded=entry.superseded or again)
        marked.append(entry)
    return marked


async def changes_named(pool: Pool, person: Person, ids: Sequence[UUID]) -> list[Entry]:
    """Return the person's changes with these ids, oldest first, without forgotten ones."""
    found = await person_statement(
        pool,
        person,
        f"SELECT {_WITH_SUPERSEDED} FROM memory_changes WHERE id = ANY(%(ids)s)"
        " AND team_id = %(team)s AND user_id = %(user)s ORDER BY at, id",
        {**person.ids, "prefix": f"{person.prefix}.", "ids": list(ids)},
    )
    return [_entry(person, record) for record in found]


async def entries_of(
    connection: AsyncConnection[DictRow], person: Person, keys: Sequence[str]
) -> dict[str, list[Entry]]:
    """Return the entries of some memories by key, oldest first."""
    found = await connection.execute(
        f"SELECT {_COLUMNS} FROM memory_changes WHERE team_id = %s AND user_id = %s"
        " AND key = ANY(%s) ORDER BY at, id",
        (person.team_id, person.user_id, list(keys)),
    )
    entries: dict[str, list[Entry]] = {key: [] for key in keys}
    for record in await found.fetchall():
        entries[record["key"]].append(_entry(person, record))
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


async def undo_change(pool: Pool, embedder: Embedder, person: Person, change_id: UUID) -> Entry:
    """Undo a change: restore the value, dates and vector from before it. The Undo is an entry too.

    Raises `ChangeGone` (forgotten, erased, expired or undone already), `ChangedSince` (the memory
    was changed after it) and, only after a change of the embedding model, `EmbeddingsUnavailable`.
    """
    done = await _undo(pool, embedder, person, [change_id], every=True)
    if not done:
        raise ChangedSince("The memory is gone.")
    [entry] = await changes_named(pool, person, [done[0].id])
    return entry


async def undo_changes(
    pool: Pool, embedder: Embedder, person: Person, ids: Sequence[UUID]
) -> list[Change]:
    """Undo changes as `undo_change` does, the newest first, in one transaction.

    Changes that cannot be undone are skipped. The number of statements does not depend on the
    number of changes. Raises `EmbeddingsUnavailable` as `undo_change` does.
    """
    return await _undo(pool, embedder, person, ids, every=False)


async def time_range(
    connection: AsyncConnection[DictRow], person: Person, changes: Sequence[Change]
) -> tuple[datetime, datetime]:
    """Return the times of the first and last of `changes`, for `undo_batch`; now if none.

    To be awaited in the transaction of the changes: a failure rolls them back.
    """
    found = await connection.execute(
        "SELECT COALESCE(min(at), now()) AS first, COALESCE(max(at), now()) AS last"
        " FROM memory_changes WHERE id = ANY(%s) AND team_id = %s AND user_id = %s",
        ([one.id for one in (*changes[:1], *changes[-1:])], person.team_id, person.user_id),
    )
    [row] = await found.fetchall()
    return row["first"], row["last"]


async def undo_batch(
    pool: Pool,
    embedder: Embedder,
    person: Person,
    actor: Literal["import", "merge"],
    first: datetime,
    last: datetime,
) -> list[Change]:
    """Undo the changes that `actor` made from `first` to `last`, inclusive, as `undo_changes`."""
    found = await person_statement(
        pool,
        person,
        "SELECT id FROM memory_changes WHERE team_id = %s AND user_id = %s AND actor = %s"
        " AND at BETWEEN %s AND %s",
        (person.team_id, person.user_id, actor, first, last),
    )
    return await undo_changes(pool, embedder, person, [row["id"] for row in found])


async def _undo(
    pool: Pool, embedder: Embedder, person: Person, ids: Sequence[UUID], *, every: bool
) -> list[Change]:
    async with person_transaction(pool, person) as connection:
        found = await _undoable(connection, person, ids, every=every)
    namespaces = {namespace for entry, _ in found for namespace in entry.namespaces}

    async def decide(connection: AsyncConnection[DictRow]) -> list[Step]:
        found = await _undoable(connection, person, ids, every=every)
        steps = await _undo_steps(connection, found, every=every)
        await connection.execute(
            "UPDATE memory_changes SET undone_at = now()"
            " WHERE id = ANY(%s) AND team_id = %s AND user_id = %s",
            (list(steps), person.team_id, person.user_id),
        )
        return list(steps.values())

    return await commit_steps(pool, embedder, person, list(namespaces), decide) if found else []


async def _undoable(
    connection: AsyncConnection[DictRow], person: Person, ids: Sequence[UUID], *, every: bool
) -> list[tuple[Entry, DictRow]]:
    """Return the entries that can be undone, newest first; with `every`, raise if one cannot."""
    found = await connection.execute(
        f"SELECT {_COLUMNS}, created_at, updated_at, vector_send(vector) AS vector"
        " FROM memory_changes WHERE id = ANY(%s) AND team_id = %s AND user_id = %s"
        " ORDER BY at DESC, id DESC FOR UPDATE",
        (list(ids), person.team_id, person.user_id),
    )
    records = [(_entry(person, record), record) for record in await found.fetchall()]
    undoable = [(entry, record) for entry, record in records if _can_be_undone(entry)]
    if every and len(undoable) < len(ids):
        raise ChangeGone("The change was forgotten or undone already, or the memory has expired.")
    return undoable


def _can_be_undone(entry: Entry) -> bool:
    ended = ends_at(entry.before or {})
    return (
        entry.undone_at is None
        and not (entry.before is None and entry.after is None)
        and (ended is None or ended > datetime.now(UTC))
    )


async def _undo_steps(
    connection: AsyncConnection[DictRow], found: Sequence[tuple[Entry, DictRow]], *, every: bool
) -> dict[UUID, Step]:
    """Return the step that undoes each entry, without entries whose memory has changed since."""
    origins = {entry.moved_from or entry.namespace for entry, _ in found}
    row_keys = {
        (namespace.prefix, entry.key) for entry, _ in found for namespace in entry.namespaces
    }
    current = await rows.fetch_all(connection, list(row_keys))
    kinds = [entry.kind for entry, _ in found if entry.after is None]
    # Without rows of these changes: memories that were merged may have the same subject.
    known = {
        thing_of(row.namespace, row.value)
        for one in origins
        if kinds
        for row in await rows.reread(connection, one, kinds, [])
        if row.row_key not in row_keys
    }
    steps: dict[UUID, Step] = {}
    for entry, record in found:
        try:
            step = _undo_step(entry, record, current, known)
        except ChangedSince:
            if every:
                raise
            continue
        steps[entry.id] = step
        current.pop((entry.namespace.prefix, entry.key), None)
        if step.after is not None and step.dates is not None:
            row = Memory(
                namespace=step.namespace,
                key=step.key,
                value=step.after,
                created_at=step.dates[0],
                updated_at=step.dates[1],
            )
            current[row.row_key] = row
    return steps


def _undo_step(
    entry: Entry,
    record: DictRow,
    rows_now: Mapping[RowKey, Memory],
    known: Set[tuple[str, str, str]],
) -> Step:
    current = rows_now.get((entry.namespace.prefix, entry.key))
    if (current.value if current else None) != entry.after:
        raise ChangedSince("The memory has changed since.")
    namespace = entry.moved_from or entry.namespace
    if entry.moved_from and (namespace.prefix, entry.key) in rows_now:
        raise ChangedSince("Another memory has its key.")
    if current is None and entry.before and thing_of(namespace, entry.before) in known:
        raise ChangedSince("The same fact was remembered again.")
    return Step(
        action="restored" if entry.before else "removed",
        actor="undo",
        namespace=namespace,
        key=entry.key,
        before=current,
        after=entry.before,
        moved_from=entry.namespace if entry.moved_from else None,
        dates=(record["created_at"], record["updated_at"]) if entry.before else None,
        vector=bytes(record["vector"]) if record["vector"] else None,
    )
