"""Procrastinate's jobs: which one a worker takes, and how their end is stored."""

from __future__ import annotations

import asyncio
import logging
import time
from collections import defaultdict, deque
from collections.abc import Awaitable, Callable, Collection, Iterable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Any, LiteralString

import procrastinate
from procrastinate import exceptions
from procrastinate.connector import BaseConnector
from procrastinate.jobs import Job, Status
from psycopg_pool import PoolClosed

from bot.logs import fault
from memory.postgres import is_unavailable

log = logging.getLogger(__name__)


PERSON_AT_ONCE = 4
"""Jobs of one person that run at a time, in all processes together."""
ALONE_SECONDS = 120.0
"""Seconds for which at most a process starts no other job while one runs that is to run alone."""

_FIRST_PAUSE_SECONDS = 0.2
_LONGEST_PAUSE_SECONDS = 2.0
# A timer ends a moment after PostgreSQL's clock says that a job is due.
_TIMER_MARGIN_SECONDS = 0.02
# Time for the caller's transaction, which schedules the job, to be committed.
_COMMIT_SECONDS = 0.3
_LONGEST_TIMER_SECONDS = 86_400.0
_UNKNOWN_TIMES = 3
# procrastinate_fetch_job_v2, without jobs whose person has `PERSON_AT_ONCE` running. Two processes
# that fetch at the same moment may exceed that by one job.
_FETCH: LiteralString = (
    "WITH candidate AS (SELECT jobs.id FROM procrastinate_jobs AS jobs"
    "  WHERE jobs.status = 'todo' AND jobs.queue_name = ANY(%(queues)s)"
    "  AND (jobs.scheduled_at IS NULL OR jobs.scheduled_at <= now())"
    "  AND (jobs.person <> ALL(ARRAY(SELECT person FROM procrastinate_jobs"
    "   WHERE status = 'doing' AND person IS NOT NULL"
    "   GROUP BY person HAVING count(*) >= %(person_at_once)s))) IS NOT FALSE"
    "  AND NOT EXISTS (SELECT FROM procrastinate_jobs AS other WHERE jobs.lock IS NOT NULL"
    "   AND other.lock = jobs.lock AND (other.status = 'doing' OR (other.status = 'todo'"
    "   AND (other.priority > jobs.priority"
    "   OR (other.priority = jobs.priority AND other.id < jobs.id)))))"
    "  ORDER BY jobs.priority DESC, jobs.id LIMIT 1 FOR UPDATE OF jobs SKIP LOCKED)"
    " UPDATE procrastinate_jobs AS taken SET status = 'doing', worker_id = %(worker)s"
    " FROM candidate WHERE taken.id = candidate.id RETURNING taken.id, taken.status,"
    " taken.task_name, taken.priority, taken.lock, taken.queueing_lock, taken.args,"
    " taken.scheduled_at, taken.queue_name, taken.attempts, taken.worker_id, taken.alone,"
    " EXISTS (SELECT FROM procrastinate_jobs AS further WHERE further.status = 'todo'"
    "  AND further.queue_name = ANY(%(queues)s) AND further.id <> taken.id"
    "  AND (further.scheduled_at IS NULL OR further.scheduled_at <= now())) AS more"
)
# A worker that was taken for dead may end its job late, when the job waits again or another worker
# runs it.
_OWN: LiteralString = (
    " FROM procrastinate_jobs AS ended WHERE ended.id = %(job)s AND ended.status = 'doing'"
    " AND (ended.worker_id = %(worker)s OR ended.worker_id IS NULL)"
)
_RETRY: LiteralString = (
    "SELECT procrastinate_retry_job_v2(ended.id, COALESCE(%(at)s::timestamptz, now()),"
    f" %(priority)s, %(queue)s, %(next_lock)s){_OWN}"
)
# A job that waited for this one is announced on the channel that Procrastinate's workers listen to,
# as an inserted job is; otherwise it would wait for the next poll. Each condition is asked for by
# itself: no index serves all of them together.
_DUE: LiteralString = (
    "SELECT next.id, next.queue_name FROM procrastinate_jobs AS next WHERE next.status = 'todo'"
    " AND (next.scheduled_at IS NULL OR next.scheduled_at <= now())"
)
_FINISH_AND_WAKE: LiteralString = (
    "SELECT procrastinate_finish_job_v1(ended.id, %(status)s, %(delete)s),"
    " (SELECT pg_notify('procrastinate_queue_v1#' || due.queue_name,"
    " json_build_object('type', 'job_inserted', 'job_id', due.id)::text) FROM ("
    f"({_DUE} AND next.lock = ended.lock LIMIT 1)"
    f" UNION ALL ({_DUE} AND next.person = ended.person LIMIT 1)"
    f" UNION ALL ({_DUE} AND ended.alone LIMIT 1)) AS due LIMIT 1)"
    f"{_OWN}"
)


