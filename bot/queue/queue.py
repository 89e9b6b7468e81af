"""The work queue: procrastinate on the application's own PostgreSQL and pool."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any, LiteralString

import procrastinate
from procrastinate.jobs import Job
from procrastinate.retry import BaseRetryStrategy, RetryDecision
from psycopg import AsyncConnection
from psycopg.rows import DictRow
from psycopg.types.json import Jsonb

from bot.logs import fault
from bot.queue.jobs import PERSON_AT_ONCE, Jobs
from bot.queue.sweep import STALLED_SECONDS, beat, free_stalled, give_up_jobs
from memory import Pool
from memory.postgres import execute_statement

log = logging.getLogger(__name__)

REPLIES = "replies"
BACKGROUND = "background"
UPKEEP = "upkeep"
_HEARTBEAT_SECONDS = 2.0
_HAND_BACK_SECONDS = 3.0
# Jobs are announced, or a timer waits for them; polling finds what an ended process had scheduled.
_POLL_SECONDS = 5.0
_BREAK_OFF_SECONDS = 1.0
_PATIENCE_SECONDS = 25.0  # that running jobs get to end when the queue is stopped
_BACKGROUND_PATIENCE_SECONDS = 3.0
_FIRST_PAUSE_SECONDS = 0.1
_LONGEST_PAUSE_SECONDS = 2.0
WORKERS = 2
"""Workers of each process: one of replies, one of everything else."""
# One statement and no savepoint, in place of procrastinate's function and its exception. A job that
# waits already is held until the caller commits: its worker sees what the caller stored.
_COLUMNS: LiteralString = (
    "queue_name, task_name, lock, queueing_lock, args, person, alone, scheduled_at"
)
_VALUES: LiteralString = (
    "%(queue)s, %(name)s, %(lock)s, %(lock)s, %(arguments)s::jsonb,"
    " %(person)s, %(alone)s::boolean, CASE WHEN %(delay)s > 0"
    " THEN clock_timestamp() + make_interval(secs => %(delay)s) END"
)
_ON_CONFLICT: LiteralString = "ON CONFLICT (queueing_lock) WHERE status = 'todo' DO UPDATE"
_RUN_ALONE: LiteralString = "SET alone = job.alone OR excluded.alone"
_ANNOUNCE: LiteralString = (
    "pg_notify('procrastinate_queue_v1#' || queue_name,"
    " json_build_object('type', 'job_inserted', 'job_id', 0)::text)"
)
# The trigger announces what is inserted. A worker that was notified of a waiting job while this
# transaction held it has skipped it, and must be notified again.
_IS_DUE: LiteralString = "(job.scheduled_at IS NULL OR job.scheduled_at <= now())"
_DEFER: LiteralString = (
    f"INSERT INTO procrastinate_jobs AS job ({_COLUMNS})"
    " SELECT %(queue)s, %(name)s, lock, lock, arguments, %(person)s, %(alone)s::boolean,"
    " CASE WHEN %(delay)s + %(spacing)s > 0 THEN clock_timestamp()"
    " + make_interval(secs => %(delay)s + %(spacing)s * number) END"
    " FROM unnest(%(locks)s::text[], %(arguments)s::jsonb[]) WITH ORDINALITY"
    f" AS new (lock, arguments, number) {_ON_CONFLICT} {_RUN_ALONE},"
    " scheduled_at = CASE WHEN %(reschedule)s"
    " THEN now() + make_interval(secs => %(delay)s) ELSE job.scheduled_at END"
    " RETURNING xmax = 0 AS added, job.id,"
    f" CASE WHEN xmax <> 0 AND (%(reschedule)s OR {_IS_DUE}) THEN {_ANNOUNCE} END"
)
HAS_PLACE: LiteralString = (
    "(%(worker)s::bigint IS NOT NULL AND NOT EXISTS (SELECT FROM procrastinate_jobs"
    " WHERE queueing_lock = %(lock)s AND status = 'todo')"
    " AND NOT EXISTS (SELECT FROM procrastinate_jobs WHERE lock = %(lock)s AND status = 'doing')"
    " AND (SELECT count(*) FROM procrastinate_jobs"
    f" WHERE status = 'doing' AND person = %(person)s) < {PERSON_AT_ONCE})"
)
"""Condition: a job may begin: no other of its lock waits or runs, and few of its person run."""
BEGIN_OR_DEFER_FROM: LiteralString = (
    f"INSERT INTO procrastinate_jobs AS job ({_COLUMNS}, status, worker_id) SELECT {_VALUES},"
    " (CASE WHEN begins THEN 'doing' ELSE 'todo' END)::procrastinate_job_status,"
    " CASE WHEN begins THEN %(worker)s::bigint END FROM stored"
    f" {_ON_CONFLICT} {_RUN_ALONE}"
    f" RETURNING CASE WHEN xmax <> 0 AND {_IS_DUE} THEN {_ANNOUNCE} END, id"
)
"""Adds a job if the query ``stored`` of the same statement has a row: running if it `begins`."""
DELETE_WAITING: LiteralString = (
    "DELETE FROM procrastinate_jobs WHERE queueing_lock = %(lock)s AND status = 'todo'"
)
"""Deletes the job that waits with this lock, at the end of another statement."""
_DUE: LiteralString = (
    "CASE WHEN job.attempts > 0 THEN job.scheduled_at"
    " ELSE LEAST(now() + make_interval(secs => %(delay)s), GREATEST(now(),"
    " (SELECT min(at) FROM procrastinate_events WHERE job_id = job.id AND type = 'deferred')"
    " + make_interval(secs => %(at_most)s))) END"
)
_DEBOUNCE: LiteralString = (
    f"INSERT INTO procrastinate_jobs AS job ({_COLUMNS}) VALUES ({_VALUES}) {_ON_CONFLICT}"
    f" SET scheduled_at = {_DUE} WHERE job.scheduled_at IS NULL OR {_DUE} NOT BETWEEN"
    " job.scheduled_at AND job.scheduled_at + make_interval(secs => %(delay)s::float8 / 4)"
    " RETURNING job.id, extract(epoch FROM job.scheduled_at - clock_timestamp())::float8 AS due_in"
)
_HURRY: LiteralString = (
    "WITH moved AS (UPDATE procrastinate_jobs SET scheduled_at = now() WHERE task_name = %s"
    " AND status = 'todo' AND scheduled_at > now() AND NOT alone RETURNING queue_name)"
    f" SELECT queue_name, {_ANNOUNCE} FROM moved GROUP BY queue_name"
)
_ANY_JOB = '{"type": "job_inserted", "job_id": 0}'


class _Waits(BaseRetryStrategy):
    """Retries after each of these seconds in turn, then no more."""

    def __init__(self, seconds: Sequence[int]) -> None:
        self._seconds = tuple(seconds)

    def get_retry_decision(self, *, exception: BaseException, job: Job) -> RetryDecision | None:
        del exception
        if job.attempts >= len(self._seconds):
            return None
        return RetryDecision(retry_in={"seconds": self._seconds[job.attempts]})


class _Connector(procrastinate.PsycopgConnector):
    """Procrastinate's connector, which also announces what came before it listened."""

    async def _loop_notify(self, on_notification: Any, connection: Any, **more: Any) -> None:
        await on_notification(channel="", payload=_ANY_JOB)
        await super()._loop_notify(on_notification, connection, **more)


