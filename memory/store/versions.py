"""Versions: every write of memories, and their changes as the versions tell them.

`write` makes every change; only forgetting, its Undo and the removal of quotes write besides it.
"""

from __future__ import annotations

import asyncio
import json
import logging
from collections.abc import AsyncIterator, Awaitable, Callable, Collection, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from typing import Any, Literal, LiteralString, TypeAlias
from uuid import UUID, uuid4

from psycopg import AsyncConnection, OperationalError
from psycopg.rows import DictRow
from psycopg.types.json import Jsonb

from memory.embeddings.embedder import Embedder
from memory.model.errors import EmbeddingsUnavailable
from memory.model.namespace import Person
from memory.postgres.database import Pool, person_statement, person_transaction
from memory.store.memories import OF_IDS, OF_PERSON, Keyed, Memory, MessageKey, person_range
from memory.store.reembedding import embed_missing

_log = logging.getLogger(__name__)

Action: TypeAlias = Literal["remembered", "updated", "confirmed", "removed", "moved", "restored"]
Actor: TypeAlias = Literal[
    "formation", "tool", "command", "modal", "source", "undo", "question",
]  # fmt: skip

_ACTORS: Mapping[str, Actor] = {"tool": "tool", "command": "command", "modal": "modal"}
# Rows of one statement, whose parameters are built without yielding to the event loop.
_BATCH = 1_000
_EMBED_SECONDS = 5.0  # somebody may wait


@dataclass(frozen=True, slots=True, kw_only=True)
class Change(Keyed):
    """A change of one memory: a version, and the value before it.

    `before` and `after` are whole stored values, None where there was or is no memory, `expires_at`
    is the memory's after it. `batch` is the same for all changes of one notice, `undone_at` the
    time of its Undo. `changed_since`: the memory is not as the change left it, so that it cannot be
    undone; only `list_changes` looks the last two up.
    """

    id: UUID
    kind: str
    action: Action
    actor: Actor
    before: dict[str, Any] | None
    after: dict[str, Any] | None
    at: datetime
    batch: UUID
    expires_at: datetime | None = None
    undone_at: datetime | None = None
    changed_since: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Step(Keyed):
    """One write: the current row (None: it is new) and the new value (None: the row is deleted).

    A memory moves to `namespace` if the row is in another one. `dates` (created_at, updated_at)
    replace the current time. `message` is the one that the change comes from, `undoes` the number
    of the first version that it takes back.
    """

    action: Action
    actor: Actor
    before: Memory | None
    after: dict[str, Any] | None
    expires_at: datetime | None = None
    dates: tuple[datetime, datetime] | None = None
    message: MessageKey | None = None
    undoes: int | None = None

    @classmethod
    def on(
        cls,
        row: Memory,
        action: Action,
        actor: Actor,
        after: dict[str, Any] | None,
        *,
        expires_at: datetime | None = None,
        message: MessageKey | None = None,
    ) -> Step:
        """Return the step that gives a row a new value, or deletes it."""
        return cls(
            action=action,
            actor=actor,
            namespace=row.namespace,
            key=row.key,
            before=row,
            after=after,
            expires_at=expires_at,
            message=message,
        )

    @property
    def kind(self) -> str:
        """The kind of the memory."""
        return str(self.after["kind"]) if self.after else self.before.kind if self.before else ""


AfterWrite: TypeAlias = Callable[[AsyncConnection[DictRow], Sequence[Change]], Awaitable[None]]


@asynccontextmanager
async def writing(
    pool: Pool, embedder: Embedder, person: Person
) -> AsyncIterator[AsyncConnection[DictRow]]:
    """Open a transaction of the person, under their lock, in which `write` writes memories.

    After it the memories that have no vector are embedded, without a connection; where the
    embedding model does not answer soon, after the next one. A set that recall returns whole needs
    no vectors.
    """
    async with person_transaction(pool, person, locked=True) as connection:
        yield connection
    try:
        async with asyncio.timeout(_EMBED_SECONDS):
            await embed_missing(pool, embedder, person)
    except (EmbeddingsUnavailable, OperationalError, TimeoutError) as error:
        _log.warning("memories were not embedded: %s", type(error).__name__)


