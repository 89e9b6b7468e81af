"""The state of an installation: counts and ages of all people's messages and jobs, and no ids."""

from __future__ import annotations

from typing import Any, LiteralString

from memory import Pool
from memory.postgres import execute_statement

_ALIVE_SECONDS = 10
# Its queue's worker, and itself: see `bot.conversation.running`.
_ROWS_OF_PROCESS = 2
_STATE: LiteralString = (
    "SELECT state.*, current_setting('server_version') AS server,"
    " (SELECT count(*) / %s FROM procrastinate_workers"
    "  WHERE last_heartbeat > now() - make_interval(secs => %s)) AS processes,"
    " (SELECT count(*) FROM procrastinate_jobs WHERE status = 'todo'"
    "  AND (scheduled_at IS NULL OR scheduled_at <= now())) AS jobs_due,"
    " (SELECT COALESCE(extract(epoch FROM now() - min(scheduled_at)), 0)::float FROM"
    " procrastinate_jobs WHERE status = 'todo' AND scheduled_at <= now()) AS oldest_job_seconds,"
    " (SELECT count(*) FROM procrastinate_jobs WHERE status = 'todo' AND scheduled_at > now())"
    " AS jobs_later,"
    " (SELECT count(*) FROM procrastinate_jobs WHERE status = 'failed') AS jobs_failed"
    " FROM operating_state() AS state"
)


async def read_operating_state(pool: Pool, *, wait: float | None = None) -> dict[str, Any]:
    """Return the state as it is now: counts, ages of the oldest in seconds, the server's version.

    Raises `psycopg.OperationalError` where PostgreSQL does not answer within `wait` seconds.
    """
    [row] = await execute_statement(pool, _STATE, (_ROWS_OF_PROCESS, _ALIVE_SECONDS), wait=wait)
    return row
