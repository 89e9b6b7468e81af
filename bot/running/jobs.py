"""Procrastinate's jobs, as they are noted when PostgreSQL may be away."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable
from datetime import datetime

import procrastinate
from procrastinate import exceptions
from procrastinate.jobs import Job, Status
from psycopg_pool import PoolClosed

from bot.logs import fault
from memory import is_away

log = logging.getLogger(__name__)

_FIRST_PAUSE_SECONDS = 0.2
_LONGEST_PAUSE_SECONDS = 2.0
# The next of its lock is told on the channel that Procrastinate's workers listen to, as the
# insertion of a job is: else what was stored just as this job ended would wait for the next poll.
_FINISH_AND_WAKE = (
    "SELECT procrastinate_finish_job_v1(%(job)s, %(status)s, %(delete)s),"
    " (SELECT pg_notify('procrastinate_queue_v1#' || queue_name,"
    " json_build_object('type', 'job_inserted', 'job_id', id)::text)"
    " FROM procrastinate_jobs WHERE lock = %(lock)s AND status = 'todo'"
    " AND (scheduled_at IS NULL OR scheduled_at <= now()) LIMIT 1)"
)


class Jobs(procrastinate.manager.JobManager):
    """None is left as if it still ran, with its lock, until the worker ends.

    One that failed gives way to one that waits: at most one job of a queueing lock does, and
    Procrastinate would raise. The end of a job is noted however often PostgreSQL has to be asked,
    until the application is `stopping`: the next one frees the job.
    """

    stopping: asyncio.Event

    async def retry_job_by_id_async(
        self,
        job_id: int,
        retry_at: datetime,
        priority: int | None = None,
        queue: str | None = None,
        lock: str | None = None,
    ) -> None:
        """Let the job wait again, or go where another waits already."""
        again = super().retry_job_by_id_async
        try:
            await self._note(lambda: again(job_id, retry_at, priority, queue, lock))
        except exceptions.UniqueViolation:
            # The one that waits will do this one's work.
            await self.finish_job_by_id_async(job_id, status=Status.FAILED, delete_job=True)

    async def finish_job(self, job: Job, status: Status, delete_job: bool) -> None:
        """Note the end of a job, and wake a worker for the next one of its lock."""
        if not job.lock or self.stopping.is_set():
            await super().finish_job(job, status, delete_job)
            return
        values = {"job": job.id, "status": status.value, "delete": delete_job, "lock": job.lock}
        await self._note(lambda: self.connector.execute_query_async(_FINISH_AND_WAKE, **values))

    async def finish_job_by_id_async(self, job_id: int, status: Status, delete_job: bool) -> None:
        """Note the end of a job."""
        finish = super().finish_job_by_id_async
        await self._note(lambda: finish(job_id, status, delete_job))

    async def _note(self, write: Callable[[], Awaitable[None]]) -> None:
        pause = _FIRST_PAUSE_SECONDS
        while True:
            try:
                return await write()
            except exceptions.ConnectorException as error:
                closed = isinstance(error.__cause__, PoolClosed)
                if closed or not is_away(error.__cause__) or self.stopping.is_set():
                    raise
                log.warning("the end of a job is noted again: %s", fault(error))
            await asyncio.sleep(pause)
            pause = min(2 * pause, _LONGEST_PAUSE_SECONDS)