_JUST_MADE = {"undone_at": None, "in_effect": True}
_dumps = partial(json.dumps, default=str)
VERSION: LiteralString = (
    "id, key, audience, kind, value, expires_at, created_at, updated_at, action, actor,"
    " channel, ts, undoes, at"
)
# Rows that another tool wrote have no version: the first change gives them one, with the number 0.
WRITE_EARLIER: LiteralString = (
    "INSERT INTO memory_versions (id, number, team_id, user_id, key, audience, kind, value,"
    " expires_at, created_at, updated_at, action, actor, batch, at)"
    " SELECT gen_random_uuid(), 0, %(team)s, %(user)s, key, split_part(prefix, '.', 4),"
    " COALESCE(value->>'kind', 'Memory'), value, expires_at, created_at, updated_at, 'remembered',"
    " 'formation', gen_random_uuid(), updated_at FROM store"
    f" WHERE {OF_PERSON} AND (%(keys)s::text[] IS NULL OR key = ANY(%(keys)s)) AND NOT EXISTS"
    f" (SELECT FROM memory_versions v WHERE {OF_IDS} AND v.key = store.key)"
)
_WRITE: LiteralString = (
    "WITH new AS MATERIALIZED (SELECT id, prefix, key, audience, kind, value, expires_at,"
    " CASE WHEN value IS NOT NULL THEN COALESCE(created_at, at) END AS created_at,"
    " CASE WHEN value IS NOT NULL THEN COALESCE(updated_at, at) END AS updated_at,"
    " action, actor, channel, ts, undoes, at, place FROM ("
    # Rows of one statement get increasing times.
    "SELECT *, clock_timestamp() + (place - 1) * interval '1 microsecond' AS at"
    " FROM ROWS FROM (jsonb_to_recordset(%(steps)s) AS (id uuid, prefix text, key text,"
    " audience text, kind text, value jsonb, expires_at timestamptz, created_at timestamptz,"
    " updated_at timestamptz, action text, actor text, channel text, ts text, undoes bigint))"
    " WITH ORDINALITY AS given (id, prefix, key, audience, kind, value, expires_at, created_at,"
    " updated_at, action, actor, channel, ts, undoes, place)) AS timed),"
    f" earlier AS ({WRITE_EARLIER}),"
    " stale AS (DELETE FROM store_vectors v USING store s, new"
    f" WHERE {OF_PERSON.replace('prefix', 's.prefix')} AND s.key = new.key"
    " AND v.prefix = s.prefix AND v.key = s.key AND s.value->'content' <> new.value->'content'),"
    f" gone AS (DELETE FROM store USING new WHERE {OF_PERSON.replace('prefix', 'store.prefix')}"
    " AND store.key = new.key AND (new.value IS NULL OR store.prefix <> new.prefix)),"
    " put AS (INSERT INTO store (prefix, key, value, created_at, updated_at, expires_at)"
    " SELECT prefix, key, value, created_at, updated_at, expires_at FROM new"
    " WHERE value IS NOT NULL ON CONFLICT (prefix, key) DO UPDATE SET value = EXCLUDED.value,"
    " created_at = EXCLUDED.created_at, updated_at = EXCLUDED.updated_at,"
    " expires_at = EXCLUDED.expires_at, ttl_minutes = NULL)"
    f" INSERT INTO memory_versions (team_id, user_id, batch, {VERSION})"
    f" SELECT %(team)s, %(user)s, %(batch)s, {VERSION} FROM new ORDER BY place RETURNING id, at"
)


async def write(
    connection: AsyncConnection[DictRow],
    person: Person,
    steps: Sequence[Step],
    *,
    batch: UUID | None = None,
) -> list[Change]:
    """Write rows of `store`, and a version for each step, in order; stale vectors are deleted.

    One statement for a thousand steps; no memory has two of them. The caller holds the person's
    lock, and has read the rows under it.
    """
    done, batch = list[Change](), batch or uuid4()
    for start in range(0, len(steps), _BATCH):
        several = steps[start : start + _BATCH]
        values = [_values(step) for step in several]
        found = await connection.execute(
            _WRITE,
            {
                **person_range(person),
                "batch": batch,
                "keys": [step.key for step in several],
                "steps": Jsonb(values, dumps=_dumps),
            },
        )
        times = {row["id"]: row["at"] for row in await found.fetchall()}
        for step, one in zip(several, values, strict=True):
            before = step.before and step.before.value
            made = {"before": before, "at": times[one["id"]], "batch": batch}
            done.append(read_change(person, {**one, **made, **_JUST_MADE}))
    return done


