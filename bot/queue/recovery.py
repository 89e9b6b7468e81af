"""Gives the jobs of processes that died to others."""

from __future__ import annotations

import logging

from procrastinate import App

from memory import Pool
from memory.postgres import execute_statement, fetch_rows, load_statements

log = logging.getLogger(__name__)

STALLED_SECONDS = 6.0
"""Seconds without a heartbeat after which a process is taken for dead."""
_SQL = load_statements("bot.queue", "queue")


async def recover_jobs(queue: App, pool: Pool) -> None:
    """Let the jobs of processes without a heartbeat run again.

    The statement that changes a job checks this again, because this process may have been suspended
    since it read the jobs. Nothing is done just after PostgreSQL has come back: while it was away,
    no process could send one.
    """
    # As the login: the application's role may not look at its connections.
    limit = {"seconds": STALLED_SECONDS}
    async with pool.connection() as connection:
        [connected] = await fetch_rows(connection, _SQL["connected_long_enough"], limit)
    if not connected["holds"]:
        return
    stalled = await queue.job_manager.get_stalled_jobs(
        seconds_since_heartbeat=STALLED_SECONDS
    )
    for job in stalled:
        values = {"id": job.id, "seconds": STALLED_SECONDS}
        if await execute_statement(pool, _SQL["recover"], values):
            log.warning(
                "job %d (%s) of a process that died runs again", job.id, job.task_name
            )
