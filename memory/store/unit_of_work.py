"""Unit of work: every write of memories, with ledger entries, in one transaction."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal, TypeAlias
from uuid import UUID, uuid4

from psycopg import AsyncConnection
from psycopg.rows import DictRow
from psycopg.types.json import Jsonb

from memory.embeddings.embedder import Embedder
from memory.model.errors import ChangedSince
from memory.model.namespace import Namespace, Person
from memory.model.schemas import searchable_text
from memory.postgres.database import Pool, person_transaction
from memory.postgres.locks import lock_for_writing
from memory.store import rows
from memory.store.memories import EXAMPLE_SOURCE, Memory, RowKey, ends_at

Action: TypeAlias = Literal["remembered", "updated", "confirmed", "removed", "moved", "restored"]
Actor: TypeAlias = Literal[
    "formation", "tool", "command", "modal", "import", "source", "expiry", "undo", "question",
    "merge",
]  # fmt: skip

_ACTORS: Mapping[str, Actor] = {
    "tool": "tool",
    "command": "command",
    "modal": "modal",
    EXAMPLE_SOURCE: "modal",
    "import": "import",
}
_ATTEMPTS = 4
# Rows of one statement, whose parameters are built without yielding to the event loop.
_BATCH = 1_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """A committed change of one memory; `id` is that of its ledger entry.

    `before` and `after` are contents. If the memory supersedes one of a wider audience, `before` is
    the content of the wider one.
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
    """One write with its ledger entry: the current row and the new value (None: delete the row).

    `dates` replace the current time. `vector` is in pgvector's binary format, if it is known.
    """

    action: Action
    actor: Actor
    namespace: Namespace
    key: str
    before: Memory | None
    after: dict[str, Any] | None
    moved_from: Namespace | None = None
    dates: tuple[datetime, datetime] | None = None
    vector: bytes | None = None

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
    `in_commit` is awaited last, with the changes. Raises `EmbeddingsUnavailable`, and
    `ChangedSince` if the rows keep changing.
    """
    known = dict(vectors or {})

    async def attempt(connection: AsyncConnection[DictRow]) -> list[Change]:
        await lock_for_writing(connection, person, *namespaces)
        steps = await decide(connection)
        wanted = dict.fromkeys(step.text for step in steps if step.text is not None)
        if lacking := [text for text in wanted if text not in known]:
            raise _VectorsMissing(lacking)
        done = await write_steps(connection, steps, known)
        if in_commit is not None:
            await in_commit(connection, done)
        if done:
            removed = any(step.origin is not None for step in steps)
            await pool.changed(connection, person, removed=removed)
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
    ids = [uuid4() for _ in steps]
    await _record(connection, ids, steps)
    origins = {n: origin for n, step in enumerate(steps) if (origin := step.origin) is not None}
    gone = await rows.delete(connection, list(origins.values()))
    written = {n for n, origin in origins.items() if origin in gone}
    new = [
        n
        for n, step in enumerate(steps)
        if step.after is not None and (n in written if n in origins else step.before is None)
    ]
    changed = [
        n
        for n, step in enumerate(steps)
        if step.after is not None and n not in origins and step.before is not None
    ]
    values = {n: steps[n].new_value(vectors) for n in (*new, *changed)}
    await rows.insert(connection, [values[n] for n in new])
    updated = await rows.update(connection, [values[n] for n in changed])
    written |= {*new, *(n for n in changed if values[n].row_key in updated)}
    if vanished := [ids[n] for n in range(len(steps)) if n not in written]:
        person = steps[0].namespace.person
        await connection.execute(
            "DELETE FROM memory_changes WHERE id = ANY(%s) AND team_id = %s AND user_id = %s",
            (vanished, person.team_id, person.user_id),
        )
    return [_change(ids[n], step) for n, step in enumerate(steps) if n in written]


def _change(identity: UUID, step: Step) -> Change:
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


def actor_of(source_kind: str, default: Actor) -> Actor:
    """Return the actor of a change whose source is of this kind; messages have the default."""
    return _ACTORS.get(source_kind, default)


def _kind(step: Step) -> str:
    if step.after is None and step.before is not None:
        return step.before.kind
    return str((step.after or {})["kind"])


async def _record(
    connection: AsyncConnection[DictRow], ids: Sequence[UUID], steps: Sequence[Step]
) -> None:
    person = steps[0].namespace.person
    befores = [None if step.actor == "expiry" else step.before for step in steps]
    await connection.execute(
        "INSERT INTO memory_changes (id, team_id, user_id, audience, key, kind, action, actor,"
        " moved_from, before, after, created_at, updated_at, at, vector)"
        " SELECT id, %(team)s, %(user)s, audience, key, kind, action, actor, moved_from, before,"
        f" after, created_at, updated_at, {rows.NOW}, (SELECT embedding FROM store_vectors v"
        " WHERE v.prefix = new.before_prefix AND v.key = new.before_key"
        " ORDER BY v.field_name <> %(field)s LIMIT 1) FROM unnest(%(ids)s::uuid[],"
        " %(audiences)s::text[], %(keys)s::text[], %(kinds)s::text[], %(actions)s::text[],"
        " %(actors)s::text[], %(origins)s::text[], %(befores)s::jsonb[], %(afters)s::jsonb[],"
        " %(created)s::timestamptz[], %(updated)s::timestamptz[], %(before_prefixes)s::text[],"
        " %(before_keys)s::text[]) WITH ORDINALITY AS new (id, audience, key, kind, action, actor,"
        " moved_from, before, after, created_at, updated_at, before_prefix, before_key, number)",
        {
            **person.ids,
            "field": rows.VECTOR_FIELD,
            "ids": list(ids),
            "audiences": [step.namespace.audience for step in steps],
            "keys": [step.key for step in steps],
            "kinds": [_kind(step) for step in steps],
            "actions": [step.action for step in steps],
            "actors": [step.actor for step in steps],
            "origins": [step.moved_from.audience if step.moved_from else None for step in steps],
            "befores": [Jsonb(before.value) if before else None for before in befores],
            "afters": [Jsonb(step.after) if step.after else None for step in steps],
            "created": [before.created_at if before else None for before in befores],
            "updated": [before.updated_at if before else None for before in befores],
            "before_prefixes": [before.namespace.prefix if before else None for before in befores],
            "before_keys": [before.key if before else None for before in befores],
        },
    )
