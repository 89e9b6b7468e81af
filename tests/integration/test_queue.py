"""The queue on a real PostgreSQL: jobs in order, later, again, aborted and recovered."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Iterable
from pathlib import Path
from typing import Any, LiteralString

import pytest
from procrastinate import PsycopgConnector, manager
from procrastinate.exceptions import ConnectorException
from procrastinate.jobs import AbortJobRequested, Job
from procrastinate.schema import SchemaManager
from psycopg.errors import AdminShutdown

from bot.cancellation import cancel_until_done
from bot.conversation.edits import DELETE_ANSWER
from bot.conversation.turns import FORM_MEMORIES
from bot.notices.notices import SHOW_NOTICE
from bot.queue.pulse import BEAT_SECONDS, STALLED_SECONDS
from bot.queue.queue import BACKGROUND, REPLIES, Queue, delete_old_jobs, recover_jobs
from bot.queue.retries import Backoff
from memory import Pool
from memory.postgres import transaction
from tests.databases import owner_rows
from tests.integration.app import App
from tests.waiting import until

SECONDS = 30.0
HOUR = 3_600.0
RETRY = Backoff(base=1, longest=0.1, most=3)


@pytest.fixture
def stalled_soon(monkeypatch: pytest.MonkeyPatch) -> None:
    """What is lost is noticed after a second."""
    monkeypatch.setattr("bot.queue.queue.STALLED_SECONDS", 1.0)


@pytest.fixture
async def queue(pool: Pool) -> AsyncIterator[Queue]:
    """A queue that does not work yet; it is stopped afterwards."""
    opened = Queue(pool)
    await opened.open()
    yield opened
    await opened.stop()


def jobs(database: str) -> list[dict[str, Any]]:
    """Return the jobs of the tests, as the owner sees them."""
    return owner_rows(
        database,
        "SELECT id, lock, args->>'label' AS label, status, attempts, worker_id"
        " FROM procrastinate_jobs WHERE task_name = 'work' ORDER BY id",
    )


async def put(
    pool: Pool,
    queue: Queue,
    lock: str,
    label: str,
    *,
    to: str = REPLIES,
    priority: int = 0,
    delay: float = 0.0,
) -> None:
    """Add a job in a transaction."""
    async with transaction(pool) as connection:
        job = {lock: {"label": label}}
        await queue.defer(
            connection, "work", job, queue=to, priority=priority, delay=delay
        )


def leave_to_the_dead(database: str) -> None:
    """Let a process have taken all jobs that has sent no heartbeat for a minute."""
    owner_rows(
        database,
        "WITH dead AS (INSERT INTO procrastinate_workers (last_heartbeat)"
        " VALUES (now() - interval '1 minute') RETURNING id)"
        " UPDATE procrastinate_jobs SET status = 'doing', worker_id = (SELECT id FROM dead)",
    )


class Work:
    """What the jobs do: each notes its label, as often as it runs."""

    def __init__(self) -> None:
        self.done: list[str] = []

    async def run(self, label: str) -> None:
        """Note a label."""
        self.done.append(label)


@pytest.fixture
def work(queue: Queue) -> Work:
    """Jobs that note their labels."""
    made = Work()
    queue.register("work", REPLIES, made.run, retry=RETRY)
    return made


def register_endless(queue: Queue) -> asyncio.Event:
    """Register jobs in the background that never end; return the event that one has begun."""
    begun = asyncio.Event()

    async def work(label: str) -> None:
        del label
        begun.set()
        await asyncio.Event().wait()

    queue.register("work", BACKGROUND, work, retry=RETRY)
    return begun


@pytest.mark.usefixtures("stalled_soon")
@pytest.mark.parametrize("lost", ["fetch_job", "finish_job"])
async def test_a_job_whose_beginning_or_end_was_lost_ends(
    database: str,
    pool: Pool,
    queue: Queue,
    work: Work,
    monkeypatch: pytest.MonkeyPatch,
    lost: str,
) -> None:
    """PostgreSQL gave it to a worker that did not hear of it, or did not hear of its end."""
    execute_one = PsycopgConnector.execute_query_one_async
    execute = PsycopgConnector.execute_query_async
    failed: list[str] = []

    def fail(query: str, of: str) -> None:
        if lost == of and not failed:
            failed.append(query)
            raise ConnectorException from AdminShutdown()

    async def fetch(self: PsycopgConnector, query: str, **values: Any) -> Any:
        row = await execute_one(self, query, **values)
        if row.get("task_name") == "work":
            fail(query, "fetch_job")
        return row

    async def end(self: PsycopgConnector, query: str, **values: Any) -> None:
        await execute(self, query, **values)
        if "attempts" in values:
            fail(query, "finish_job")

    monkeypatch.setattr(PsycopgConnector, "execute_query_one_async", fetch)
    monkeypatch.setattr(PsycopgConnector, "execute_query_async", end)
    await put(pool, queue, "L", "lost")
    await put(pool, queue, "L", "behind")
    queue.start(replies=1, background=1)
    await until(lambda: jobs(database) == [])
    assert failed
    assert work.done == ["lost", "behind"]


async def test_a_job_that_is_held_begins_after_the_transaction(
    pool: Pool, queue: Queue, work: Work
) -> None:
    """It need not be added again; there is none to hold once it has begun, or of another lock."""
    await put(pool, queue, "one", "a")
    async with transaction(pool) as connection:
        assert not await queue.hold_waiting(connection, "work", "two")
        assert await queue.hold_waiting(connection, "work", "one")
        await queue.run_until_empty()
        assert work.done == []
    await queue.run_until_empty()
    assert work.done == ["a"]
    async with transaction(pool) as connection:
        assert not await queue.hold_waiting(connection, "work", "one")


async def test_old_jobs_are_deleted_beside_many_that_wait(
    database: str, pool: Pool
) -> None:
    """PostgreSQL takes the table for an empty one: it was analyzed when its jobs had ended."""
    waiting = (
        "INSERT INTO procrastinate_jobs (queue_name, task_name, lock)"
        " SELECT 'background', 'work', n FROM generate_series(1, 5000) AS n"
    )
    owner_rows(database, waiting)
    owner_rows(database, "DELETE FROM procrastinate_jobs")
    owner_rows(database, "ANALYZE procrastinate_jobs, procrastinate_events")
    owner_rows(database, waiting)
    async with asyncio.timeout(SECONDS):
        await delete_old_jobs(pool)
    assert len(jobs(database)) == 5_000


async def test_a_job_that_is_aborted_before_its_first_step_ends(
    database: str, pool: Pool, queue: Queue, work: Work, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A task that is cancelled before its first step runs none, so nothing would end its job."""
    monkeypatch.setattr("bot.queue.queue.ABORTING_SECONDS", 1.0)
    notified: list[asyncio.Task[None]] = []
    fetch = manager.JobManager.fetch_job

    async def fetch_job(
        self: manager.JobManager, queues: Iterable[str] | None, worker_id: int
    ) -> Job | None:
        job = await fetch(self, queues, worker_id)
        if job is not None and job.id is not None and not notified:
            async with transaction(pool) as connection:
                await queue.abort(connection, ["L1"])
            # Its step comes just before the first one of the job.
            notification = AbortJobRequested(type="abort_job_requested", job_id=job.id)
            [worker] = [one for one in queue._workers if one.worker_id == worker_id]
            told = worker._handle_notification(channel="", notification=notification)
            notified.append(asyncio.ensure_future(told))
        return job

    monkeypatch.setattr(manager.JobManager, "fetch_job", fetch_job)

    queue.start(replies=1, background=1)
    await put(pool, queue, "L1", "aborted")
    await put(pool, queue, "L1", "next")
    await until(lambda: work.done == ["next"])
    await until(lambda: [job["status"] for job in jobs(database)] == ["failed"])


