"""The work queue: procrastinate on the application's own PostgreSQL and pool."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from typing import Any

import procrastinate
from procrastinate import exceptions
from procrastinate.jobs import Status
from psycopg import AsyncConnection, OperationalError
from psycopg.rows import DictRow
from psycopg_pool import PoolClosed

from bot.logs import fault
from memory import Migration, Pool, packaged_migrations, transaction

log = logging.getLogger(__name__)

REPLIES = "replies"
LEARNING = "learning"
_HEARTBEAT_SECONDS = 2.0
_STALLED_SECONDS = 6.0
_HAND_BACK_SECONDS = 5.0
_SOON_SECONDS = 10.0
_AGAIN_SECONDS = 0.2
_NOTE_ATTEMPTS = 100
_NOTE_SECONDS = 0.2


def migrations() -> list[Migration]:
    """Return the schema steps of the bot: the queue's own, then ours."""
    schema = procrastinate.schema.SchemaManager.get_schema()
    return [Migration("procrastinate/3.10", schema), *packaged_migrations("bot")]


class _Jobs(procrastinate.manager.JobManager):
    """Procrastinate's jobs; none is left as if it still ran, with its lock, until the worker ends.

    One that failed, or whose worker died, gives way to one that waits: at most one job of a
    queueing lock does, and Procrastinate would raise. The end of a job is noted however often
    PostgreSQL has to be asked, until the application is `stopping`: the next one frees the job.
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
        again = super().retry_job_by_id_async
        try:
            await self._note(lambda: again(job_id, retry_at, priority, queue, lock))
        except exceptions.UniqueViolation:
            # The one that waits will do this one's work.
            await self.finish_job_by_id_async(job_id, status=Status.FAILED, delete_job=True)

    async def finish_job_by_id_async(self, job_id: int, status: Status, delete_job: bool) -> None:
        finish = super().finish_job_by_id_async
        await self._note(lambda: finish(job_id, status, delete_job))

    async def _note(self, write: Callable[[], Awaitable[None]]) -> None:
        for _ in range(_NOTE_ATTEMPTS - 1):
            try:
                return await write()
            except exceptions.ConnectorException as error:
                away = isinstance(error.__cause__, OperationalError)
                if not away or isinstance(error.__cause__, PoolClosed) or self.stopping.is_set():
                    raise
                log.warning("the end of a job is noted again: %s", fault(error))
                await asyncio.sleep(_NOTE_SECONDS)
        return await write()


class Queue:
    """Deferring and running jobs. Arguments of jobs are opaque ids only."""

    def __init__(self, pool: Pool) -> None:
        self._pool = pool
        self._app = procrastinate.App(connector=procrastinate.PsycopgConnector())
        self._running: list[asyncio.Task[None]] = []
        self._stopping = asyncio.Event()
        jobs = _Jobs(self._app.connector)
        jobs.stopping = self._stopping
        self._app.job_manager = jobs
        self._patience = 0.0

    async def open(self) -> None:
        """Share the application's pool with procrastinate."""
        await self._app.open_async(self._pool)

    def register(
        self,
        name: str,
        queue: str,
        work: Callable[..., Awaitable[None]],
        *,
        attempts: int,
        wait: int,
    ) -> None:
        """Let jobs called `name` run `work`, and again after a failure, `attempts` times at most.

        The n-th wait is `wait` to the power of n seconds.
        """
        retry = procrastinate.RetryStrategy(max_attempts=attempts, exponential_wait=wait)
        self._app.task(name=name, queue=queue, retry=retry)(work)

    async def defer(
        self,
        connection: AsyncConnection[DictRow],
        name: str,
        *,
        queue: str,
        lock: str,
        delay: float = 0.0,
        **arguments: str,
    ) -> bool:
        """Add a job within the caller's transaction; False when one is waiting already.

        Jobs of one `lock` run one at a time, and at most one of them waits. This process need not
        be the one that can do the work: whoever works `queue` has to know `name`.
        """
        options: dict[str, Any] = {"schedule_in": {"seconds": delay}} if delay else {}
        task = self._app.configure_task(
            name, queue=queue, connection=connection, lock=lock, queueing_lock=lock, **options
        )
        try:
            async with connection.transaction():
                await task.defer_async(**arguments)
        except exceptions.AlreadyEnqueued:
            return False
        return True

    async def postpone(
        self, connection: AsyncConnection[DictRow], *, lock: str, delay: float
    ) -> None:
        """Let the waiting job of `lock` wait `delay` seconds from now."""
        await connection.execute(
            "UPDATE procrastinate_jobs SET scheduled_at = now() + make_interval(secs => %s)"
            " WHERE queueing_lock = %s AND status = 'todo'",
            (delay, lock),
        )

    async def hurry(self, connection: AsyncConnection[DictRow], name: str) -> None:
        """Let the waiting jobs called `name` wait no longer."""
        await connection.execute(
            "UPDATE procrastinate_jobs SET scheduled_at = now()"
            " WHERE task_name = %s AND status = 'todo' AND scheduled_at > now()",
            (name,),
        )

    def start(
        self, *, replies: int, learning: int, poll_seconds: float = 1.0, patience: float = 25.0
    ) -> None:
        """Start working: at most so many replies and formations at a time.

        Delayed jobs are found by polling, every `poll_seconds`. When the queue is stopped, running
        jobs get `patience` seconds to end.
        """
        self._patience = patience
        self._running = [
            asyncio.create_task(self._work(REPLIES, replies, 1.0), name="replies"),
            asyncio.create_task(self._work(LEARNING, learning, poll_seconds), name="learning"),
            asyncio.create_task(self._sweep(), name="stalled jobs"),
        ]

    async def drain(self, until: float, *, replies: int, learning: int) -> datetime | None:
        """Work, replies first, until nothing is due; return when the next job is, if there is one.

        For where no connection may stay open: nothing listens, and what is due within a few
        seconds is waited for. `until` is a time of the loop's clock, at which what still runs is
        handed back.
        """
        loop = asyncio.get_running_loop()
        while True:
            await self.free_stalled()
            for queue, concurrency in ((REPLIES, replies), (LEARNING, learning)):
                await self._work_off(queue, concurrency, until)
            due = await self._next_due()
            if due is None:
                return None
            wait = max((due - datetime.now(UTC)).total_seconds(), _AGAIN_SECONDS)
            if wait > _SOON_SECONDS or loop.time() + wait > until:
                return due
            await asyncio.sleep(wait)

    async def _work_off(self, queue: str, concurrency: int, until: float) -> None:
        work = asyncio.create_task(
            self._app.run_worker_async(
                queues=[queue],
                name=queue,
                concurrency=concurrency,
                wait=False,
                listen_notify=False,
                update_heartbeat_interval=_HEARTBEAT_SECONDS,
                stalled_worker_timeout=_STALLED_SECONDS,
                shutdown_graceful_timeout=_HAND_BACK_SECONDS,
                install_signal_handlers=False,
                delete_jobs="successful",
            )
        )
        _, late = await asyncio.wait({work}, timeout=until - asyncio.get_running_loop().time())
        for task in late:
            task.cancel()
        await asyncio.gather(work, return_exceptions=True)
        if not late:
            work.result()

    async def _next_due(self) -> datetime | None:
        async with transaction(self._pool) as connection:
            found = await connection.execute(
                "SELECT min(COALESCE(scheduled_at, now())) AS due FROM procrastinate_jobs"
                " WHERE status = 'todo' AND queue_name = ANY(%s)",
                ([REPLIES, LEARNING],),
            )
            row = await found.fetchone()
        due: datetime | None = row["due"] if row else None
        return due

    async def stop(self) -> None:
        """Take no more jobs; let running ones end, or hand them back when patience is over."""
        self._stopping.set()
        for task in self._running:
            task.cancel()
        if self._running:
            # The workers hand jobs back by themselves, unless the database is away.
            _, late = await asyncio.wait(self._running, timeout=self._patience + _HAND_BACK_SECONDS)
            for task in late:
                task.cancel()
            await asyncio.gather(*self._running, return_exceptions=True)
        self._running = []

    async def _work(self, queue: str, concurrency: int, poll_seconds: float) -> None:
        # A fault in one of procrastinate's side tasks ends its worker: start it again.
        while not self._stopping.is_set():
            try:
                await self._app.run_worker_async(
                    queues=[queue],
                    name=queue,
                    concurrency=concurrency,
                    fetch_job_polling_interval=poll_seconds,
                    update_heartbeat_interval=_HEARTBEAT_SECONDS,
                    stalled_worker_timeout=_STALLED_SECONDS,
                    shutdown_graceful_timeout=self._patience,
                    install_signal_handlers=False,
                    delete_jobs="successful",
                )
            except Exception as error:  # noqa: BLE001 - whatever it was, work goes on
                log.warning("the %s worker stopped and starts again: %s", queue, fault(error))
                await self._pause(0.2)

    async def _sweep(self) -> None:
        while not self._stopping.is_set():
            await self._pause(_HEARTBEAT_SECONDS)
            try:
                await self.free_stalled()
            except Exception as error:  # noqa: BLE001 - the database may be away; try again
                log.warning("stalled jobs could not be looked up: %s", fault(error))

    async def free_stalled(self) -> int:
        """Give back the jobs of workers that died; return how many there were."""
        manager = self._app.job_manager
        stalled = list(await manager.get_stalled_jobs(seconds_since_heartbeat=_STALLED_SECONDS))
        for job in stalled:
            await manager.retry_job(job, retry_at=datetime.now(UTC))
        return len(stalled)

    async def _pause(self, seconds: float) -> None:
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(self._stopping.wait(), seconds)
