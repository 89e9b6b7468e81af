"""The job queue: procrastinate on the application's PostgreSQL.

Jobs with the same lock run one at a time, in the order in which they were added. A job may find
nothing to do, because an earlier job, or an earlier run of its own, has done its work. A newer
procrastinate needs its own migrations as files of ``bot/migrations``. Source:
https://procrastinate.readthedocs.io/en/stable/howto/production/migrations.html
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Iterable, Mapping
from datetime import UTC, datetime, timedelta
from importlib.resources import files
from typing import Any

import procrastinate
from procrastinate.jobs import Job
from procrastinate.retry import BaseRetryStrategy
from procrastinate.schema import SchemaManager
from procrastinate.worker import Worker

from bot.cancellation import cancel_until_done
from bot.logs import fault
from bot.queue.manager import JobManager
from bot.queue.pulse import (
    BEAT_SECONDS,
    SILENCE_SECONDS,
    STALLED_SECONDS,
    Pulse,
)
from memory import Pool
from memory.postgres import (
    Connection,
    Migration,
    execute_statement,
    fetch_rows,
    load_statements,
    packaged_migrations,
    take_connection,
    transaction_timeout,
)

log = logging.getLogger(__name__)

QUEUE_ROLE = "kioku_queue"
"""The role that, like kioku_app, may use the queue's tables. The login inherits it, because
procrastinate sets no role."""
REPLIES = "replies"
"""Jobs whose result a person waits for."""
BACKGROUND = "background"
# A notification announces a new reply at once. Polling finds a job that has become due, one whose
# lock was freed, those of the other queues, and, behind a pooler that carries no notifications,
# every job.
_POLL_SECONDS = 0.5
_ABORT_POLL_SECONDS = 1.0
# A worker's row is needed as long as its process may go on.
_PRUNE_SECONDS = 600.0
_REPLIES_PATIENCE_SECONDS = 25.0
_BACKGROUND_PATIENCE_SECONDS = 3.0
# How long a worker may take to store what it hands back.
_HAND_BACK_SECONDS = 5.0
_PAUSE_SECONDS = 0.5
ABORTING_SECONDS = 60.0
_SQL = load_statements("bot.queue", "queue")


def migrations() -> list[Migration]:
    """Return the schema steps of the bot: procrastinate's own, what is added to it, then ours."""
    added = (files("bot.queue") / "sql" / "schema.sql").read_text("utf-8")
    return [
        Migration("procrastinate/3.10", SchemaManager.get_schema()),
        Migration("procrastinate/access", added, [QUEUE_ROLE]),
        *packaged_migrations("bot"),
    ]