async def test_an_abort_leaves_the_next_job_of_the_lock_alone(
    database: str, pool: Pool, queue: Queue
) -> None:
    """A job that is to be aborted cannot end, and the next one begin, before the abort counts."""
    begun = asyncio.Event()
    may_end = asyncio.Event()
    aborted: list[bool] = []

    async def work(label: str) -> None:
        if label == "next":
            [row] = owner_rows(
                database, "SELECT abort_requested FROM procrastinate_jobs"
            )
            aborted.append(row["abort_requested"])
            return
        begun.set()
        await may_end.wait()

    queue.register("work", REPLIES, work, retry=RETRY)
    queue.start(replies=1, background=1)
    await put(pool, queue, "L1", "running")
    await asyncio.wait_for(begun.wait(), SECONDS)
    blocked: LiteralString = (
        "SELECT 1 FROM pg_stat_activity"
        " WHERE datname = current_database() AND wait_event_type = 'Lock'"
    )
    async with transaction(pool) as connection:
        await queue.defer(connection, "work", {"L1": {"label": "next"}}, queue=REPLIES)
        await queue.abort(connection, ["L1"])
        may_end.set()
        await until(lambda: owner_rows(database, blocked))
    await until(lambda: aborted == [False])


async def test_periodic_work_goes_on_after_a_process_died_in_it(
    database: str, pool: Pool, queue: Queue, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The next run waits already, for the lock of the one that died, whose work it does."""
    begun: list[str] = []

    async def work() -> None:
        begun.append("work")

    queue.repeat("work", work, cron="0 0 1 1 *")
    task = queue.app.tasks["work"]
    await task.defer_async(timestamp=1)
    leave_to_the_dead(database)
    await task.defer_async(timestamp=2)
    with monkeypatch.context() as at_once:
        at_once.setattr("bot.queue.queue.STALLED_SECONDS", 0.0)
        await recover_jobs(pool)
    queue.start(replies=1, background=1)
    await until(lambda: jobs(database) == [])
    assert begun == ["work"]


async def test_a_process_that_was_suspended_recovers_none_of_its_own_jobs(
    database: str, pool: Pool, queue: Queue, monkeypatch: pytest.MonkeyPatch
) -> None:
    """They look like those of a dead process, until it has sent a heartbeat again."""
    monkeypatch.setattr("bot.queue.queue.STALLED_SECONDS", 2.0)
    begun = register_endless(queue)
    await put(pool, queue, "L1", "orphan", to=BACKGROUND)
    leave_to_the_dead(database)
    queue.start(replies=1, background=1)
    await asyncio.wait_for(begun.wait(), SECONDS)  # now it is this process's own
    assert queue._upkeep is not None
    await cancel_until_done(queue._upkeep)
    owner_rows(
        database,
        "UPDATE procrastinate_workers SET last_heartbeat = now() - interval '1 minute'",
    )
    await queue._keep_up()
    assert [job["status"] for job in jobs(database)] == ["doing"]


@pytest.mark.parametrize("end", ["succeeds", "fails"])
async def test_a_process_that_was_suspended_does_not_end_the_run_of_another(
    database: str, pool: Pool, queue: Queue, end: str
) -> None:
    """Its job is in progress elsewhere meanwhile: it leaves the job, with its lock, as it is."""
    ended = asyncio.Event()

    async def work(label: str) -> None:
        # As if it had been recovered, and another worker had begun it.
        owner_rows(
            database,
            "WITH other AS (INSERT INTO procrastinate_workers DEFAULT VALUES RETURNING id)"
            " UPDATE procrastinate_jobs SET worker_id = (SELECT id FROM other),"
            " attempts = attempts + 1 WHERE task_name = 'work'",
        )
        ended.set()
        if label == "fails":
            raise RuntimeError

    queue.register("work", REPLIES, work, retry=RETRY)
    queue.start(replies=1, background=1)
    await put(pool, queue, "L1", end)
    await asyncio.wait_for(ended.wait(), SECONDS)
    await queue.stop()
    assert [job["status"] for job in jobs(database)] == ["doing"]


@pytest.mark.parametrize("end", ["stops", "fails and starts again"])
async def test_a_worker_that_ends_lives_until_its_last_job_has_ended(
    database: str, pool: Pool, queue: Queue, monkeypatch: pytest.MonkeyPatch, end: str
) -> None:
    """Others do not take over what it is still doing."""
    failed = asyncio.Event()

    async def fail(
        self: manager.JobManager, queues: Iterable[str] | None, worker_id: int
    ) -> Job | None:
        del self, worker_id
        if queues == [REPLIES] and not failed.is_set():
            failed.set()
            raise ConnectorException
        return None

    begun = asyncio.Event()
    may_end = asyncio.Event()

    async def work(label: str) -> None:
        del label
        begun.set()
        await may_end.wait()

    queue.register("work", REPLIES, work, retry=RETRY)
    queue.start(replies=2, background=1)
    await put(pool, queue, "L1", "last")
    await asyncio.wait_for(begun.wait(), SECONDS)
    if end == "stops":
        queue.begin_to_stop()
    else:
        monkeypatch.setattr(manager.JobManager, "fetch_job", fail)
        await asyncio.wait_for(failed.wait(), SECONDS)
    later: LiteralString = (
        "SELECT 1 FROM procrastinate_jobs JOIN procrastinate_workers AS worker"
        " ON worker.id = worker_id WHERE task_name = 'work' AND last_heartbeat > %s"
    )
    [now] = owner_rows(database, "SELECT now() + interval '1 second' AS later")
    await until(lambda: owner_rows(database, later, now["later"]))
    may_end.set()
    await asyncio.wait_for(queue.stop(), SECONDS)
    assert jobs(database) == []


async def test_a_process_without_a_heartbeat_begins_again(
    database: str,
    pool: Pool,
    queue: Queue,
    work: Work,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    """Whatever waits for PostgreSQL ends, and it works on; silent for two minutes it is dead."""
    monkeypatch.setattr("bot.queue.pulse.BEGIN_AGAIN_SECONDS", 0.5)
    may_beat: LiteralString = "{} UPDATE ON procrastinate_workers {} kioku_app"
    owner_rows(database, may_beat.format("REVOKE", "FROM"))
    queue.start(replies=1, background=1)
    await until(lambda: "all connections begin again" in caplog.text)
    owner_rows(database, may_beat.format("GRANT", "TO"))
    await put(pool, queue, "L", "after")
    await until(lambda: work.done == ["after"])
    await until(lambda: queue.pulse.silence() < BEAT_SECONDS)
    assert not queue.pulse.is_dead()
    monkeypatch.setattr("bot.queue.pulse.DEAD_SECONDS", 0.0)
    assert queue.pulse.is_dead()


async def test_without_a_worker_a_job_that_takes_long_is_kept_and_then_handed_back(
    database: str, pool: Pool, queue: Queue
) -> None:
    """Its process does not count as dead while it runs; at a cancellation it waits again."""
    begun = register_endless(queue)
    await put(pool, queue, "L1", "long", to=BACKGROUND)
    running = asyncio.create_task(queue.run_until_empty())
    await asyncio.wait_for(begun.wait(), SECONDS)
    beats: LiteralString = (
        "SELECT 1 FROM procrastinate_workers WHERE last_heartbeat > %s"
    )
    [now] = owner_rows(database, "SELECT now() AS now")
    async with asyncio.timeout(STALLED_SECONDS):
        await until(lambda: owner_rows(database, beats, now["now"]))
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.1):
            await running
    assert [job["status"] for job in jobs(database)] == ["todo"]


@pytest.mark.parametrize("name", [DELETE_ANSWER, SHOW_NOTICE, FORM_MEMORIES])
async def test_a_job_that_fails_goes_on_for_days(app: App, name: str) -> None:
    """What Slack or a model refuses for hours is done afterwards, ten minutes later at most."""
    task = app.core.queue.app.tasks[name]
    waited = 0.0
    attempts = 0
    while waited < 70 * HOUR:
        decision = task.get_retry_exception(
            exception=TimeoutError(), job=job_of(name, attempts)
        )
        assert decision is not None, (
            f"it was given up {waited:.0f} seconds after it failed"
        )
        retry_at = decision.retry_decision.retry_at
        assert retry_at is not None
        wait = retry_at.timestamp() - time.time()
        assert wait <= 600.0
        waited += wait
        attempts += 1


def job_of(name: str, attempts: int) -> Job:
    """Return a job that has been run so often."""
    return Job(
        id=1,
        queue=REPLIES,
        lock=None,
        queueing_lock=None,
        task_name=name,
        attempts=attempts,
    )


def test_a_newer_procrastinate_needs_a_migration_here() -> None:
    """A file after this one is one that "procrastinate/3.10" does not contain."""
    names = [
        file.stem for file in Path(SchemaManager.get_migrations_path()).glob("*.sql")
    ]
    assert max(names) == "03.04.00_50_post_add_retry_failed_job_procedure"
