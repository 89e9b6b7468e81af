"""Procrastinate's job manager, whose failed statements end no worker.

A worker of procrastinate ends when one of its own statements fails: it then waits for the jobs that
run, and takes no others. And it would end the run of another process, because it checks the job's
status alone. Nothing else of procrastinate is replaced. What PostgreSQL did not take is not
repeated: a job that was lost on its way, or whose end was, runs again (`Queue`).
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Iterable
from datetime import datetime
from functools import partial
from typing import Any, TypeVar

from procrastinate import JobContext, exceptions, manager
from procrastinate.connector import BaseConnector
from procrastinate.jobs import Job, Status
from procrastinate.utils import utcnow
from procrastinate.worker import Worker

from bot.logs import fault
from memory.postgres import load_statements

log = logging.getLogger(__name__)

_PAUSE_SECONDS = 0.5
_SQL = load_statements("bot.queue", "queue")
_Result = TypeVar("_Result")


class JobManager(manager.JobManager):
    """A job manager that knows which jobs are `running` in this process, by their ids.

    A job is running from the first step of its run, in `run_job`, until PostgreSQL was asked to
    store its end. One that PostgreSQL gave out without being heard is not, nor one that was aborted
    before its first step.
    """

    def __init__(self, connector: BaseConnector) -> None:
        super().__init__(connector)
        self.running: set[int | None] = set()

    async def run_job(
        self, call_next: Callable[[], Awaitable[Any]], context: JobContext, _: Worker
    ) -> Any:
        """Run a job, as a middleware of its worker."""
        self.running.add(context.job.id)
        return await call_next()

    async def fetch_job(
        self, queues: Iterable[str] | None, worker_id: int
    ) -> Job | None:
        """Take a job that is due; None if there is none, or PostgreSQL does not answer.

        There is none, too, if another worker takes a job with the same lock at this moment.
        """
        try:
            return await super().fetch_job(queues, worker_id)
        except exceptions.UniqueViolation:
            return None
        except exceptions.ConnectorException as error:
            log.warning("the queue waits for PostgreSQL: %s", fault(error))
            await asyncio.sleep(_PAUSE_SECONDS)
            return None

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
        query = _SQL[statement]
        try:
            await self.connector.execute_query_async(
                query, id=job.id, attempts=job.attempts, **values
            )
        except exceptions.ConnectorException as error:
            log.warning("job %s runs again, its end was lost: %s", job.id, fault(error))
        finally:
            self.running.discard(job.id)

    async def defer_periodic_job(
        self, job: Job, periodic_id: str, defer_timestamp: int
    ) -> int | None:
        """Add a periodic job that is due, unless another worker has added it."""
        defer = partial(super().defer_periodic_job, job, periodic_id, defer_timestamp)
        return await _until_answered(defer)

    async def listen_for_jobs(
        self,
        *,
        on_notification: manager.NotificationCallback,
        queues: Iterable[str] | None = None,
    ) -> None:
        """Listen for new jobs and for aborts, on another connection if one is lost."""
        listen = partial(
            super().listen_for_jobs, on_notification=on_notification, queues=queues
        )
        await _until_answered(listen)


async def _until_answered(call: Callable[[], Awaitable[_Result]]) -> _Result:
    """Call again and again until PostgreSQL answers."""
    while True:
        try:
            return await call()
        except exceptions.ConnectorException as error:
            log.warning("the queue waits for PostgreSQL: %s", fault(error))
            await asyncio.sleep(_PAUSE_SECONDS)
