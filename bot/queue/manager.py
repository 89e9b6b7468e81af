"""Procrastinate's job manager, which waits for PostgreSQL instead of failing.

A worker of procrastinate ends when one of its own statements fails, as all do during a restart of
PostgreSQL. It then waits for the jobs that run, and takes no others. And a job whose end could not
be stored stays in progress, with its lock, for ever. This manager is the one part of procrastinate
that is replaced: its statements are repeated until PostgreSQL answers.
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
from procrastinate.jobs import Job, Notification, Status
from procrastinate.utils import utcnow
from procrastinate.worker import Worker
from psycopg_pool import PoolClosed

from bot.logs import fault
from bot.queue.pulse import Pulse
from memory.postgres import is_unavailable, load_statements

log = logging.getLogger(__name__)

_PAUSE_SECONDS = 0.5
_SQL = load_statements("bot.queue", "queue")
_Result = TypeVar("_Result")


class PatientJobManager(manager.JobManager):
    """A job manager whose calls wait while PostgreSQL is unavailable, until `stopping` is set.

    Heartbeats are noted in `pulse`. A run ends its job only if no other run has begun since:
    procrastinate checks the job's status alone, and would end the run of another process.

    A job is aborted only after its run has begun, which `run_job` notes. procrastinate would also
    cancel a task before its first step: such a task runs nothing, and so does not end its job.
    """

    def __init__(
        self, connector: BaseConnector, pulse: Pulse, stopping: asyncio.Event
    ) -> None:
        super().__init__(connector)
        self._pulse = pulse
        self._stopping = stopping
        # The runs of this process: the ids of their jobs, and how often these ran before.
        self._running: set[tuple[int | None, int]] = set()
        # The ids of jobs whose runs have begun and not ended.
        self._begun: set[int | None] = set()
        self._workers: set[int] = set()

    async def register_worker(self) -> int:
        """Record a worker of this process; return its id.

        A worker that was cancelled before does not begin: `bot.cancellation` says how it may have
        lost that, and the process would wait for it.
        """
        worker_id = await super().register_worker()
        self._workers.add(worker_id)
        if self._stopping.is_set():
            await self.unregister_worker(worker_id)
            raise asyncio.CancelledError
        return worker_id

    async def unregister_worker(self, worker_id: int) -> None:
        """Delete the record of a worker that has ended."""
        self._workers.discard(worker_id)
        await super().unregister_worker(worker_id)

    async def beat_for_all(self) -> None:
        """Record that the workers of this process live, also while they end or start again."""
        workers = [*self._workers]
        for worker_id in workers:
            await self.update_heartbeat(worker_id)
        if workers:
            self._pulse.beat()

    async def fetch_job(
        self, queues: Iterable[str] | None, worker_id: int
    ) -> Job | None:
        """Take a job that is due; None if there is none, or if the process is stopping.

        There is none, too, if another worker takes a job with the same lock at this moment. After
        a lost connection, PostgreSQL may have given the worker a job that it does not know of. Such
        a job is looked for and taken.
        """
        if self._stopping.is_set():
            return None
        try:
            job = await super().fetch_job(queues, worker_id)
        except exceptions.UniqueViolation:
            return None
        except exceptions.ConnectorException as error:
            self._raise_unless_passing(error)
            await asyncio.sleep(_PAUSE_SECONDS)
            job = await self._call(partial(self._find_unheard, worker_id))
        if job is not None:
            self._running.add((job.id, job.attempts))
        return job

    async def run_job(
        self, call_next: Callable[[], Awaitable[Any]], context: JobContext, _: Worker
    ) -> Any:
        """Run a job, as a middleware of its worker; from now on it can be aborted."""
        self._begun.add(context.job.id)
        try:
            return await call_next()
        finally:
            self._begun.discard(context.job.id)

    async def list_jobs_to_abort_async(self, queue: str | None = None) -> Iterable[int]:
        """Return the jobs that have begun here and are to be aborted."""
        found = await super().list_jobs_to_abort_async(queue)
        return [job_id for job_id in found if job_id in self._begun]

    async def _find_unheard(self, worker_id: int) -> Job | None:
        """Return a job that its row assigns to the worker, but that the worker does not run."""
        found = await self.list_jobs_async(
            status=Status.DOING.value, worker_id=worker_id
        )
        for job in found:
            if (job.id, job.attempts) not in self._running:
                return job
        return None

    async def finish_job(self, job: Job, status: Status, delete_job: bool) -> None:
        """Store the end of a job, if no other run of it has begun."""
        await self._store_end(job, "finish", status=status.value, delete_job=delete_job)

    async def retry_job(
        self,
        job: Job,
        retry_at: datetime | None = None,
        priority: int | None = None,
        queue: str | None = None,
        lock: str | None = None,
    ) -> None:
        """Let a job wait again, if no other run of it has begun."""
        await self._store_end(
            job,
            "retry",
            retry_at=retry_at or utcnow(),
            priority=priority,
            queue=queue,
            lock=lock,
        )

    async def update_heartbeat(self, worker_id: int) -> None:
        """Record that a worker lives."""
        await self._call(partial(super().update_heartbeat, worker_id))

    async def defer_periodic_job(
        self, job: Job, periodic_id: str, defer_timestamp: int
    ) -> int | None:
        """Add a periodic job that is due, unless another worker has added it."""
        defer = partial(super().defer_periodic_job, job, periodic_id, defer_timestamp)
        return await self._call(defer)

    async def listen_for_jobs(
        self,
        *,
        on_notification: manager.NotificationCallback,
        queues: Iterable[str] | None = None,
    ) -> None:
        """Listen for new jobs, and for aborts, on another connection if one is lost.

        The abort of a job that has not begun is found by the next poll.
        """

        async def notify(*, channel: str, notification: Notification) -> None:
            is_abort = notification["type"] == "abort_job_requested"
            if not is_abort or notification["job_id"] in self._begun:
                await on_notification(channel=channel, notification=notification)

        listen = partial(super().listen_for_jobs, on_notification=notify, queues=queues)
        await self._call(listen)

    async def _store_end(self, job: Job, statement: str, **values: object) -> None:
        """Store the end of a run, however often that takes; a second time changes nothing."""
        store = partial(
            self.connector.execute_query_async,
            query=_SQL[statement],
            id=job.id,
            attempts=job.attempts,
            **values,
        )
        try:
            await self._call(store)
        finally:
            self._running.discard((job.id, job.attempts))

    async def _call(self, call: Callable[[], Awaitable[_Result]]) -> _Result:
        """Call until PostgreSQL answers."""
        while True:
            try:
                return await call()
            except exceptions.ConnectorException as error:
                self._raise_unless_passing(error)
            await asyncio.sleep(_PAUSE_SECONDS)

    def _raise_unless_passing(self, error: exceptions.ConnectorException) -> None:
        """Raise the error of a call, unless the call is to be repeated."""
        cause = error.__cause__
        closed = isinstance(cause, PoolClosed)
        if closed or self._stopping.is_set() or not is_unavailable(cause):
            raise error
        log.warning("the queue waits for PostgreSQL: %s", fault(error))
