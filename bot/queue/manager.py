"""Procrastinate's job manager, which waits for PostgreSQL instead of failing.

A worker of procrastinate ends when one of its own statements fails, as all do during a restart of
PostgreSQL. It then waits for the jobs that run, and takes no others. And a job whose end could not
be stored stays in progress, with its lock, for ever. This manager is the one part of procrastinate
that is replaced: its statements are repeated until PostgreSQL answers.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable, Iterable
from datetime import datetime
from functools import partial
from typing import TypeVar

from procrastinate import exceptions, manager
from procrastinate.connector import BaseConnector
from procrastinate.jobs import Job, Status
from psycopg_pool import PoolClosed

from bot.logs import fault
from bot.queue.pulse import Pulse
from memory.postgres import is_unavailable

log = logging.getLogger(__name__)

_PAUSE_SECONDS = 0.5
_Result = TypeVar("_Result")


class PatientJobManager(manager.JobManager):
    """A job manager whose calls wait while PostgreSQL is unavailable, until `stopping` is set.

    Each heartbeat is noted in `pulse`. A job that another process has taken over is not ended:
    procrastinate checks only the job's status, and would end the other process's run.
    """

    def __init__(self, connector: BaseConnector, pulse: Pulse, stopping: asyncio.Event) -> None:
        super().__init__(connector)
        self._pulse = pulse
        self._stopping = stopping
        self._fetched_at: dict[int, float] = {}
        self._workers: set[int] = set()

    async def register_worker(self) -> int:
        """Record a worker of this process; return its id."""
        worker_id = await super().register_worker()
        self._workers.add(worker_id)
        return worker_id

    async def unregister_worker(self, worker_id: int) -> None:
        """Delete the record of a worker that has ended."""
        self._workers.discard(worker_id)
        await super().unregister_worker(worker_id)

    async def beat_for_all(self) -> None:
        """Record that the workers of this process live, also while they end."""
        for worker_id in [*self._workers]:
            await self.update_heartbeat(worker_id)

    async def fetch_job(self, queues: Iterable[str] | None, worker_id: int) -> Job | None:
        """Take a job that is due; None if there is none, or if the process is stopping.

        After a lost connection, PostgreSQL may have given the worker a job that it does not know
        of. Such a job is looked for and taken.
        """
        if self._stopping.is_set():
            return None
        try:
            job = await super().fetch_job(queues, worker_id)
        except exceptions.ConnectorException as error:
            self._raise_unless_passing(error)
            await asyncio.sleep(_PAUSE_SECONDS)
            job = await self._call(partial(self._find_unheard, worker_id))
        if job is not None and job.id is not None:
            self._fetched_at[job.id] = time.monotonic()
        return job

    async def _find_unheard(self, worker_id: int) -> Job | None:
        """Return a job that its row assigns to the worker, but that the worker does not run."""
        found = await self.list_jobs_async(status=Status.DOING.value, worker_id=worker_id)
        return next((job for job in found if job.id not in self._fetched_at), None)

    async def finish_job(self, job: Job, status: Status, delete_job: bool) -> None:
        """Store the end of a job, if it is still this process's."""
        await self._store_end(job, partial(super().finish_job, job, status, delete_job))

    async def retry_job(
        self,
        job: Job,
        retry_at: datetime | None = None,
        priority: int | None = None,
        queue: str | None = None,
        lock: str | None = None,
    ) -> None:
        """Let a job wait again, if it is still this process's."""
        retry = partial(super().retry_job, job, retry_at, priority, queue, lock)
        await self._store_end(job, retry)

    async def update_heartbeat(self, worker_id: int) -> None:
        """Record that a worker lives."""
        await self._call(partial(super().update_heartbeat, worker_id))
        self._pulse.beat()

    async def defer_periodic_job(
        self, job: Job, periodic_id: str, defer_timestamp: int
    ) -> int | None:
        """Add a periodic job that is due, once for all processes."""
        defer = partial(super().defer_periodic_job, job, periodic_id, defer_timestamp)
        return await self._call(defer)

    async def listen_for_jobs(
        self,
        *,
        on_notification: manager.NotificationCallback,
        queues: Iterable[str] | None = None,
    ) -> None:
        """Listen for new jobs, on another connection if one is lost."""
        listen = partial(super().listen_for_jobs, on_notification=on_notification, queues=queues)
        await self._call(listen)

    async def _store_end(self, job: Job, store: Callable[[], Awaitable[None]]) -> None:
        """Store the end of a job, however often that takes, unless the job is no longer ours."""
        fetched_at = self._fetched_at.get(job.id or 0, 0.0)
        is_certain = self._pulse.unbroken_since() <= fetched_at
        try:
            while is_certain or await self._call(partial(self._is_ours, job)):
                try:
                    await store()
                except exceptions.ConnectorException as error:
                    self._raise_unless_passing(error)
                else:
                    return
                # PostgreSQL may have stored it before the connection was lost.
                is_certain = False
                await asyncio.sleep(_PAUSE_SECONDS)
        finally:
            self._fetched_at.pop(job.id or 0, None)

    async def _is_ours(self, job: Job) -> bool:
        """Return whether this process's worker still has the job."""
        found = await self.list_jobs_async(id=job.id, status=Status.DOING.value)
        return any(one.worker_id == job.worker_id for one in found)

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
