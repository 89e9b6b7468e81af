"""Undo of changes: the value, dates and vector from before them are written again."""

from __future__ import annotations

from collections.abc import Mapping, Sequence, Set
from datetime import UTC, datetime
from uuid import UUID

from psycopg import AsyncConnection
from psycopg.rows import DictRow

from memory.embeddings.embedder import Embedder
from memory.model.errors import ChangedSince, ChangeGone
from memory.model.namespace import Person
from memory.postgres.database import Pool, person_transaction
from memory.store import rows
from memory.store.ledger import ENTRY_COLUMNS, Entry, changes_named, read_entry
from memory.store.memories import Memory, RowKey, ends_at, thing_of
from memory.store.unit_of_work import Change, Step, commit_steps


async def undo_change(pool: Pool, embedder: Embedder, person: Person, change_id: UUID) -> Entry:
    """Undo a change: restore the value, dates and vector from before it. The Undo is an entry too.

    Raises `ChangeGone` (forgotten, erased, expired or undone already), `ChangedSince` (the memory
    was changed after it) and, only after a change of the embedding model, `EmbeddingsUnavailable`.
    """
    done = await undo_changes(pool, embedder, person, [change_id])
    found = await changes_named(pool, person, [one.id for one in done] or [change_id])
    if done:
        return found[0]
    if any(map(_can_be_undone, found)):
        raise ChangedSince("The memory has changed since.")
    raise ChangeGone("The change was forgotten or undone already, or the memory has expired.")


async def undo_changes(
    pool: Pool, embedder: Embedder, person: Person, ids: Sequence[UUID]
) -> list[Change]:
    """Undo changes as `undo_change` does, the newest first, in one transaction.

    Changes that cannot be undone are skipped. The number of statements does not depend on the
    number of changes. Raises `EmbeddingsUnavailable` as `undo_change` does.
    """
    async with person_transaction(pool, person) as connection:
        found = await _undoable(connection, person, ids)
    namespaces = {namespace for entry, _ in found for namespace in entry.namespaces}

    async def decide(connection: AsyncConnection[DictRow]) -> list[Step]:
        steps = await _undo_steps(connection, await _undoable(connection, person, ids))
        await connection.execute(
            "UPDATE memory_changes SET undone_at = now()"
            " WHERE id = ANY(%s) AND team_id = %s AND user_id = %s",
            (list(steps), person.team_id, person.user_id),
        )
        return list(steps.values())

    return await commit_steps(pool, embedder, person, list(namespaces), decide) if found else []


async def _undoable(
    connection: AsyncConnection[DictRow], person: Person, ids: Sequence[UUID]
) -> list[tuple[Entry, DictRow]]:
    """Return the entries that can be undone, newest first."""
    found = await connection.execute(
        f"SELECT {ENTRY_COLUMNS}, created_at, updated_at, vector_send(vector) AS vector"
        " FROM memory_changes WHERE id = ANY(%s) AND team_id = %s AND user_id = %s"
        " ORDER BY at DESC, id DESC FOR UPDATE",
        (list(ids), person.team_id, person.user_id),
    )
    records = [(read_entry(person, record), record) for record in await found.fetchall()]
    return [(entry, record) for entry, record in records if _can_be_undone(entry)]


def _can_be_undone(entry: Entry) -> bool:
    ended = ends_at(entry.before or {})
    return (
        entry.undone_at is None
        and not (entry.before is None and entry.after is None)
        and (ended is None or ended > datetime.now(UTC))
    )


async def _undo_steps(
    connection: AsyncConnection[DictRow], found: Sequence[tuple[Entry, DictRow]]
) -> dict[UUID, Step]:
    """Return the step that undoes each entry, without entries whose memory has changed since."""
    origins = {entry.moved_from or entry.namespace for entry, _ in found}
    row_keys = {
        (namespace.prefix, entry.key) for entry, _ in found for namespace in entry.namespaces
    }
    current = await rows.fetch_all(connection, list(row_keys))
    kinds = [entry.kind for entry, _ in found if entry.after is None]
    known = {
        thing_of(row.namespace, row.value)
        for one in origins
        if kinds
        for row in await rows.reread(connection, one, kinds)
        if row.row_key not in row_keys
    }
    steps: dict[UUID, Step] = {}
    for entry, record in found:
        step = _undo_step(entry, record, current, known)
        if step is None:
            continue
        steps[entry.id] = step
        current.pop(entry.row_key, None)
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
) -> Step | None:
    """Return the step that undoes an entry; None if the memory has changed since."""
    current = rows_now.get(entry.row_key)
    if (current.value if current else None) != entry.after:
        return None
    namespace = entry.moved_from or entry.namespace
    if entry.moved_from and (namespace.prefix, entry.key) in rows_now:
        return None  # another memory has its key
    if current is None and entry.before and thing_of(namespace, entry.before) in known:
        return None  # the same was remembered again
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
