"""Gives the jobs of processes that died to others."""

from __future__ import annotations

import logging

from memory import Pool
from memory.postgres import fetch_rows, load_statements

log = logging.getLogger(__name__)

STALLED_SECONDS = 6.0
"""Seconds without a heartbeat after which a process is taken for dead."""
_SQL = load_statements("bot.queue", "queue")


async def recover_jobs(pool: Pool) -> None:
    """Let the jobs of processes without a heartbeat run again."""
    # As the login: the application's role may not look at its connections.
    async with pool.connection() as connection:
        values = {"seconds": STALLED_SECONDS}
        for job in await fetch_rows(connection, _SQL["recover"], values):
            log.warning(
                "job %d (%s) of a process that died runs again",
                job["id"],
                job["task_name"],
            )
