"""The work queue on a real PostgreSQL."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any, LiteralString

import psycopg
import pytest
from bot.conversation.running import RunningThreads
from procrastinate.retry import RetryStrategy

from bot.queue.queue import BACKGROUND, REPLIES, Queue
from memory import Pool
from memory.postgres import transaction
from tests.databases import owner_rows
from tests.waiting import until

POLL_SECONDS = 0.05
SECONDS = 20.0
RETRY = RetryStrategy(max_attempts=3, exponential_wait=1)


@pytest.fixture
async def queue(pool: Pool) -> AsyncIterator[Queue]:
    """A queue that does not work yet; it is stopped afterwards."""
    opened = Queue(pool)
    await opened.open()
    yield opened
    await opened.stop()


def jobs(database: str) -> list[dict[str, Any]]:
    """Return all jobs, as the owner sees them."""
    return owner_rows(
        database,
        "SELECT id, task_name, lock, queueing_lock, args, status, attempts, scheduled_at,"
        " extract(epoch FROM scheduled_at - now())::float AS due_in"
        " FROM procrastinate_jobs ORDER BY id",
    )


def cut_connections(database: str, condition: LiteralString = "true") -> None:
    """End the connections of `database`, as a restart of PostgreSQL does."""
    owner_rows(
        database,
        "SELECT pg_terminate_backend(pid, 10000) FROM pg_stat_activity"
        f" WHERE datname = current_database() AND pid <> pg_backend_pid() AND {condition}",
    )


async def put(
    pool: Pool,
    queue: Queue,
    lock: str,
    *,
    to: str = REPLIES,
    delay: float = 0.0,
    **more: str,
) -> bool:
    """Add a job called ``work``."""
    async with transaction(pool) as connection:
        return await queue.defer(connection, "work", {lock: more}, queue=to, delay=delay) == 1


async def test_at_most_one_job_waits_for_a_lock(database: str, pool: Pool, queue: Queue) -> None:
    """A second job of a lock is not added, and the transaction that tried goes on."""
    async with transaction(pool) as connection:
        assert await queue.defer(connection, "work", {"L1": {}}, queue=REPLIES)
        assert not await queue.defer(connection, "work", {"L1": {}}, queue=REPLIES)
        assert await queue.defer(connection, "work", {"L2": {}}, queue=REPLIES)
    assert [job["queueing_lock"] for job in jobs(database)] == ["L1", "L2"]


async def test_a_job_that_waits_is_held_until_what_it_is_for_is_stored(
    pool: Pool, queue: Queue
) -> None:
    """Nobody takes a waiting job while another message is being stored for it: it would miss it."""
    assert await put(pool, queue, "L1")
    async with transaction(pool) as connection:
        assert not await queue.defer(connection, "work", {"L1": {}}, queue=REPLIES)
        assert await _taken(pool) is None
    assert await _taken(pool) == "L1"


async def _taken(pool: Pool) -> str | None:
    async with transaction(pool) as connection:
        found = await connection.execute(
            "SELECT lock FROM procrastinate_fetch_job_v2(%s, NULL)", ([REPLIES],)
        )
        [row] = await found.fetchall()
    lock: str | None = row["lock"]
    return lock


async def test_jobs_of_a_lock_run_one_at_a_time(pool: Pool, queue: Queue) -> None:
    """Two jobs of one lock never run at once; those of two locks do."""
    running: set[str] = set()
    together: list[set[str]] = []
    go_on = asyncio.Event()
    begun: asyncio.Queue[str] = asyncio.Queue()

    async def work(label: str) -> None:
        running.add(label)
        together.append(set(running))
        await begun.put(label)
        await go_on.wait()
        running.discard(label)

    queue.register("work", REPLIES, work, retry=RETRY)
    queue.start(at_once=4, poll_seconds=POLL_SECONDS)
    await put(pool, queue, "L1", label="a1")
    assert await asyncio.wait_for(begun.get(), SECONDS) == "a1"
    await put(pool, queue, "L1", label="a2")
    await put(pool, queue, "L2", label="b1")
    assert await asyncio.wait_for(begun.get(), SECONDS) == "b1"
    go_on.set()
    assert await asyncio.wait_for(begun.get(), SECONDS) == "a2"
    assert {"a1", "b1"} in together
    assert not any({"a1", "a2"} <= names for names in together)


async def test_a_delayed_job_is_announced_when_it_is_due(pool: Pool, queue: Queue) -> None:
    """A delayed job is taken at its time, by the next beat of any process."""
    began: asyncio.Queue[float] = asyncio.Queue()
    loop = asyncio.get_running_loop()

    async def work() -> None:
        await began.put(loop.time())

    queue.register("work", BACKGROUND, work, retry=RETRY)
    threads = RunningThreads(pool)
    await threads.start(lambda _: asyncio.sleep(0), at_once=1)
    before = loop.time()
    await put(pool, queue, "L1", to=BACKGROUND, delay=0.6)
    queue.start(at_once=1, poll_seconds=60)
    assert await asyncio.wait_for(began.get(), SECONDS) - before >= 0.55
    await threads.stop()


async def test_a_job_is_tried_again_later_each_time(
    database: str, pool: Pool, queue: Queue
) -> None:
    """The waits grow; after the last one the job has failed."""

    async def work() -> None:
        raise RuntimeError("SECRET")

    strategy = RetryStrategy(max_attempts=2, exponential_wait=80)
    queue.register("work", REPLIES, work, retry=strategy)
    await put(pool, queue, "L1")
    queue.start(at_once=1, poll_seconds=POLL_SECONDS)
    for attempts, wait in ((1, 80), (2, 6_400)):
        await until(lambda n=attempts: jobs(database)[0]["attempts"] == n)  # type: ignore[misc]
        [job] = jobs(database)
        assert job["status"] == "todo"
        assert wait - 10 < job["due_in"] <= wait
        owner_rows(database, "UPDATE procrastinate_jobs SET scheduled_at = now()")
    await until(lambda: [job["status"] for job in jobs(database)] == ["failed"])


async def test_a_failed_job_is_tried_within_a_minute_of_new_work(
    database: str, pool: Pool, queue: Queue
) -> None:
    """What a job failed for days ago may be over: more work brings its next attempt forward."""
    again = {"queue": BACKGROUND, "lock": "L1", "delay": 4.0, "at_most": 30.0}
    async with pool.connection() as connection:
        await queue.debounce(connection, "work", **again)  # type: ignore[arg-type]
    for due_in, expected in ((86_400, 60), (20, 20)):
        owner_rows(
            database,
            "UPDATE procrastinate_jobs SET attempts = 7,"
            " scheduled_at = now() + make_interval(secs => %s)",
            due_in,
        )
        async with pool.connection() as connection:
            await queue.debounce(connection, "work", **again)  # type: ignore[arg-type]
        [job] = jobs(database)
        assert expected - 10 < job["due_in"] <= expected


def leave_stalled(database: str) -> None:
    """Make every job one that a worker took and died with, a minute ago."""
    owner_rows(
        database,
        "WITH dead AS (INSERT INTO procrastinate_workers (last_heartbeat)"
        " VALUES (now() - interval '1 minute') RETURNING id)"
        " UPDATE procrastinate_jobs SET status = 'doing', worker_id = (SELECT id FROM dead)",
    )


async def test_a_job_whose_end_cannot_be_noted_at_once_frees_its_lock(
    database: str, pool: Pool, queue: Queue
) -> None:
    """Where the connections are cut just as a job ends, the next one of its lock still comes."""
    done: asyncio.Queue[str] = asyncio.Queue()

    async def work(label: str) -> None:
        if label == "before":
            cut_connections(database, "query NOT LIKE 'LISTEN%'")
        await done.put(label)

    queue.register("work", REPLIES, work, retry=RETRY)
    queue.start(at_once=1, poll_seconds=POLL_SECONDS)
    for label in ("before", "after"):
        await put(pool, queue, "L1", label=label)
        assert await asyncio.wait_for(done.get(), SECONDS) == label
    await until(lambda: jobs(database) == [])


async def test_a_job_that_takes_long_is_handed_back_when_the_queue_stops(
    database: str, pool: Pool, queue: Queue
) -> None:
    """A job that runs is cut off after three seconds, and what waits is left."""
    begun = asyncio.Event()

    async def work(label: str) -> None:
        del label
        begun.set()
        await asyncio.Event().wait()

    queue.register("work", BACKGROUND, work, retry=RETRY)
    queue.start(at_once=2, poll_seconds=POLL_SECONDS)
    await put(pool, queue, "L1", to=BACKGROUND, label="running")
    await asyncio.wait_for(begun.wait(), SECONDS)
    await put(pool, queue, "L2", to=BACKGROUND, delay=60, label="waiting")
    await asyncio.wait_for(queue.stop(), SECONDS)
    found = [(job["args"]["label"], job["status"]) for job in jobs(database)]
    assert found == [("running", "todo"), ("waiting", "todo")]


async def test_what_a_person_waits_for_begins_first(pool: Pool, queue: Queue) -> None:
    """Of jobs that wait, those of `REPLIES` begin before those of `BACKGROUND`."""
    begun: list[str] = []

    async def work(label: str) -> None:
        begun.append(label)

    queue.register("work", REPLIES, work)
    for lock, to in (("L1", BACKGROUND), ("L2", REPLIES), ("L3", BACKGROUND), ("L4", REPLIES)):
        await put(pool, queue, lock, to=to, label=lock)
    queue.start(at_once=1, poll_seconds=POLL_SECONDS)
    await until(lambda: len(begun) == 4)
    assert begun == ["L2", "L4", "L1", "L3"]


async def hold_off(pool: Pool, queue: Queue, lock: str) -> None:
    """Let the job of a lock wait for 20 seconds of quiet, and a minute at most."""
    async with transaction(pool) as connection:
        await queue.debounce(connection, "work", queue=BACKGROUND, lock=lock, delay=20, at_most=60)


async def test_a_job_waits_for_quiet_but_not_for_ever(
    database: str, pool: Pool, queue: Queue
) -> None:
    """A job is put off again and again, to a while after it was first wanted at most."""
    await hold_off(pool, queue, "L1")
    await hold_off(pool, queue, "L2")
    for since, due in ((10, 20), (45, 15), (61, 0), (300, 0)):
        _let_pass(database, "L1", since)
        await hold_off(pool, queue, "L1")
        one, two = jobs(database)
        assert due - 2 < one["due_in"] <= due, f"after {since} s"
        assert 15 < two["due_in"] <= 20


def _let_pass(database: str, lock: str, since: float) -> None:
    """Let a job have been wanted for so many seconds, and be due any moment."""
    with psycopg.connect(database) as owner:
        owner.execute(
            "UPDATE procrastinate_events SET at = now() - make_interval(secs => %s) WHERE"
            " type = 'deferred' AND job_id = (SELECT id FROM procrastinate_jobs WHERE lock = %s)",
            (since, lock),
        )
        owner.execute("UPDATE procrastinate_jobs SET scheduled_at = now() WHERE lock = %s", (lock,))


async def test_what_is_committed_with_the_wish_is_seen(
    database: str, pool: Pool, queue: Queue
) -> None:
    """A job that is being put off cannot begin before those words are committed."""
    begun = asyncio.Event()

    async def work() -> None:
        begun.set()

    queue.register("work", BACKGROUND, work, retry=RETRY)
    await hold_off(pool, queue, "L1")
    _let_pass(database, "L1", 300)
    async with transaction(pool) as connection:
        await queue.debounce(connection, "work", queue=BACKGROUND, lock="L1", delay=20, at_most=60)
        queue.start(at_once=1, poll_seconds=POLL_SECONDS)
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(begun.wait(), 0.5)
    await asyncio.wait_for(begun.wait(), SECONDS)
