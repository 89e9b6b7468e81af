"""Undo of changes: a new version with the value and dates from before them."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from datetime import UTC, datetime
from typing import Any, LiteralString
from uuid import UUID

from psycopg import AsyncConnection
from psycopg.rows import DictRow

from memory.embeddings.embedder import Embedder
from memory.model.namespace import Person
from memory.model.schemas import thing
from memory.postgres.database import Pool
from memory.store.memories import Memory, reread
from memory.store.versions import VERSIONS, Change, Step, commit_steps

_NAMED: LiteralString = (
    f"{VERSIONS} AND (v.id = ANY(%(ids)s) OR v.batch = %(batch)s) ORDER BY v.number DESC"
)


async def undo_changes(
    pool: Pool,
    embedder: Embedder,
    person: Person,
    *,
    ids: Collection[UUID] = (),
    batch: UUID | None = None,
) -> list[Change]:
    """Undo named changes, or those of a batch, the newest first, in one transaction.

    Returns one change for each memory, which can be undone as well. Left as it is what was
    forgotten, has expired or was undone already, what is not as the change left it, and what was
    remembered again since. The number of statements does not depend on the number of changes.
    Raises `EmbeddingsUnavailable`.
    """

    async def decide(connection: AsyncConnection[DictRow]) -> list[Step]:
        values = {**person.ids, "ids": list(ids), "batch": batch}
        found = await (await connection.execute(_NAMED, values)).fetchall()
        by_key: dict[str, list[DictRow]] = {}
        for row in found:
            by_key.setdefault(row["key"], []).append(row)
        rows = await reread(connection, person, keys=by_key)
        steps = [
            step
            for key, versions in by_key.items()
            if (step := _step(person, rows.get(key), versions)) is not None
        ]
        return await _without_known_subjects(connection, person, steps)

    return await commit_steps(pool, embedder, person, decide)


def _step(person: Person, row: Memory | None, versions: Sequence[DictRow]) -> Step | None:
    """Return the step that takes back as many of a memory's `versions`, newest first, as it can."""
    state: tuple[Any, ...] = (None,)
    if row is not None:
        state = (row.value, row.namespace.audience, row.expires_at)
    last: DictRow | None = None
    for version in versions:
        known = last is not None or version["in_effect"]
        if known and _state(version["value"], version["audience"], version["expires_at"]) == state:
            if version["before_audience"] is None and not version["is_first"]:
                break  # the version before it is not kept
            last = version
            state = _state(version["before"], version["before_audience"], version["before_end"])
    if last is None:
        return None
    value, end = last["before"], last["before_end"]
    if value is not None and end is not None and end <= datetime.now(UTC):
        return None
    if value is None and row is None:
        return None
    audience = last["before_audience"] if value is not None else last["audience"]
    return Step(
        action="removed" if value is None else "restored",
        actor="undo",
        namespace=person.namespace(audience),
        key=last["key"],
        before=row,
        after=value,
        expires_at=end,
        dates=None if value is None else (last["before_created"], last["before_updated"]),
        undoes=last["number"],
    )


def _state(value: Any, audience: str, end: datetime | None) -> tuple[Any, ...]:
    return (None,) if value is None else (value, audience, end)


async def _without_known_subjects(
    connection: AsyncConnection[DictRow], person: Person, steps: Sequence[Step]
) -> list[Step]:
    """Return the steps, without those that bring back what was remembered again since."""
    back = [step for step in steps if step.before is None and step.after is not None]
    known = {
        (row.namespace, row.kind, thing(row.kind, row.content))
        for namespace in {step.namespace for step in back}
        for row in (
            await reread(connection, person, of=namespace, kinds=[one.kind for one in back])
        ).values()
    }
    return [
        step
        for step in steps
        if step not in back
        or (step.namespace, step.kind, thing(step.kind, (step.after or {})["content"])) not in known
    ]