class Jobs(procrastinate.manager.JobManager):
    """Procrastinate's job manager with limits: takes jobs for this process, and stores their end.

    Taking: a job is taken only while its person has fewer than `PERSON_AT_ONCE` running jobs. While
    a job that is to run alone runs, this process takes no other.

    A job that a statement of this process stored as running, `run` hands to its worker at once.

    Ending: a failed job returns to the queue at once, so that it does not hold its lock. If another
    job of its lock waits already, it is deleted instead, because only one may wait. If PostgreSQL
    is unavailable, the end is stored again and again until `stopping` is set; after that another
    process frees the job.
    """

    def __init__(self, connector: BaseConnector, stopping: asyncio.Event) -> None:
        super().__init__(connector)
        self._stopping = stopping
        self._alone: int | None = None
        self._alone_until = 0.0
        self._listeners: dict[tuple[str, ...], Callable[..., Awaitable[None]]] = {}
        self._notified: defaultdict[tuple[str, ...], int] = defaultdict(int)
        self._exhausted: dict[tuple[str, ...], int] = {}
        self._empty_at: dict[tuple[str, ...], int] = {}
        self._timers: dict[int, asyncio.TimerHandle] = {}
        self._waking: set[asyncio.Task[None]] = set()
        self._workers: set[int] = set()
        self._worker_of: dict[tuple[str, ...], int] = {}
        self._places: dict[tuple[str, ...], int] = {}
        self._kept = 0
        self._handed: defaultdict[tuple[str, ...], deque[Job]] = defaultdict(deque)
        self._running: dict[int, tuple[str, ...]] = {}
        self._unknown: dict[int, int] = {}

    async def listen_for_jobs(
        self,
        *,
        on_notification: Callable[..., Awaitable[None]],
        queues: Iterable[str] | None = None,
    ) -> None:
        """Listen for new jobs, but not for those that a timer of this process waits for."""
        names = tuple(queues or ())
        self._listeners[names] = on_notification

        async def notified(*, channel: str, notification: Any) -> None:
            if notification.get("job_id") in self._timers:
                return
            self._notified[names] += 1
            await on_notification(channel=channel, notification=notification)

        await super().listen_for_jobs(on_notification=notified, queues=names)

    def wake_at(self, queue: str, seconds: float, job_id: int | None = None) -> None:
        """Let the workers of this process look for a job of `queue` in so many seconds."""
        if seconds > _LONGEST_TIMER_SECONDS:
            return
        delay = max(seconds, _COMMIT_SECONDS) + _TIMER_MARGIN_SECONDS
        timer = asyncio.get_running_loop().call_later(delay, self._wake, queue, job_id)
        if job_id is not None:
            if (earlier := self._timers.get(job_id)) is not None:
                earlier.cancel()
            self._timers[job_id] = timer

    def _wake(self, queue: str, job_id: int | None) -> None:
        self._timers.pop(job_id or 0, None)
        for names, on_notification in self._listeners.items():
            if queue in names:
                self._notified[names] += 1
                self._notify(on_notification)

    def _notify(self, on_notification: Callable[..., Awaitable[None]]) -> None:
        notification = {"type": "job_inserted", "job_id": 0}
        waking = asyncio.ensure_future(on_notification(channel="", notification=notification))
        self._waking.add(waking)
        waking.add_done_callback(self._waking.discard)

    def set_places(self, queues: Iterable[str], places: int) -> None:
        """Set how many jobs of `queues` this process runs at a time."""
        self._places[tuple(queues)] = places

    @contextmanager
    def place(self, queue: str) -> Iterator[int | None]:
        """Keep a place for a job of `queue`; yields the worker that runs it, None if none is free.

        The caller stores the job as running, with this worker, and gives it to `run`.
        """
        names = (queue,)
        used = self._kept + sum(running == names for running in self._running.values())
        free = used < self._places.get(names, 0) and not (self._stopping.is_set() or self._is_alone)
        worker = self._worker_of.get(names)
        self._kept += 1
        try:
            yield worker if free and worker in self._workers else None
        finally:
            self._kept -= 1

    def run(self, job: Job) -> None:
        """Let the worker of this process run a job that is stored as running by it."""
        names = (job.queue,)
        self._note_taken(job, names)
        self._handed[names].append(job)
        if names in self._listeners:
            self._notify(self._listeners[names])

    def lost_jobs(self, running: Collection[int]) -> list[int]:
        """Return those of the jobs `running` by this process's workers that it does not know of.

        PostgreSQL has stored that they run, but its answer was lost. The statement may still be
        under way, so only a job that is unknown for the third time is returned.
        """
        unknown = [job for job in running if job not in self._running]
        self._unknown = {job: self._unknown.get(job, 0) + 1 for job in unknown}
        return [job for job, times in self._unknown.items() if times >= _UNKNOWN_TIMES]

    @property
    def workers(self) -> list[int]:
        """The ids of the workers of this process."""
        return list(self._workers)

    @property
    def _is_alone(self) -> bool:
        return self._alone is not None and time.monotonic() < self._alone_until

    async def register_worker(self) -> int:
        """Register a worker of this process."""
        worker = await super().register_worker()
        self._workers.add(worker)
        return worker

    async def unregister_worker(self, worker_id: int) -> None:
        """Remove a worker of this process."""
        self._workers.discard(worker_id)
        await super().unregister_worker(worker_id)

    async def update_heartbeat(self, worker_id: int) -> None:
        """Do nothing: `bot.queue.sweep.beat` records the heartbeats of all workers at once."""

    async def list_jobs_to_abort_async(self, queue: str | None = None) -> Iterable[int]:
        """Return no jobs, and ask PostgreSQL for none: nothing requests an abort."""
        del queue
        return ()

    async def fetch_job(self, queues: Iterable[str] | None, worker_id: int) -> Job | None:
        """Take the next job that may be begun now; None where there is none.

        What is notified or handed over meanwhile counts: Procrastinate's worker would drop it.
        """
        names = tuple(queues or ())
        self._worker_of[names] = worker_id
        if (handed := self._next_handed(names)) is not None:
            return handed
        if self._exhausted.pop(names, None) == self._notified[names] and names in self._listeners:
            return None
        while True:
            notified = self._notified[names]
            job = await self._taken(list(names), worker_id) or self._next_handed(names)
            if job is not None:
                return job
            if notified == self._notified[names]:
                self._empty_at[names] = notified
                return None

    def _next_handed(self, names: tuple[str, ...]) -> Job | None:
        if not self._handed[names]:
            return None
        if self._empty_at.get(names) == self._notified[names]:
            self._exhausted[names] = self._notified[names]
        return self._handed[names].popleft()

    async def _taken(self, queues: list[str], worker_id: int) -> Job | None:
        names = tuple(queues)
        notified = self._notified[names]
        if self._is_alone:
            return None
        rows = await self.connector.execute_query_all_async(
            _FETCH,
            queues=queues,
            worker=worker_id,
            person_at_once=PERSON_AT_ONCE,
        )
        if not rows:
            return None
        [row] = rows
        if not row["more"]:
            self._exhausted[names] = self._empty_at[names] = notified
        if row["alone"]:
            self._alone, self._alone_until = row["id"], time.monotonic() + ALONE_SECONDS
        job = Job.from_row(row)
        self._note_taken(job, names)
        return job

    def _note_taken(self, job: Job, names: tuple[str, ...]) -> None:
        if job.id is not None:
            self._running[job.id] = names

    async def retry_job(
        self,
        job: Job,
        retry_at: datetime | None = None,
        priority: int | None = None,
        queue: str | None = None,
        lock: str | None = None,
    ) -> None:
        """Let the job wait again, or end it where another waits already."""
        values = {"at": retry_at, "priority": priority, "queue": queue, "next_lock": lock}
        try:
            await self._note(_RETRY, job, **values)
            if retry_at is not None:
                self.wake_at(job.queue, (retry_at - datetime.now(UTC)).total_seconds())
        except exceptions.UniqueViolation:
            # The one that waits will do this one's work.
            await self._note(_FINISH_AND_WAKE, job, status=Status.FAILED.value, delete=True)
        finally:
            self._over(job)

    async def finish_job(self, job: Job, status: Status, delete_job: bool) -> None:
        """Store the end of a job, and wake a worker for one that had to wait for it."""
        try:
            await self._note(_FINISH_AND_WAKE, job, status=status.value, delete=delete_job)
        finally:
            self._over(job)

    def _over(self, job: Job) -> None:
        self._running.pop(job.id or 0, None)
        if self._alone == job.id:
            self._alone = None

    async def _note(self, statement: LiteralString, job: Job, **values: object) -> None:
        pause = _FIRST_PAUSE_SECONDS
        while True:
            try:
                await self.connector.execute_query_async(
                    statement, job=job.id, worker=job.worker_id, **values
                )
            except exceptions.ConnectorException as error:
                closed = isinstance(error.__cause__, PoolClosed)
                if closed or not is_unavailable(error.__cause__) or self._stopping.is_set():
                    raise
                log.warning("the end of a job is noted again: %s", fault(error))
            else:
                return
            await asyncio.sleep(pause)
            pause = min(2 * pause, _LONGEST_PAUSE_SECONDS)
