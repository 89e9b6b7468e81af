"""Purging of a workspace: deletes its rows older than a given time, in bounded batches."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

from memory.postgres.database import Pool, execute_statement

_BATCH = 2_000


@dataclass(frozen=True, slots=True)
class WorkspaceTable:
    """A table with a column ``team_id``; `age` is the column with the time of writing."""

    name: str
    age: str


# Without store, store_vectors and memory_expiries, whose rows have a namespace instead.
TABLES = (
    WorkspaceTable("memory_questions", "at"),
    WorkspaceTable("memory_changes", "at"),
    WorkspaceTable("forgotten", "created_at"),
    WorkspaceTable("forgotten_sources", "forgotten_at"),
)


async def purge_rows(
    pool: Pool,
    tables: Iterable[WorkspaceTable],
    team_id: str,
    before: datetime,
) -> Counter[str]:
    """Delete a workspace's rows written before a time from these tables; return counts by table.

    Each statement deletes at most 2,000 rows in its own transaction, so an interrupted purge can
    be continued. Row-level security is bypassed by a SECURITY DEFINER function
    (``memory/postgres/migrations/0013_purge.sql``).
    """
    counts: Counter[str] = Counter()
    for table in tables:
        removed = _BATCH
        while removed >= _BATCH:
            [row] = await execute_statement(
                pool,
                "SELECT purge_workspace_rows(%s, %s, %s, %s, %s) AS removed",
                (table.name, table.age, team_id, before, _BATCH),
            )
            removed = int(row["removed"])
            counts[table.name] += removed
    return counts


async def purge_memories(pool: Pool, team_id: str, before: datetime) -> Counter[str]:
    """Delete a workspace's memories, vectors, ledger and questions, as `purge_rows` does."""
    counts: Counter[str] = Counter()
    removed = _BATCH
    while removed >= _BATCH:
        found = await execute_statement(
            pool, "SELECT * FROM purge_workspace_memories(%s, %s, %s)", (team_id, before, _BATCH)
        )
        rows = {str(row["relation"]): int(row["removed"]) for row in found}
        counts.update(rows)
        removed = rows["store"]
    return counts + await purge_rows(pool, TABLES, team_id, before)