def _values(step: Step) -> dict[str, Any]:
    channel, ts = step.message or (None, None)
    created, updated = step.dates or (step.before.created_at if step.before else None, None)
    return {
        "id": uuid4(),
        "prefix": step.namespace.prefix,
        "key": step.key,
        "audience": step.namespace.audience,
        "kind": step.kind,
        "value": step.after,
        "expires_at": None if step.after is None else step.expires_at,
        "created_at": created,
        "updated_at": updated,
        "action": step.action,
        "actor": step.actor,
        "channel": channel,
        "ts": ts,
        "undoes": step.undoes,
    }


def actor_of(source_kind: str, default: Actor) -> Actor:
    """Return the actor of a change whose source is of this kind; messages have the default."""
    return _ACTORS.get(source_kind, default)


# --- reading -----------------------------------------------------------------------------------

_SAME_MEMORY: LiteralString = f"{OF_IDS} AND key = v.key"
# Whether `v` is the first version of its memory; of others the one before it may be deleted.
IS_FIRST: LiteralString = "(v.number = 0 OR v.created_at = v.at)"
VERSIONS: LiteralString = (
    "SELECT v.*, p.value AS before, p.audience AS before_audience, p.expires_at AS before_end,"
    " p.created_at AS before_created, p.updated_at AS before_updated,"
    " (now.value IS NULL AND v.value IS NULL OR (now.value, now.audience, now.expires_at)"
    " IS NOT DISTINCT FROM (v.value, v.audience, v.expires_at))"
    f" AND (p.number IS NOT NULL OR {IS_FIRST}) AS in_effect, {IS_FIRST} AS is_first,"
    " u.at AS undone_at"
    " FROM memory_versions v"
    f" LEFT JOIN LATERAL (SELECT * FROM memory_versions WHERE {_SAME_MEMORY}"
    "  AND number < v.number ORDER BY number DESC LIMIT 1) p ON true"
    f" CROSS JOIN LATERAL (SELECT * FROM memory_versions WHERE {_SAME_MEMORY}"
    "  ORDER BY number DESC LIMIT 1) now"
    f" LEFT JOIN LATERAL (SELECT at FROM memory_versions undo WHERE {_SAME_MEMORY}"
    "  AND number > v.number AND undoes <= v.number AND NOT EXISTS (SELECT FROM memory_versions"
    f"  WHERE {OF_IDS} AND key = undo.key AND number > undo.number AND undoes <= undo.number"
    "  AND undoes > v.number) ORDER BY number DESC LIMIT 1) u ON true"
    " WHERE v.team_id = %(team)s AND v.user_id = %(user)s"
)
_CHANGES: LiteralString = (
    f"{VERSIONS} AND (%(key)s::text IS NULL OR v.key = %(key)s)"
    " AND (%(batch)s::uuid IS NULL OR v.batch = %(batch)s)"
    " AND (%(ids)s::uuid[] IS NULL OR v.id = ANY(%(ids)s))"
    " ORDER BY v.number DESC LIMIT %(limit)s"
)


async def list_changes(
    pool: Pool,
    person: Person,
    *,
    key: str | None = None,
    batch: UUID | None = None,
    ids: Collection[UUID] | None = None,
    limit: int = 20,
) -> list[Change]:
    """Return a person's changes, newest first: all, those of a memory, of a batch, or named ones.

    `limit` does not apply to a batch or `ids`.
    """
    rows = await person_statement(
        pool,
        person,
        _CHANGES,
        {
            **person.ids,
            "key": key,
            "batch": batch,
            "ids": None if ids is None else list(ids),
            "limit": limit if ids is None and batch is None else None,
        },
    )
    return [read_change(person, row) for row in rows]


def read_change(person: Person, row: Mapping[str, Any]) -> Change:
    """Convert a row of `VERSIONS`."""
    return Change(
        id=row["id"],
        namespace=person.namespace(row["audience"]),
        key=row["key"],
        kind=row["kind"],
        action=row["action"],
        actor=row["actor"],
        before=row["before"],
        after=row["value"],
        at=row["at"],
        batch=row["batch"],
        expires_at=row["expires_at"],
        undone_at=row["undone_at"],
        changed_since=not row["in_effect"],
    )
