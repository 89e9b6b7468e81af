"""Purging of a workspace: deletes its rows older than a given time, in bounded batches."""

from __future__ import annotations

from collections import Counter
from datetime import datetime
from typing import LiteralString

from memory.postgres.database import Pool, execute_statement

_BATCH = 2_000


async def purge_memories(pool: Pool, team_id: str, before: datetime) -> Counter[str]:
    """Delete what memory has of a workspace, written before a time, as `purge_batches` does."""
    return await purge_batches(
        pool, "SELECT * FROM purge_workspace_memories(%s, %s, %s)", team_id, before
    )


async def purge_batches(
    pool: Pool, statement: LiteralString, team_id: str, before: datetime
) -> Counter[str]:
    """Repeat a purging function until it finds less than a batch; return the rows by table.

    `statement` selects the rows ``(relation, removed)`` of a SECURITY DEFINER function, which
    bypasses row-level security, of a workspace, a time and a number of rows. It is its own
    transaction each time, so an interrupted purge can be continued.
    """
    counts: Counter[str] = Counter()
    while True:
        found = await execute_statement(pool, statement, (team_id, before, _BATCH))
        rows = {str(row["relation"]): int(row["removed"]) for row in found}
        counts.update(rows)
        if max(rows.values()) < _BATCH:
            return counts
