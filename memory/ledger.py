"""The ledger: every change of a memory, who made it, and how it is undone."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Literal, LiteralString, TypeAlias
from uuid import UUID, uuid4

from psycopg import AsyncConnection
from psycopg.rows import DictRow
from psycopg.types.json import Jsonb

from memory import rows
from memory.database import Pool, person_transaction
from memory.embeddings import Embedder, literal
from memory.errors import ChangedSince, ChangeGone
from memory.memories import ends_at
from memory.namespace import Namespace, Person
from memory.rows import Row
from memory.schemas import searchable_text
from memory.settlement import same_thing

Action: TypeAlias = Literal["remembered", "updated", "confirmed", "removed", "moved", "restored"]
Actor: TypeAlias = Literal[
    "formation", "tool", "command", "modal", "import", "source", "expiry", "undo", "question"
]
InCommit: TypeAlias = Callable[[AsyncConnection[DictRow]], Awaitable[None]]

_ATTEMPTS = 4
_TABLES: tuple[LiteralString, ...] = ("memory_changes", "memory_questions")
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


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """What was done to one memory; `id` is its ledger entry's, `before` and `after` are contents.

    `before` of a memory that stands before one of wider ears is what that one says.
    """

    id: UUID
    action: Action
    namespace: Namespace
    key: str
    kind: str
    before: dict[str, Any] | None
    after: dict[str, Any] | None
    expires_at: datetime | None = None
    moved_from: Namespace | None = None

    @property
    def reference(self) -> str:
        """The `Memory.reference` of the memory that was changed."""
        return f"{self.namespace.audience}/{self.key}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """One write: the row as it stands, the value it gets (None: it goes), and what to call it.

    `dates` are those the row gets instead of now. `vector` is given where it is known.
    """

    action: Action
    actor: Actor
    namespace: Namespace
    key: str
    before: Row | None
    after: dict[str, Any] | None
    moved_from: Namespace | None = None
    dates: tuple[datetime, datetime] | None = None
    vector: str | None = None

    @property
    def text(self) -> str | None:
        """The text whose vector is needed, if any."""
        if self.after is None or self.vector is not None:
            return None
        return searchable_text(self.after["content"])


Decide: TypeAlias = Callable[[AsyncConnection[DictRow]], Awaitable[Sequence[Step]]]
Written: TypeAlias = Callable[[AsyncConnection[DictRow], Sequence[Change]], Awaitable[None]]


class _Lacking(Exception):
    """Undoes a transaction for which vectors are missing."""

    def __init__(self, texts: Sequence[str]) -> None:
        self.texts = texts


async def carry_out(
    pool: Pool,
    embedder: Embedder,
    person: Person,
    namespaces: Sequence[Namespace],
    decide: Decide,
    *,
    in_commit: Written | None = None,
) -> list[Change]:
    """Write what `decide` says of the rows as they stand, with the ledger, in one transaction.

    Nobody else writes to `namespaces` meanwhile. `decide` is asked again after texts were embedded,
    for which no connection is held. `in_commit` is awaited last, with what was written. Raises
    `EmbeddingsUnavailable`, and `ChangedSince` where the rows never keep still.
    """
    vectors: dict[str, str] = {}

    async def attempt(connection: AsyncConnection[DictRow]) -> list[Change]:
        await rows.lock_for_writing(connection, person, *namespaces)
        steps = await decide(connection)
        wanted = dict.fromkeys(step.text for step in steps if step.text is not None)
        if lacking := [text for text in wanted if text not in vectors]:
            raise _Lacking(lacking)
        written = [await _write(connection, step, vectors) for step in steps]
        done = [change for change in written if change is not None]
        if in_commit is not None:
            await in_commit(connection, done)
        return done

    for _ in range(_ATTEMPTS):
        try:
            async with person_transaction(pool, person) as connection:
                return await attempt(connection)
        except _Lacking as lacking:
            fresh = await embedder.embed(lacking.texts)
            vectors.update(zip(lacking.texts, map(literal, fresh), strict=True))
    raise ChangedSince("These memories keep changing: try again in a moment.")


async def _write(
    connection: AsyncConnection[DictRow], step: Step, vectors: dict[str, str]
) -> Change | None:
    """Write one step and its entry; None where the row vanished at this very moment."""
    identity = await _record(connection, step)
    vector = step.vector if step.text is None else vectors[step.text]
    place = (step.namespace, step.key)
    there = True
    if step.after is None:
        there = await rows.delete(connection, *place)
    elif step.moved_from is not None:
        there = await rows.delete(connection, step.moved_from, step.key)
        if there:
            await rows.insert(connection, *place, step.after, vector, dates=step.dates)
    elif step.before is None:
        await rows.insert(connection, *place, step.after, vector, dates=step.dates)
    else:
        there = await rows.update(connection, *place, step.after, vector, dates=step.dates)
    if not there:
        await connection.execute("DELETE FROM memory_changes WHERE id = %s", (identity,))
        return None
    return Change(
        id=identity,
        action=step.action,
        namespace=step.namespace,
        key=step.key,
        kind=_kind(step),
        before=step.before.content if step.before else None,
        after=dict(step.after["content"]) if step.after else None,
        expires_at=ends_at(step.after or {}),
        moved_from=step.moved_from,
    )


def _kind(step: Step) -> str:
    return str((step.after or (step.before.value if step.before else {}))["kind"])


async def _record(connection: AsyncConnection[DictRow], step: Step) -> UUID:
    identity = uuid4()
    person, before = step.namespace.person, step.before
    await connection.execute(
        "INSERT INTO memory_changes (id, team_id, user_id, audience, key, kind, action, actor,"
        " moved_from, before, after, created_at, updated_at, vector)"
        " VALUES (%s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s,"
        " (SELECT embedding FROM store_vectors WHERE prefix = %s AND key = %s"
        " ORDER BY field_name <> %s LIMIT 1))",
        (
            identity,
            person.team_id,
            person.user_id,
            step.namespace.audience,
            step.key,
            _kind(step),
            step.action,
            step.actor,
            step.moved_from.audience if step.moved_from else None,
            Jsonb(before.value) if before else None,
            Jsonb(step.after) if step.after else None,
            before.created_at if before else None,
            before.updated_at if before else None,
            before.namespace.prefix if before else None,
            before.key if before else None,
            rows.VECTOR_FIELD,
        ),
    )
    return identity


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
            "UPDATE memory_changes SET undone_at = now() WHERE id = %s", (change_id,)
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
    for table in _TABLES:
        await connection.execute(
            f"DELETE FROM {table} WHERE team_id = %s AND user_id = %s AND key = %s",
            (person.team_id, person.user_id, row.key),
        )
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
