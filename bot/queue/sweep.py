"""Heartbeats of the queue's workers, and the jobs of those that have none.

Each process runs it every two seconds; an advisory lock lets one process at a time change jobs.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import LiteralString

from memory import Pool
from memory.postgres import execute_statement, transaction

STALLED_SECONDS = 6.0
"""Seconds without a heartbeat after which a worker is taken for dead."""
ALONE_AFTER_CRASHES = 2
"""Crashes of a process with this message in progress after which it runs alone."""
MAX_CRASHES = 5
"""Crashes of a process with this message in progress after which it is given up."""
_SWEEP_LOCK = 0x6B696F6B75_01  # "kioku", 1
# Seconds of waiting, by crashes. If something else ends the processes, the message should not be in
# progress the next time, too.
_CRASH_WAITS = {MAX_CRASHES - 1: 10.0}

# A job whose worker died; the one that waits for the same lock, if any, will do its work.
_DEAD: LiteralString = (
    " status = 'doing' AND (worker_id IS NULL OR worker_id IN (SELECT id FROM procrastinate_workers"
    " WHERE last_heartbeat < now() - make_interval(secs => %(stalled)s)))"
)
_GIVE_WAY = (
    f"DELETE FROM procrastinate_jobs AS dead WHERE {_DEAD} AND EXISTS ("
    " SELECT FROM procrastinate_jobs AS waiting WHERE waiting.status = 'todo'"
    " AND waiting.queueing_lock = dead.queueing_lock)"
)
_GIVE_BACK = (
    "UPDATE procrastinate_jobs SET status = 'todo', attempts = attempts + 1, scheduled_at = now()"
    f" WHERE {_DEAD} AND NOT abort_requested RETURNING queue_name"
)
_WAKE = (
    "SELECT pg_notify('procrastinate_queue_v1#' || queue_name,"
    " json_build_object('type', 'job_inserted', 'job_id', 0)::text)"
    " FROM unnest(%s::text[]) AS queue_name"
)
_CRASHED = (
    "UPDATE procrastinate_jobs AS job SET alone = job.alone OR crashed.alone,"
    " scheduled_at = GREATEST(job.scheduled_at, now() + make_interval(secs => crashed.seconds))"
    " FROM unnest(%s::text[], %s::boolean[], %s::float8[]) AS crashed (lock, alone, seconds)"
    " WHERE job.lock = crashed.lock AND job.status = 'todo'"
)

# It reads the heartbeats as they were before.
_BEAT: LiteralString = (
    "WITH beaten AS (UPDATE procrastinate_workers SET last_heartbeat = now()"
    " WHERE id = ANY(%(workers)s::bigint[]))"
    f" SELECT EXISTS (SELECT FROM procrastinate_jobs WHERE {_DEAD}) AS dead,"
    " ARRAY(SELECT id FROM procrastinate_jobs WHERE status = 'doing'"
    " AND worker_id = ANY(%(workers)s::bigint[])) AS running"
)


async def beat(pool: Pool, workers: Sequence[int]) -> tuple[bool, list[int]]:
    """Record that the workers of this process are alive; return whether one died and left jobs.

    The second value is the jobs that run by these workers.
    """
    values = {"stalled": STALLED_SECONDS, "workers": list(workers)}
    [row] = await execute_statement(pool, _BEAT, values)
    return row["dead"], row["running"]


async def give_up_jobs(pool: Pool, jobs: Sequence[int]) -> None:
    """Leave running jobs to `free_stalled`: the process that took them does not know of them."""
    statement: LiteralString = (
        "UPDATE procrastinate_jobs SET worker_id = NULL WHERE id = ANY(%s) AND status = 'doing'"
    )
    await execute_statement(pool, statement, (list(jobs),))


async def free_stalled(pool: Pool) -> None:
    """Give back the jobs of workers that died.

    Messages they had in progress are charged with the crash first, see `count_crashes` in
    bot/schema.sql. One worker does so at a time: what another has just given back may run already.
    """
    parameters = {"stalled": STALLED_SECONDS}
    # This process tells that it lives between two calls: a lock of another delays that by 2 s.
    async with transaction(pool, wait=2.0) as connection:
        found = await connection.execute(
            f"SELECT pg_try_advisory_xact_lock({_SWEEP_LOCK}) AND EXISTS"
            f" (SELECT FROM procrastinate_jobs WHERE {_DEAD}) AS dead",
            parameters,
        )
        row = await found.fetchone()
        if not (row and row["dead"]):
            return
        counted = await connection.execute(
            "SELECT lock, crashes FROM count_crashes(%(stalled)s)", parameters
        )
        crashed = await counted.fetchall()
        await connection.execute(_GIVE_WAY, parameters)
        again = await connection.execute(_GIVE_BACK, parameters)
        queues = {job["queue_name"] for job in await again.fetchall()}
        alone = [one["crashes"] >= ALONE_AFTER_CRASHES for one in crashed]
        waits = [_CRASH_WAITS.get(one["crashes"], 0.0) for one in crashed]
        values = ([one["lock"] for one in crashed], alone, waits)
        await connection.execute(_CRASHED, values)
        await connection.execute(_WAKE, (list(queues),))
