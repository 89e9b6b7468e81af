"""Deletes the jobs of an erased person, and of a workspace that removed the app."""

from __future__ import annotations

from datetime import datetime

from psycopg import AsyncConnection
from psycopg.rows import DictRow

from memory import Person, Pool, execute_statement

_BATCH = 2_000


async def delete_jobs_of_person(connection: AsyncConnection[DictRow], person: Person) -> int:
    """Delete a person's jobs but the running ones; return how many.

    Jobs that answer a thread are kept, because a running one deletes the answer it began to post.
    They no longer name the person: a failed job is kept for two weeks.
    """
    gone = await connection.execute(
        "DELETE FROM procrastinate_jobs WHERE status <> 'doing' AND args->>'team' = %(team)s"
        " AND args->>'user' = %(user)s",
        person.ids,
    )
    await connection.execute(
        "UPDATE procrastinate_jobs SET person = NULL WHERE person = %(team)s || '.' || %(user)s",
        person.ids,
    )
    return gone.rowcount


async def delete_jobs_of_workspace(pool: Pool, team_id: str, before: datetime, *, kept: str) -> int:
    """Delete a workspace's older jobs but the running ones and those named `kept`; return how many.

    Some at a time, each time in a transaction of its own.
    """
    removed, total = _BATCH, 0
    while removed >= _BATCH:
        [row] = await execute_statement(
            pool,
            "WITH gone AS (DELETE FROM procrastinate_jobs WHERE id IN ("
            " SELECT jobs.id FROM procrastinate_jobs AS jobs WHERE jobs.status <> 'doing'"
            " AND jobs.task_name <> %(kept)s AND (jobs.args->>'team' = %(team)s"
            " OR starts_with(jobs.args->>'thread', %(team)s || '.'))"
            " AND COALESCE((SELECT min(event.at) FROM procrastinate_events AS event"
            " WHERE event.job_id = jobs.id) < %(before)s, true)"
            " LIMIT %(batch)s FOR UPDATE SKIP LOCKED) RETURNING id)"
            " SELECT count(*) AS count FROM gone",
            {"team": team_id, "before": before, "batch": _BATCH, "kept": kept},
        )
        removed = row["count"]
        total += removed
    return total
