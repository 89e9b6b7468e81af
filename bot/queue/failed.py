"""Jobs that have failed: listed, retried or deleted by an operator, and kept for two weeks."""

from __future__ import annotations

from typing import Literal, LiteralString

from psycopg import AsyncConnection
from psycopg.rows import DictRow

from memory import Pool, execute_statement

_LIST: LiteralString = (
    "SELECT jobs.id, jobs.task_name, jobs.attempts,"
    " COALESCE(jobs.args->>'team', split_part(jobs.args->>'thread', '.', 1), '-') AS team,"
    " (SELECT max(at) FROM procrastinate_events WHERE job_id = jobs.id) AS failed_at"
    " FROM procrastinate_jobs AS jobs WHERE jobs.status = 'failed' ORDER BY jobs.id DESC LIMIT %s"
)
_CHOSEN: LiteralString = "status = 'failed' AND (%(every)s OR id = ANY(%(ids)s::bigint[]))"
# Of several failed jobs with one queueing lock, the newest does what all would do; so does a job
# that waits already.
_RETRY: LiteralString = (
    "WITH newest AS ("
    " SELECT DISTINCT ON (COALESCE(queueing_lock, id::text)) id FROM procrastinate_jobs AS failed"
    f" WHERE {_CHOSEN} AND NOT EXISTS (SELECT FROM procrastinate_jobs AS other"
    "  WHERE other.status = 'todo' AND other.queueing_lock = failed.queueing_lock)"
    " ORDER BY COALESCE(queueing_lock, id::text), id DESC),"
    " waiting AS (UPDATE procrastinate_jobs SET status = 'todo', scheduled_at = NULL,"
    "  worker_id = NULL WHERE id IN (SELECT id FROM newest) RETURNING id),"
    f" covered AS (DELETE FROM procrastinate_jobs WHERE {_CHOSEN}"
    "  AND id NOT IN (SELECT id FROM newest) RETURNING id)"
    " SELECT (SELECT count(*) FROM waiting) AS changed, (SELECT count(*) FROM covered) AS covered"
)
_DROP: LiteralString = (
    f"WITH dropped AS (DELETE FROM procrastinate_jobs WHERE {_CHOSEN} RETURNING id)"
    " SELECT count(*) AS changed, 0 AS covered FROM dropped"
)
# Workers delete the successful ones.
_DELETE_OLD: LiteralString = (
    "DELETE FROM procrastinate_jobs AS jobs WHERE status NOT IN ('todo', 'doing') AND"
    " (SELECT max(at) FROM procrastinate_events WHERE job_id = jobs.id)"
    " < now() - interval '14 days'"
)


async def list_failed_jobs(pool: Pool, most: int) -> list[DictRow]:
    """Return the newest failed jobs: id, task_name, attempts, team ("-" for none), failed_at."""
    return await execute_statement(pool, _LIST, (most,))


async def change_failed_jobs(
    connection: AsyncConnection[DictRow],
    action: Literal["retry", "drop"],
    ids: list[int],
    *,
    every: bool,
) -> tuple[int, int]:
    """Let failed jobs run again, or delete them: those with `ids` or every one.

    Returns how many, and of a retry how many were deleted because another does the same work.
    """
    statement = _RETRY if action == "retry" else _DROP
    [row] = await (await connection.execute(statement, {"ids": ids, "every": every})).fetchall()
    return row["changed"], row["covered"]


async def delete_old_jobs(pool: Pool) -> None:
    """Delete the jobs that failed two weeks ago."""
    await execute_statement(pool, _DELETE_OLD)