class Queue:
    """Deferring and running jobs. Arguments of jobs are opaque ids only."""

    def __init__(self, pool: Pool) -> None:
        self.pool = pool
        self.app = procrastinate.App(connector=_Connector())
        self._running: list[asyncio.Task[None]] = []
        self._sweeping: asyncio.Task[None] | None = None
        self._stopping = asyncio.Event()
        self.jobs = Jobs(self.app.connector, self._stopping)
        self.app.job_manager = self.jobs
        self._patience = self._stop_by = 0.0

    async def open(self) -> None:
        """Share the application's pool with procrastinate."""
        await self.app.open_async(self.pool)

    def register(
        self,
        name: str,
        queue: str,
        work: Callable[..., Awaitable[None]],
        *,
        waits: Sequence[int] = (),
    ) -> None:
        """Register `work` for jobs named `name`.

        The n-th failure is retried after `waits[n-1]` seconds; then the job fails.
        """
        self.app.task(name=name, queue=queue, retry=_Waits(waits))(work)

    def repeat(
        self, name: str, queue: str, work: Callable[[int], Awaitable[None]], *, cron: str
    ) -> None:
        """Register `work` as a job on the schedule `cron`; it is called with the time it was due.

        It runs once, however many workers there are, and never twice at a time.
        """
        task = self.app.task(name=name, queue=queue, lock=name, queueing_lock=name)(work)
        self.app.periodic(cron=cron)(task)

    async def defer(
        self,
        where: AsyncConnection[DictRow] | Pool,
        name: str,
        *,
        queue: str,
        lock: str,
        delay: float = 0.0,
        person: str | None = None,
        alone: bool = False,
        reschedule: bool = False,
        **arguments: str,
    ) -> bool:
        """Add a job, and return whether it was; False when one is waiting already.

        On a connection within the caller's transaction, on a pool as a transaction of its own. With
        `reschedule` a job that waits then waits `delay` seconds from now.

        Jobs of one `lock` run one at a time, and at most one of them waits. Workers of `queue` must
        know `name`; this process need not. Of one `person`, `PERSON_AT_ONCE` jobs run at a time.
        While a job runs that is to run `alone`, its process starts no other. A job that waits
        already keeps its person, but runs alone if this one is to.
        """
        values = {
            "name": name,
            "queue": queue,
            "locks": [lock],
            "arguments": [Jsonb(arguments)],
            "delay": delay,
            "spacing": 0.0,
            "person": person,
            "alone": alone,
            "reschedule": reschedule,
        }
        [row] = await _execute(where, _DEFER, values)
        if delay and row["added"]:
            self.jobs.wake_at(queue, delay, row["id"])
        if reschedule and not row["added"]:
            self.jobs.wake_at(queue, delay)
        return bool(row["added"])

    async def defer_each(
        self,
        where: AsyncConnection[DictRow] | Pool,
        name: str,
        jobs: Mapping[str, Mapping[str, str]],
        *,
        queue: str,
        spacing: float = 0.0,
    ) -> None:
        """Add many jobs, arguments by lock, as `defer` does: in one statement.

        The n-th may begin after n times `spacing` seconds.
        """
        if not jobs:
            return
        values = {
            "name": name,
            "queue": queue,
            "locks": list(jobs),
            "arguments": [Jsonb(dict(arguments)) for arguments in jobs.values()],
            "delay": 0.0,
            "spacing": spacing,
            "person": None,
            "alone": False,
            "reschedule": False,
        }
        await _execute(where, _DEFER, values)

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
        """Let one job of `lock` run after `delay` seconds of quiet, but `at_most` after the first.

        A waiting one is postponed, to within a quarter of `delay`. One that has failed keeps
        its time: more words are no reason for more attempts. The job sees what the caller's
        transaction commits.
        """
        values = job_values(name, queue=queue, lock=lock, arguments=arguments, delay=delay)
        scheduled = await connection.execute(
            _DEBOUNCE, {**values, "at_most": at_most}, prepare=True
        )
        row = await scheduled.fetchone()
        if row is not None and row["due_in"] is not None:
            self.jobs.wake_at(queue, row["due_in"], row["id"])

    def run(self, number: int, worker: int, values: Mapping[str, Any]) -> None:
        """Run the job `number` at once, which is stored as running by `worker` of this process.

        `values` are the `job_values` that it was stored with.
        """
        job = Job(
            id=number,
            status="doing",
            queue=values["queue"],
            lock=values["lock"],
            queueing_lock=values["lock"],
            task_name=values["name"],
            task_kwargs=values["arguments"].obj,
            worker_id=worker,
        )
        self.jobs.run(job)

    async def release_held(self, name: str) -> None:
        """Let the waiting jobs called `name` wait no longer."""
        await execute_statement(self.pool, _HURRY, (name,))

    def start(
        self,
        *,
        replies: int,
        background: int,
        poll_seconds: float = _POLL_SECONDS,
        patience: float = _PATIENCE_SECONDS,
    ) -> None:
        """Start the workers: at most `replies` jobs that people wait for and `background` others.

        A worker is notified of new jobs, and woken by a timer for those that this process has
        scheduled. Every `poll_seconds` it looks for what it was not told of.

        When the queue is stopped, running replies get `patience` seconds to end; a formation,
        which nobody waits for, far fewer.
        """
        self._patience = patience
        self.jobs.set_places([REPLIES], replies)
        short = min(patience, _BACKGROUND_PATIENCE_SECONDS)
        self._running = [
            asyncio.create_task(work, name=name)
            for name, work in (
                ("replies", self._work([REPLIES], replies, poll_seconds, patience)),
                ("background", self._work([BACKGROUND, UPKEEP], background, poll_seconds, short)),
            )
        ]
        self._sweeping = asyncio.create_task(self._sweep(), name="sweep")

    def begin_to_stop(self) -> None:
        """Take no more jobs; running ones have `patience` and three seconds left."""
        if not self._stopping.is_set():
            self._stopping.set()
            now = asyncio.get_running_loop().time()
            self._stop_by = now + self._patience + _HAND_BACK_SECONDS
            for task in self._running:
                task.cancel()

    async def stop(self) -> None:
        """Take no more jobs; let running ones end, or hand them back when patience is over.

        Where PostgreSQL is unavailable nothing can be handed back: another worker notices.
        """
        self.begin_to_stop()
        running, self._running = self._running, []
        if running:
            left = self._stop_by - asyncio.get_running_loop().time()
            _, late = await asyncio.wait(running, timeout=max(left, 0.0))
            for task in late:
                task.cancel()
            if late:
                await asyncio.wait(late, timeout=_BREAK_OFF_SECONDS)
        if (sweeping := self._sweeping) is not None:
            self._sweeping = None
            sweeping.cancel()
            await asyncio.wait({sweeping})

    async def _work(
        self,
        queues: list[str],
        concurrency: int,
        poll_seconds: float,
        patience: float,
    ) -> None:
        # A fault in one of procrastinate's side tasks ends its worker: start it again.
        loop, pause = asyncio.get_running_loop(), _FIRST_PAUSE_SECONDS
        while not self._stopping.is_set():
            begun = loop.time()
            try:
                await self.app.run_worker_async(
                    queues=queues,
                    name=queues[0],
                    concurrency=concurrency,
                    fetch_job_polling_interval=poll_seconds,
                    shutdown_graceful_timeout=patience,
                    stalled_worker_timeout=STALLED_SECONDS,
                    install_signal_handlers=False,
                    delete_jobs="successful",
                )
            except Exception as error:  # noqa: BLE001 - whatever it was, work goes on
                log.warning("the %s worker stopped and starts again: %s", queues[0], fault(error))
                if loop.time() - begun > _LONGEST_PAUSE_SECONDS:
                    pause = _FIRST_PAUSE_SECONDS
                await self._pause(pause)
                pause = min(2 * pause, _LONGEST_PAUSE_SECONDS)

    async def _sweep(self) -> None:
        # Also while the running jobs end: without heartbeats another process would take them.
        loop = asyncio.get_running_loop()
        seen, trusted = loop.time(), 0.0
        while True:
            try:
                dead, running = await beat(self.pool, self.jobs.workers)
                if lost := self.jobs.lost_jobs(running):
                    await give_up_jobs(self.pool, lost)
                # While PostgreSQL was unavailable no heartbeat could be stored: live workers get
                # time for one.
                if loop.time() - seen > STALLED_SECONDS:
                    trusted = loop.time() + STALLED_SECONDS
                seen = loop.time()
                if dead and seen >= trusted:
                    await free_stalled(self.pool)
            except Exception as error:  # noqa: BLE001 - the database may be unavailable
                log.warning("waiting jobs could not be looked after: %s", fault(error))
            await asyncio.sleep(_HEARTBEAT_SECONDS)

    async def _pause(self, seconds: float) -> None:
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(self._stopping.wait(), seconds)


async def _execute(
    where: AsyncConnection[DictRow] | Pool,
    statement: LiteralString,
    values: Mapping[str, Any],
) -> list[DictRow]:
    if isinstance(where, Pool):
        return await execute_statement(where, statement, values)
    return await (await where.execute(statement, values)).fetchall()


def job_values(
    name: str,
    *,
    queue: str,
    lock: str,
    arguments: Mapping[str, str],
    delay: float = 0.0,
    person: str | None = None,
) -> dict[str, Any]:
    """Return the parameters of `BEGIN_OR_DEFER_FROM`, as `Queue.defer` takes them."""
    return {
        "name": name,
        "queue": queue,
        "lock": lock,
        "delay": delay,
        "person": person,
        "alone": False,
        "arguments": Jsonb(arguments),
    }
