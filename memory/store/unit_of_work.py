"""Unit of work: every write of memories, with ledger entries, in one transaction."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal, LiteralString, TypeAlias
from uuid import UUID, uuid4

from psycopg import AsyncConnection
from psycopg.rows import DictRow
from psycopg.types.json import Jsonb

from memory.embeddings.embedder import Embedder
from memory.model.errors import ChangedSince, EmbeddingsUnavailable
from memory.model.namespace import Namespace, Person
from memory.model.schemas import searchable_text
from memory.postgres.database import Pool, person_transaction
from memory.postgres.locks import lock_for_writing
from memory.store import rows
from memory.store.dependents import follow_move
from memory.store.memories import Keyed, Memory, RowKey

Action: TypeAlias = Literal["remembered", "updated", "confirmed", "removed", "moved", "restored"]
Actor: TypeAlias = Literal[
    "formation", "tool", "command", "modal", "source", "expiry", "undo", "question",
]  # fmt: skip

_ACTORS: Mapping[str, Actor] = {"tool": "tool", "command": "command", "modal": "modal"}
_ATTEMPTS = 4
# The columns of a ledger entry that are written from values, with their types.
_ENTRY: Mapping[LiteralString, LiteralString] = {
    "id": "uuid",
    "audience": "text",
    "key": "text",
    "kind": "text",
    "action": "text",
    "actor": "text",
    "moved_from": "text",
    "before": "jsonb",
    "after": "jsonb",
    "created_at": "timestamptz",
    "updated_at": "timestamptz",
}
# The row whose vector the entry keeps.
_BEFORE: Mapping[LiteralString, LiteralString] = {"before_prefix": "text", "before_key": "text"}
# Rows of one statement, whose parameters are built without yielding to the event loop.
_BATCH = 1_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Change(Keyed):
    """A committed change of one memory; `id` is that of its ledger entry.

    `before` and `after` are contents, as stored. In a `FormationResult`, `before` of a memory that
    supersedes one of a wider audience is the content of the wider one.
    """

    id: UUID
    action: Action
    kind: str
    before: dict[str, Any] | None
    after: dict[str, Any] | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Step(Keyed):
    """One write with its ledger entry: the current row and the new value (None: delete the row).

    `dates` replace the current time. `vector` is in pgvector's binary format, if it is known.
    """

    action: Action
    actor: Actor
    before: Memory | None
    after: dict[str, Any] | None
    moved_from: Namespace | None = None
    dates: tuple[datetime, datetime] | None = None
    vector: bytes | None = None

    @classmethod
    def on(cls, row: Memory, action: Action, actor: Actor, after: dict[str, Any] | None) -> Step:
        """Return the step that gives a row a new value, or deletes it."""
        return cls(
            action=action,
            actor=actor,
            namespace=row.namespace,
            key=row.key,
            before=row,
            after=after,
        )

    @property
    def kind(self) -> str:
        """The kind of the memory."""
        if self.after is None and self.before is not None:
            return self.before.kind
        return str((self.after or {})["kind"])

    @property
    def inserts(self) -> bool:
        """Whether it inserts a row: a new one, or a moved one at its new key."""
        return self.after is not None and (self.before is None or self.moved_from is not None)

    @property
    def updates(self) -> bool:
        """Whether it updates a row in place."""
        return self.after is not None and not self.inserts

    @property
    def row_keys(self) -> set[RowKey]:
        """The keys of the rows it reads or writes."""
        namespaces = filter(None, (self.namespace, self.moved_from))
        return {(namespace.prefix, self.key) for namespace in namespaces}

    @property
    def origin(self) -> RowKey | None:
        """The key of the row it deletes, if any: a removed row, or a moved one at its old key."""
        namespace = self.namespace if self.after is None else self.moved_from
        return None if namespace is None else (namespace.prefix, self.key)

    def new_value(self, vectors: Mapping[str, bytes]) -> rows.NewValue:
        """Return the row's new values; `vectors` are by text."""
        return rows.NewValue(
            namespace=self.namespace,
            key=self.key,
            value=dict(self.after or {}),
            vector=self.vector if self.text is None else vectors[self.text],
            dates=self.dates,
        )

    @property
    def text(self) -> str | None:
        """The text to embed, if a vector is needed."""
        if self.after is None or self.vector is not None:
            return None
        return searchable_text(self.after["content"])


Decide: TypeAlias = Callable[[AsyncConnection[DictRow]], Awaitable[Sequence[Step]]]
AfterWrite: TypeAlias = Callable[[AsyncConnection[DictRow], Sequence[Change]], Awaitable[None]]


class _VectorsMissing(Exception):
    """Rolls back a transaction because vectors of `texts` are missing."""

    def __init__(self, texts: Sequence[str]) -> None:
        self.texts = texts


