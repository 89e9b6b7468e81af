"""The queue of later work: procrastinate on the application's own PostgreSQL and pool.

Messages are answered without it: see `bot.conversation.running`. A newer procrastinate needs its
own migrations as files of ``bot/migrations``. Source:
https://procrastinate.readthedocs.io/en/stable/howto/production/migrations.html
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import Awaitable, Callable, Mapping
from functools import partial
from typing import Any, LiteralString

import procrastinate
from procrastinate import exceptions
from procrastinate.jobs import Job, Status
from procrastinate.retry import RetryStrategy
from procrastinate.schema import SchemaManager
from psycopg import AsyncConnection
from psycopg.rows import DictRow
from psycopg.types.json import Jsonb
from psycopg_pool import PoolClosed

from bot.logs import fault
from memory import Pool
from memory.postgres import Migration, execute_statement, is_unavailable, packaged_migrations

log = logging.getLogger(__name__)

QUEUE_ROLE = "kioku_queue"
"""The role that may use the queue's tables, as kioku_app may. The login inherits it: procrastinate
sets no role."""
REPLIES = "replies"
"""Jobs whose result a person waits for: each begins before any job of `BACKGROUND`."""
BACKGROUND = "background"
# Jobs are announced, and `beat` in bot/schema.sql announces them again when they become due.
_POLL_SECONDS = 30.0
_HEARTBEAT_SECONDS = 5.0  # `beat` takes a worker without one for 15 seconds for dead
_PATIENCE_SECONDS = 3.0  # that running jobs get to end when the queue is stopped
_PAUSE_SECONDS = 0.5
_NEVER_SECONDS = 86_400.0
_RETRY_SECONDS = 60.0
# One statement and no savepoint, in place of procrastinate's function and its exception. A job that
# waits already is held until the caller commits: its worker sees what the caller stored.
_COLUMNS: LiteralString = "queue_name, priority, task_name, lock, queueing_lock, args, scheduled_at"
_PRIORITY: LiteralString = "CASE WHEN %(queue)s::text = 'replies' THEN 1 ELSE 0 END"
_ON_CONFLICT: LiteralString = "ON CONFLICT (queueing_lock) WHERE status = 'todo' DO UPDATE"
_ANNOUNCE: LiteralString = (
    "pg_notify('procrastinate_any_queue_v1',"
    " json_build_object('type', 'job_inserted', 'job_id', 0)::text)"
)
# The trigger announces what is inserted. A worker that was notified of a waiting job while this
# transaction held it has skipped it, and must be notified again.
_DEFER: LiteralString = (
    f"INSERT INTO procrastinate_jobs AS job ({_COLUMNS})"
    f" SELECT %(queue)s::text, {_PRIORITY}, %(name)s, lock, lock, arguments,"
    " CASE WHEN %(delay)s + %(spacing)s > 0 THEN clock_timestamp()"
    " + make_interval(secs => %(delay)s + %(spacing)s * number) END"
    " FROM unnest(%(locks)s::text[], %(arguments)s::jsonb[]) WITH ORDINALITY"
    f" AS new (lock, arguments, number) {_ON_CONFLICT} SET scheduled_at = job.scheduled_at"
    " RETURNING xmax = 0 AS added, CASE WHEN xmax <> 0"
    f" AND (job.scheduled_at IS NULL OR job.scheduled_at <= now()) THEN {_ANNOUNCE} END"
)
DELETE_WAITING: LiteralString = (
    "DELETE FROM procrastinate_jobs WHERE queueing_lock = %(lock)s AND status = 'todo'"
)
"""Deletes the job that waits with this lock, at the end of another statement."""
_DUE: LiteralString = (
    "CASE WHEN job.attempts > 0"
    " THEN LEAST(job.scheduled_at, now() + make_interval(secs => %(retry)s))"
    " ELSE LEAST(now() + make_interval(secs => %(delay)s), GREATEST(now(),"
    " (SELECT min(at) FROM procrastinate_events WHERE job_id = job.id AND type = 'deferred')"
    " + make_interval(secs => %(at_most)s))) END"
)
_DEBOUNCE: LiteralString = (
    f"INSERT INTO procrastinate_jobs AS job ({_COLUMNS})"
    f" VALUES (%(queue)s::text, {_PRIORITY}, %(name)s, %(lock)s, %(lock)s, %(arguments)s::jsonb,"
    " CASE WHEN %(delay)s > 0"
    f" THEN clock_timestamp() + make_interval(secs => %(delay)s) END) {_ON_CONFLICT}"
    f" SET scheduled_at = {_DUE} WHERE job.scheduled_at IS NULL OR {_DUE} NOT BETWEEN"
    " job.scheduled_at AND job.scheduled_at + make_interval(secs => %(delay)s::float8 / 4)"
)


def migrations() -> list[Migration]:
    """Return the schema steps of the bot: the queue's own, then ours."""
    queue = Migration("procrastinate/3.10", SchemaManager.get_schema())
    return [queue, *packaged_migrations("bot", roles=[QUEUE_ROLE])]


