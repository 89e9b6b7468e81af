"""Procrastinate's job manager, but for the end of a run.

Procrastinate compares the status of a job alone, and so a process that was suspended would end the
run of another one, which has begun the job again meanwhile.
"""

from __future__ import annotations

import asyncio
import logging
from datetime import datetime

from procrastinate import exceptions, manager
from procrastinate.jobs import Job, Status
from procrastinate.utils import utcnow

from bot.logs import fault
from memory.postgres import load_statements

log = logging.getLogger(__name__)

_PAUSE_SECONDS = 0.5
_SQL = load_statements("bot.queue", "queue")


class JobManager(manager.JobManager):
    """A job manager that ends a run by its number of attempts, which each run has of its own."""

    async def finish_job(self, job: Job, status: Status, delete_job: bool) -> None:
        """Store the end of a job, if no other run of it has begun."""
        await self._end(job, "finish", status=status.value, delete_job=delete_job)

    async def retry_job(
        self,
        job: Job,
        retry_at: datetime | None = None,
        priority: int | None = None,
        queue: str | None = None,
        lock: str | None = None,
    ) -> None:
        """Let a job wait again, if no other run of it has begun."""
        at = retry_at or utcnow()
        await self._end(
            job, "retry", retry_at=at, priority=priority, queue=queue, lock=lock
        )

    async def _end(self, job: Job, statement: str, **values: object) -> None:
        """End a run; until PostgreSQL answers, it is asked again, which changes nothing more."""
        query = _SQL[statement]
        while True:
            try:
                await self.connector.execute_query_async(
                    query, id=job.id, attempts=job.attempts, **values
                )
            except exceptions.ConnectorException as error:
                log.warning(
                    "the end of job %s was not stored: %s", job.id, fault(error)
                )
                await asyncio.sleep(_PAUSE_SECONDS)
            else:
                return
