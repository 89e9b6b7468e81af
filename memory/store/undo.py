"""Undo of changes: a new version with the value and dates from before them."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from datetime import UTC, datetime
from typing import Any, LiteralString
from uuid import UUID

from psycopg.rows import DictRow

from memory.embeddings.embedder import Embedder
from memory.model.namespace import Person
from memory.postgres.database import Pool
from memory.store.memories import Memory, reread
from memory.store.versions import VERSIONS, Change, Step, write, writing

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
    forgotten, has expired or was undone already, and what is not as the change left it. The number
    of statements does not depend on the number of changes.
    """
    async with writing(pool, embedder, person) as connection:
        values = {**person.ids, "ids": list(ids), "batch": batch}
        found = await (await connection.execute(_NAMED, values)).fetchall()
        by_key: dict[str, list[DictRow]] = {}
        for row in found:
            by_key.setdefault(row["key"], []).append(row)
        rows = await reread(connection, person, keys=by_key)
        steps = (_step(person, rows.get(key), versions) for key, versions in by_key.items())
        return await write(connection, person, [step for step in steps if step is not None])


def _step(person: Person, row: Memory | None, versions: Sequence[DictRow]) -> Step | None:
    """Return the step that takes back as many of a memory's `versions`, newest first, as it can."""
    state: tuple[Any, ...] = (None,)
    if row is not None:
        state = (row.value, row.namespace.audience, row.expires_at)
    last: DictRow | None = None
    for version in versions:
        if _state(version["value"], version["audience"], version["expires_at"]) == state:
            if version["before_audience"] is None and not version["is_first"]:
                break  # the version before it is not kept
            last = version
            state = _state(version["before"], version["before_audience"], version["before_end"])
    if last is None or (last["before"] is None and row is None):
        return None
    value, end = last["before"], last["before_end"]
    if value is not None and end is not None and end <= datetime.now(UTC):
        return None
    return Step(
        action="removed" if value is None else "restored",
        actor="undo",
        namespace=person.namespace(last["audience" if value is None else "before_audience"]),
        key=last["key"],
        before=row,
        after=value,
        expires_at=end,
        dates=None if value is None else (last["before_created"], last["before_updated"]),
        undoes=last["number"],
    )


def _state(value: Any, audience: str, end: datetime | None) -> tuple[Any, ...]:
    return (None,) if value is None else (value, audience, end)