class _Jobs(procrastinate.manager.JobManager):
    """Procrastinate's job manager, which stores the end of a job also after an outage.

    If PostgreSQL is unavailable, the end is stored again and again until `stopping` is set. A
    failed job whose lock another one waits for is deleted, because only one may wait.
    """

    def __init__(self, connector: procrastinate.PsycopgConnector, stopping: asyncio.Event) -> None:
        super().__init__(connector)
        self._stopping = stopping

    async def retry_job(self, job: Job, *args: Any, **kwargs: Any) -> None:
        """Let the job wait again, or end it where another waits already."""
        try:
            await self._stored(partial(super().retry_job, job, *args, **kwargs))
        except exceptions.UniqueViolation:
            # The one that waits will do this one's work.
            await self.finish_job(job, Status.FAILED, delete_job=True)

    async def finish_job(self, job: Job, status: Status, delete_job: bool) -> None:
        """Store the end of a job."""
        await self._stored(partial(super().finish_job, job, status, delete_job))

    async def _stored(self, store: Callable[[], Awaitable[None]]) -> None:
        while True:
            try:
                return await store()
            except exceptions.ConnectorException as error:
                closed = isinstance(error.__cause__, PoolClosed)
                if closed or not is_unavailable(error.__cause__) or self._stopping.is_set():
                    raise
                log.warning("the end of a job is noted again: %s", fault(error))
            await asyncio.sleep(_PAUSE_SECONDS)


class Queue:
    """Deferring and running jobs. Arguments of jobs are opaque ids only."""

    def __init__(self, pool: Pool) -> None:
        self.pool = pool
        connector = procrastinate.PsycopgConnector()
        self.app = procrastinate.App(connector=connector)
        self._stopping = asyncio.Event()
        self.app.job_manager = _Jobs(connector, self._stopping)
        self._running: asyncio.Task[None] | None = None

    async def open(self) -> None:
        """Share the application's pool with procrastinate."""
        await self.app.open_async(self.pool)

    def register(
        self,
        name: str,
        queue: str,
        work: Callable[..., Awaitable[None]],
        *,
        retry: RetryStrategy | None = None,
    ) -> None:
        """Register `work` for jobs named `name`; without `retry` the first failure is the last."""
        self.app.task(name=name, queue=queue, retry=retry or False)(work)

    def repeat(self, name: str, work: Callable[[int], Awaitable[None]], *, cron: str) -> None:
        """Register `work` as a job on the schedule `cron`; it is called with the time it was due.

        It runs once, however many workers there are, and never twice at a time.
        """
        task = self.app.task(name=name, queue=REPLIES, lock=name, queueing_lock=name)(work)
        self.app.periodic(cron=cron)(task)

    async def defer(
        self,
        where: AsyncConnection[DictRow] | Pool,
        name: str,
        jobs: Mapping[str, Mapping[str, str]],
        *,
        queue: str,
        delay: float = 0.0,
        spacing: float = 0.0,
    ) -> int:
        """Add jobs, arguments by lock, in one statement; return how many none was waiting for yet.

        On a connection within the caller's transaction, on a pool as a transaction of its own. The
        n-th job may begin after `delay` and n times `spacing` seconds. Jobs of one lock run one at
        a time, and at most one of them waits. Workers must know `name`; this process need not.
        """
        values = {
            "name": name,
            "queue": queue,
            "locks": list(jobs),
            "arguments": [Jsonb(dict(arguments)) for arguments in jobs.values()],
            "delay": delay,
            "spacing": spacing,
        }
        if not jobs:
            return 0
        if isinstance(where, Pool):
            rows = await execute_statement(where, _DEFER, values)
        else:
            rows = await (await where.execute(_DEFER, values)).fetchall()
        return sum(row["added"] for row in rows)

    async def debounce(
        self,
        connection: AsyncConnection[DictRow],
        name: str,
        *,
        queue: str,
        lock: str,
        delay: float,
        at_most: float,
        **arguments: str,
    ) -> None:
        """Let one job of `lock` run after `delay` seconds of quiet, `at_most` after it was added.

        A waiting one is postponed, to within a quarter of `delay`. One that has failed is tried
        again within a minute: what it failed for may be over. The job sees what the caller's
        transaction commits.
        """
        values: dict[str, Any] = {
            "name": name,
            "queue": queue,
            "lock": lock,
            "delay": delay,
            "at_most": at_most,
            "retry": _RETRY_SECONDS,
            "arguments": Jsonb(arguments),
        }
        await connection.execute(_DEBOUNCE, values, prepare=True)

    def start(self, *, at_once: int, poll_seconds: float = _POLL_SECONDS) -> None:
        """Work on at most `at_once` jobs at a time."""
        self._running = asyncio.create_task(self._work(at_once, poll_seconds), name="queue")

    async def stop(self) -> None:
        """Take no more jobs; let running ones end, or hand them back after three seconds."""
        self._stopping.set()
        if (running := self._running) is not None:
            self._running = None
            running.cancel()
            # Without PostgreSQL it waits for the ends of jobs to be stored.
            await asyncio.wait({running}, timeout=2 * _PATIENCE_SECONDS)

    async def _work(self, at_once: int, poll_seconds: float) -> None:
        # A fault in one of procrastinate's side tasks ends its worker: start it again.
        while not self._stopping.is_set():
            try:
                await self.app.run_worker_async(
                    concurrency=at_once,
                    fetch_job_polling_interval=poll_seconds,
                    abort_job_polling_interval=_NEVER_SECONDS,
                    shutdown_graceful_timeout=_PATIENCE_SECONDS,
                    update_heartbeat_interval=_HEARTBEAT_SECONDS,
                    install_signal_handlers=False,
                    delete_jobs="successful",
                )
            except Exception as error:  # noqa: BLE001 - whatever it was, work goes on
                log.warning("the queue's worker stopped and starts again: %s", fault(error))
                with contextlib.suppress(TimeoutError):
                    await asyncio.wait_for(self._stopping.wait(), _PAUSE_SECONDS)