async def commit_steps(
    pool: Pool,
    embedder: Embedder,
    person: Person,
    namespaces: Sequence[Namespace],
    decide: Decide,
    *,
    in_commit: AfterWrite | None = None,
    vectors: Mapping[str, bytes] | None = None,
) -> list[Change]:
    """Write the steps that `decide` returns for the current rows, with ledger entries.

    Runs in one transaction, under a lock on `namespaces`. If `vectors` lack a text, the transaction
    is rolled back, the texts are embedded without a connection, and `decide` is called again.
    `in_commit` is awaited last, with the changes. Raises `EmbeddingsUnavailable`, also where a
    vector is needed and the stored ones are of another model than `embedder`'s, and `ChangedSince`
    if the rows keep changing.
    """
    known = dict(vectors or {})

    async def attempt(connection: AsyncConnection[DictRow]) -> list[Change]:
        space = await lock_for_writing(connection, person, *namespaces)
        steps = await decide(connection)
        wanted = dict.fromkeys(step.text for step in steps if step.text is not None)
        if wanted and space != embedder.space:
            raise EmbeddingsUnavailable(f"The memories are embedded with {space.model} now.")
        if lacking := [text for text in wanted if text not in known]:
            raise _VectorsMissing(lacking)
        done = await write_steps(connection, steps, known)
        if in_commit is not None:
            await in_commit(connection, done)
        return done

    for _ in range(_ATTEMPTS):
        try:
            async with person_transaction(pool, person) as connection:
                return await attempt(connection)
        except _VectorsMissing as lacking:
            known |= await embedder.packed(lacking.texts)
    raise ChangedSince("These memories keep changing: try again in a moment.")


async def write_steps(
    connection: AsyncConnection[DictRow], steps: Sequence[Step], vectors: Mapping[str, bytes]
) -> list[Change]:
    """Write steps with their entries; steps whose row was deleted meanwhile are skipped.

    `vectors` are by text. The entry of an expired memory has no content.
    """
    done: list[Change] = []
    for batch in _batches(steps):
        done += await _write_batch(connection, batch, vectors)
    for step in steps:
        if step.moved_from is not None:
            origin, target = step.moved_from.audience, step.namespace
            await follow_move(connection, target.person, step.key, origin, target.audience)
    return done


def _batches(steps: Sequence[Step]) -> list[list[Step]]:
    """Split steps, in order, into batches of up to `_BATCH` steps that touch each row once."""
    batches: list[list[Step]] = []
    seen: set[RowKey] = set()
    for step in steps:
        if not batches or seen & step.row_keys or len(batches[-1]) == _BATCH:
            batches.append([])
            seen = set()
        batches[-1].append(step)
        seen |= step.row_keys
    return batches


async def _write_batch(
    connection: AsyncConnection[DictRow],
    steps: Sequence[Step],
    vectors: Mapping[str, bytes],
) -> list[Change]:
    entries = [(uuid4(), step) for step in steps]
    await _record(connection, entries)
    deleted = await rows.delete(connection, [step.origin for step in steps if step.origin])
    new = [
        step.new_value(vectors)
        for step in steps
        if step.inserts and (step.origin is None or step.origin in deleted)
    ]
    await rows.insert(connection, new)
    changed = [step.new_value(vectors) for step in steps if step.updates]
    written = deleted | await rows.update(connection, changed) | {one.row_key for one in new}
    # Each row belongs to one step of the batch.
    done = [(identity, step) for identity, step in entries if step.row_keys & written]
    if vanished := {identity for identity, _ in entries} - {identity for identity, _ in done}:
        person = steps[0].namespace.person
        await connection.execute(
            "DELETE FROM memory_changes WHERE id = ANY(%s) AND team_id = %s AND user_id = %s",
            (list(vanished), person.team_id, person.user_id),
        )
    return [_change(identity, step) for identity, step in done]


def _change(identity: UUID, step: Step) -> Change:
    return Change(
        id=identity,
        action=step.action,
        namespace=step.namespace,
        key=step.key,
        kind=step.kind,
        before=step.before.content if step.before else None,
        after=dict(step.after["content"]) if step.after else None,
    )


def actor_of(source_kind: str, default: Actor) -> Actor:
    """Return the actor of a change whose source is of this kind; messages have the default."""
    return _ACTORS.get(source_kind, default)


async def _record(
    connection: AsyncConnection[DictRow], entries: Sequence[tuple[UUID, Step]]
) -> None:
    """Insert ledger entries, with the vectors of the rows before the change."""
    values = [_entry_values(identity, step) for identity, step in entries]
    columns = {**_ENTRY, **_BEFORE}
    arrays = ", ".join(f"%({name})s::{type_}[]" for name, type_ in columns.items())
    await connection.execute(
        f"INSERT INTO memory_changes (team_id, user_id, {', '.join(_ENTRY)}, at, vector)"
        f" SELECT %(team)s, %(user)s, {', '.join(_ENTRY)}, {rows.NOW},"
        " (SELECT embedding FROM store_vectors v"
        " WHERE v.prefix = new.before_prefix AND v.key = new.before_key"
        " ORDER BY v.field_name <> %(field)s LIMIT 1)"
        f" FROM unnest({arrays}) WITH ORDINALITY AS new ({', '.join(columns)}, number)",
        {
            **entries[0][1].namespace.person.ids,
            "field": rows.VECTOR_FIELD,
            **{name: [one.get(name) for one in values] for name in columns},
        },
    )


def _entry_values(identity: UUID, step: Step) -> dict[str, Any]:
    """Return the values of `_ENTRY` and `_BEFORE`; a missing one is NULL."""
    values: dict[str, Any] = {
        "id": identity,
        "audience": step.namespace.audience,
        "key": step.key,
        "kind": step.kind,
        "action": step.action,
        "actor": step.actor,
    }
    if step.moved_from is not None:
        values["moved_from"] = step.moved_from.audience
    if step.after is not None:
        values["after"] = Jsonb(step.after)
    if step.before is not None and step.actor != "expiry":
        values["before"] = Jsonb(step.before.value)
        values["created_at"], values["updated_at"] = step.before.created_at, step.before.updated_at
        values["before_prefix"], values["before_key"] = step.before.row_key
    return values
