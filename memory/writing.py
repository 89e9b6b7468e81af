"""How a memory is written: in one place, with its entry in the ledger, in one transaction."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal, TypeAlias
from uuid import UUID, uuid4

from psycopg import AsyncConnection
from psycopg.rows import DictRow
from psycopg.types.json import Jsonb

from memory import rows
from memory.database import Pool, person_transaction
from memory.embeddings import Embedder, literal
from memory.errors import ChangedSince
from memory.locks import lock_for_writing
from memory.memories import ends_at
from memory.namespace import Namespace, Person
from memory.rows import Row
from memory.schemas import searchable_text

Action: TypeAlias = Literal["remembered", "updated", "confirmed", "removed", "moved", "restored"]
Actor: TypeAlias = Literal[
    "formation", "tool", "command", "modal", "import", "source", "expiry", "undo", "question"
]
InCommit: TypeAlias = Callable[[AsyncConnection[DictRow]], Awaitable[None]]

_ATTEMPTS = 4


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
        await lock_for_writing(connection, person, *namespaces)
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
        person = step.namespace.person
        await connection.execute(
            "DELETE FROM memory_changes WHERE id = %s AND team_id = %s AND user_id = %s",
            (identity, person.team_id, person.user_id),
        )
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
