"""Gives the jobs of processes that died to others."""

from __future__ import annotations

import logging

from procrastinate import App, exceptions
from procrastinate.utils import utcnow

from memory import Pool
from memory.postgres import load_statements

log = logging.getLogger(__name__)

STALLED_SECONDS = 6.0
"""Seconds without a heartbeat after which a process is taken for dead."""
_SQL = load_statements("bot.queue", "queue")


async def recover_jobs(queue: App, pool: Pool) -> None:
    """Let the jobs of processes without a heartbeat run again.

    Nothing is done just after PostgreSQL has come back: while it was away, no process could send
    one.
    """
    # As the login: the application's role may not look at its connections.
    async with pool.connection() as connection:
        values = {"seconds": STALLED_SECONDS}
        found = await connection.execute(_SQL["connected_long_enough"], values)
        [connected] = await found.fetchall()
    if not connected["holds"]:
        return
    stalled = await queue.job_manager.get_stalled_jobs(seconds_since_heartbeat=STALLED_SECONDS)
    for job in stalled:
        if job.id is None:
            continue
        try:
            await queue.job_manager.retry_job_by_id_async(job.id, utcnow())
        except exceptions.ConnectorException:
            # Its process has ended it meanwhile.
            continue
        log.warning("job %d (%s) of a process that died runs again", job.id, job.task_name)