class Queue:
    """Adds, runs and aborts jobs, whose arguments are opaque ids only.

    The workers are crash-only: one whose own statement fails takes no more jobs, and begins again
    once those that it runs have ended. Two work on replies, of which one listens for them and the
    other polls, so that one of them takes jobs meanwhile. A process that has sent no heartbeat for
    `SILENCE_SECONDS` writes nothing to Slack until PostgreSQL has confirmed its run
    (`bot.conversation.run`); after `STALLED_SECONDS` others take its jobs; after
    `BEGIN_AGAIN_SECONDS` it shuts down all its connections, so that whatever waits for PostgreSQL
    ends, and begins again with new ones.
    """

    def __init__(self, pool: Pool) -> None:
        self.pool = pool
        self.pulse = Pulse()
        connector = procrastinate.PsycopgConnector()
        self._manager = JobManager(connector)
        self.app = procrastinate.App(connector=connector)
        self.app.job_manager = self._manager
        # One that ends works until its last job has ended.
        self._workers: set[Worker] = set()
        self._works: list[asyncio.Task[None]] = []
        self._is_stopping = False
        self._upkeep: asyncio.Task[None] | None = None

    async def open(self) -> None:
        """Share the application's pool with procrastinate."""
        await self.app.open_async(self.pool)

    def register(
        self,
        name: str,
        queue: str,
        work: Callable[..., Awaitable[None]],
        *,
        retry: BaseRetryStrategy,
        pass_context: bool = False,
    ) -> None:
        """Register `work` for jobs named `name`; `pass_context`: it is given the job's, too."""
        # Its overloads take a literal alone.
        task = self.app.task(  # type: ignore[call-overload]
            name=name, queue=queue, retry=retry, pass_context=pass_context
        )
        task(work)

    def repeat(
        self, name: str, work: Callable[[], Awaitable[None]], *, cron: str
    ) -> None:
        """Register `work` as a job on the schedule `cron`.

        It runs once, however many processes there are, and at most one waits.
        """

        async def run(timestamp: int) -> None:  # noqa: ARG001 - procrastinate names it
            await work()

        task = self.app.task(
            name=name, queue=BACKGROUND, lock=name, queueing_lock=name
        )(run)
        self.app.periodic(cron=cron)(task)

    async def defer(
        self,
        where: Connection | Pool,
        name: str,
        jobs: Mapping[str, Mapping[str, str]],
        *,
        queue: str,
        priority: int = 0,
        delay: float = 0.0,
    ) -> None:
        """Add `jobs`, arguments by lock, in one statement.

        On a connection it is part of the caller's transaction, on a pool a transaction of its own.
        The first job may begin after `delay` seconds, and each further one as much later than the
        one before. A job with a higher `priority` begins before all others that wait, including
        those with its lock. Workers must know `name`; this process need not.
        """
        if not jobs:
            return
        now = datetime.now(UTC)
        added = []
        for number, (lock, arguments) in enumerate(jobs.items(), 1):
            due = None
            if delay:
                due = now + timedelta(seconds=number * delay)
            job = Job(
                id=None,
                queue=queue,
                lock=lock,
                queueing_lock=None,
                task_name=name,
                task_kwargs=dict(arguments),
                priority=priority,
                scheduled_at=due,
            )
            added.append(job)
        connection = None
        if not isinstance(where, Pool):
            connection = where
        await self._manager.batch_defer_jobs_async(added, connection=connection)

    async def hold_waiting(
        self,
        connection: Connection,
        name: str,
        lock: str,
        delay: float = 0.0,
    ) -> bool:
        """Return whether a job `name` with this lock waits that may begin within `delay` seconds.

        It then begins only after the caller's transaction has ended, and sees what that stores:
        another job need not be added.
        """
        values = {"task": name, "lock": lock, "delay": delay}
        found = await connection.execute(_SQL["hold_waiting"], values, prepare=True)
        return await found.fetchone() is not None

    async def abort(self, connection: Connection, locks: Iterable[str]) -> None:
        """Cancel the jobs that run with these locks, in whichever process, if the caller commits.

        A job with such a lock that the caller's transaction adds is not cancelled: it can only
        begin afterwards.
        """
        for row in await fetch_rows(connection, _SQL["running"], {"locks": [*locks]}):
            await self._manager.cancel_job_by_id_async(
                row["id"], abort=True, connection=connection
            )

    def start(self, *, replies: int, background: int) -> None:
        """Work on at most this many replies in each of two workers, and on so many other jobs."""
        works = (
            self._work(REPLIES, replies, _REPLIES_PATIENCE_SECONDS, listens=True),
            self._work(REPLIES, replies, _REPLIES_PATIENCE_SECONDS),
            self._work(BACKGROUND, background, _BACKGROUND_PATIENCE_SECONDS),
        )
        self._works = [asyncio.create_task(work, name="worker") for work in works]
        # A worker of procrastinate sends no heartbeats while it waits for its last jobs.
        self._upkeep = asyncio.create_task(self._repeat_upkeep(), name="upkeep")

    def begin_to_stop(self) -> None:
        """Take no more jobs; what runs goes on."""
        self._is_stopping = True
        for worker in self._workers:
            worker.stop()  # type: ignore[no-untyped-call]

    async def stop(self) -> None:
        """Take no more jobs; let running ones end (replies for 25 seconds), or hand them back."""
        self.begin_to_stop()
        if self._works:
            longest = _REPLIES_PATIENCE_SECONDS + _HAND_BACK_SECONDS
            await asyncio.wait(self._works, timeout=longest)
        self._works = []
        if self._upkeep is not None:
            await cancel_until_done(self._upkeep)

    async def _repeat_upkeep(self) -> None:
        """Do the upkeep again and again, until the last jobs have ended."""
        while any(not work.done() for work in self._works):
            try:
                await self._keep_up()
            except Exception as error:  # noqa: BLE001 - whatever it was, work goes on
                log.warning("upkeep of the queue failed: %s", fault(error))
            if self.pulse.is_to_begin_again():
                log.warning(
                    "PostgreSQL took no heartbeat for %.0f seconds: all connections begin again",
                    self.pulse.silence(),
                )
                self.pool.begin_again()
            await asyncio.sleep(BEAT_SECONDS)

    async def _keep_up(self) -> None:
        """Send a heartbeat, and then recover the jobs of processes that have sent none.

        In this order a process that was suspended does not take itself for dead.
        """
        ids = [worker.worker_id for worker in self._workers]
        own = [worker_id for worker_id in ids if worker_id is not None]
        with transaction_timeout(SILENCE_SECONDS):
            await execute_statement(self.pool, _SQL["beat"], {"workers": own})
            self.pulse.beat()
            await recover_jobs(self.pool)

    async def run_until_empty(self) -> None:
        """Run the jobs of all queues that are due, until none is left.

        If this is cancelled, running jobs are handed back after three seconds.
        """
        worker = self._worker(
            wait=False,
            listen_notify=False,
            shutdown_graceful_timeout=_BACKGROUND_PATIENCE_SECONDS,
            update_heartbeat_interval=BEAT_SECONDS,
        )
        await worker.run()  # type: ignore[no-untyped-call]

    def _worker(self, **options: Any) -> Worker:
        """Return a worker of procrastinate, that does not run yet, with its usual options."""
        return Worker(
            self.app,
            stalled_worker_timeout=_PRUNE_SECONDS,
            install_signal_handlers=False,
            delete_jobs="successful",
            **options,
        )

    async def _work(
        self, queue: str, at_once: int, patience: float, *, listens: bool = False
    ) -> None:
        """Work on a queue until the process stops.

        Unless it `listens`, a worker finds its jobs by polling. A notification wakes a worker in
        every process, also for a job that is not due yet, as most in the background are.
        """
        while not self._is_stopping:
            worker = self._worker(
                queues=[queue],
                concurrency=at_once,
                listen_notify=listens,
                fetch_job_polling_interval=_POLL_SECONDS,
                abort_job_polling_interval=_ABORT_POLL_SECONDS,
                shutdown_graceful_timeout=patience,
                # `_keep_up` sends them.
                update_heartbeat_interval=_PRUNE_SECONDS,
            )
            self._workers.add(worker)
            try:
                await worker.run()  # type: ignore[no-untyped-call]
            except Exception as error:  # noqa: BLE001 - whatever it was, work goes on
                log.warning("a worker of the queue begins again: %s", fault(error))
                await asyncio.sleep(_PAUSE_SECONDS)
            finally:
                self._workers.remove(worker)


async def recover_jobs(pool: Pool) -> None:
    """Let the jobs of processes that died run again: of those without a heartbeat.

    A job that has not ended a minute after it was aborted was aborted before its first step, and
    ends.
    """
    values = {"seconds": STALLED_SECONDS, "aborting": ABORTING_SECONDS}
    # As the login: the application's role may not look at its connections.
    async with take_connection(pool) as connection:
        for job in await fetch_rows(connection, _SQL["recover"], values):
            log.warning(
                "job %d (%s) was lost and runs again", job["id"], job["task_name"]
            )


async def delete_old_jobs(pool: Pool) -> None:
    """Delete failed and aborted jobs after two weeks; successful ones are deleted as they end."""
    await execute_statement(pool, _SQL["delete_old"])


async def read_queue_state(pool: Pool) -> dict[str, Any]:
    """Return how many processes live, and how many jobs wait or failed."""
    [row] = await execute_statement(pool, _SQL["state"])
    return row
