"""What the workers look after every other second, one of them at a time."""

from __future__ import annotations

from psycopg import AsyncConnection
from psycopg.rows import DictRow

from memory import Pool, transaction

LATE_SECONDS = 60
# Of 0, where new jobs stand, and 1, where the oldest few do.
BEHIND = -1
_SWEEP_LOCK = 0x6B696F6B75_01  # "kioku", 1
# Every other second, by each worker: fewer than a worker begins, however slow its model is, so that
# something is left for who writes now.
_LATE_FIRST = 4

# A job whose worker died; the one that waits for the same lock, if any, will do its work.
_DEAD = (
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
    f" WHERE {_DEAD} AND NOT abort_requested RETURNING queue_name, id"
)
_WAKE = (
    "SELECT pg_notify('procrastinate_queue_v1#' || %(queue_name)s,"
    " json_build_object('type', 'job_inserted', 'job_id', %(id)s::bigint)::text)"
)

_WAITING = (
    " status = 'todo' AND queue_name = %(queue)s"
    " AND (scheduled_at IS NULL OR scheduled_at <= now())"
)
_STEP_BACK = (
    f"UPDATE procrastinate_jobs SET priority = {BEHIND} WHERE id IN ("
    " SELECT id FROM procrastinate_jobs AS late"
    f" WHERE {_WAITING} AND priority = 0 AND EXISTS (SELECT FROM procrastinate_events AS event"
    " WHERE event.job_id = late.id AND event.type = 'deferred'"
    " AND event.at < now() - make_interval(secs => %(late)s))"
    " ORDER BY id FOR UPDATE SKIP LOCKED)"
)
_STEP_UP = (
    "UPDATE procrastinate_jobs SET priority = 1 WHERE id IN ("
    f" SELECT id FROM procrastinate_jobs WHERE {_WAITING} AND priority = {BEHIND} ORDER BY id LIMIT"
    f" (SELECT GREATEST(0, %(first)s - count(*)) FROM procrastinate_jobs WHERE {_WAITING}"
    " AND priority = 1) FOR UPDATE SKIP LOCKED)"
)


async def free_stalled(pool: Pool, stalled_seconds: float) -> int:
    """Give back the jobs of workers that died; return how many there were.

    Only one worker does so at a time: what another has just given back may run again already.
    """
    async with transaction(pool) as connection:
        if not await _is_my_turn(connection):
            return 0
        parameters = {"stalled": stalled_seconds}
        gone = await connection.execute(_GIVE_WAY, parameters)
        again = await connection.execute(_GIVE_BACK, parameters)
        for job in await again.fetchall():
            await connection.execute(_WAKE, job)
        return gone.rowcount + again.rowcount


async def let_the_newest_through(pool: Pool, queue: str) -> None:
    """Let who writes now not wait behind all who wrote during an outage, nor the other way round.

    A job that has waited for a minute steps back behind those that have not; of those that
    stepped back the oldest few go ahead of all, so that they get their share however much comes.
    """
    parameters = {"queue": queue, "late": LATE_SECONDS, "first": _LATE_FIRST}
    async with transaction(pool) as connection:
        if await _is_my_turn(connection):
            await connection.execute(_STEP_BACK, parameters)
            await connection.execute(_STEP_UP, parameters)


async def _is_my_turn(connection: AsyncConnection[DictRow]) -> bool:
    found = await connection.execute("SELECT pg_try_advisory_xact_lock(%s) AS mine", (_SWEEP_LOCK,))
    row = await found.fetchone()
    return bool(row and row["mine"])
