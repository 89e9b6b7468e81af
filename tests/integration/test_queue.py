"""The work queue on a real PostgreSQL."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any, LiteralString

import psycopg
import pytest

from bot.queue.jobs import PERSON_AT_ONCE
from bot.queue.queue import BACKGROUND, REPLIES, Queue
from memory import Pool
from memory.postgres import transaction
from tests.databases import owner_rows
from tests.waiting import until

POLL_SECONDS = 0.05
SECONDS = 20.0


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
    person: str | None = None,
    alone: bool = False,
    **more: str,
) -> bool:
    """Add a job called ``work``."""
    async with transaction(pool) as connection:
        return await queue.defer(
            connection,
            "work",
            queue=to,
            lock=lock,
            delay=delay,
            person=person,
            alone=alone,
            reschedule=False,
            **more,
        )


class _Held:
    """Work that runs until it is released, and the order in which it began."""

    def __init__(self) -> None:
        self.begun: list[str] = []
        self.ended = asyncio.Semaphore(0)

    async def __call__(self, label: str) -> None:
        self.begun.append(label)
        await self.ended.acquire()


async def test_at_most_one_job_waits_for_a_lock(database: str, pool: Pool, queue: Queue) -> None:
    """A second job of a lock is not added, and the transaction that tried goes on."""
    async with transaction(pool) as connection:
        assert await queue.defer(connection, "work", queue=REPLIES, lock="L1")
        assert not await queue.defer(connection, "work", queue=REPLIES, lock="L1")
        assert await queue.defer(connection, "work", queue=REPLIES, lock="L2")
    assert [job["queueing_lock"] for job in jobs(database)] == ["L1", "L2"]


async def test_a_job_that_waits_is_held_until_what_it_is_for_is_stored(
    pool: Pool, queue: Queue
) -> None:
    """Nobody takes a waiting job while another message is being stored for it: it would miss it."""
    assert await put(pool, queue, "L1")
    async with transaction(pool) as connection:
        assert not await queue.defer(connection, "work", queue=REPLIES, lock="L1")
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

    queue.register("work", REPLIES, work, waits=(1,))
    queue.start(replies=4, background=1)
    await put(pool, queue, "L1", label="a1")
    assert await asyncio.wait_for(begun.get(), SECONDS) == "a1"
    await put(pool, queue, "L1", label="a2")
    await put(pool, queue, "L2", label="b1")
    assert await asyncio.wait_for(begun.get(), SECONDS) == "b1"
    go_on.set()
    assert await asyncio.wait_for(begun.get(), SECONDS) == "a2"
    assert {"a1", "b1"} in together
    assert not any({"a1", "a2"} <= names for names in together)


async def test_a_delayed_job_waits(pool: Pool, queue: Queue) -> None:
    """A delayed job is taken at its time, without waiting for the poll."""
    began: asyncio.Queue[float] = asyncio.Queue()
    loop = asyncio.get_running_loop()

    async def work() -> None:
        await began.put(loop.time())

    queue.register("work", BACKGROUND, work, waits=(1,))
    before = loop.time()
    await put(pool, queue, "L1", to=BACKGROUND, delay=0.6)
    queue.start(replies=1, background=1, poll_seconds=60)
    assert await asyncio.wait_for(began.get(), SECONDS) - before >= 0.55


async def test_a_job_is_tried_again_after_the_waits_that_are_named(
    database: str, pool: Pool, queue: Queue
) -> None:
    """The first wait comes first, then the second; after the last one the job has failed."""

    async def work() -> None:
        raise RuntimeError("SECRET")

    queue.register("work", REPLIES, work, waits=(300, 7_000))
    await put(pool, queue, "L1")
    queue.start(replies=1, background=1, poll_seconds=POLL_SECONDS)
    for attempts, wait in ((1, 300), (2, 7_000)):
        await until(lambda n=attempts: jobs(database)[0]["attempts"] == n)  # type: ignore[misc]
        [job] = jobs(database)
        assert job["status"] == "todo"
        assert wait - 10 < job["due_in"] <= wait
        owner_rows(database, "UPDATE procrastinate_jobs SET scheduled_at = now()")
    await until(lambda: [job["status"] for job in jobs(database)] == ["failed"])


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

    queue.register("work", REPLIES, work, waits=(1, 1, 1))
    queue.start(replies=1, background=1)
    for label in ("before", "after"):
        await put(pool, queue, "L1", label=label)
        assert await asyncio.wait_for(done.get(), SECONDS) == label
    await until(lambda: jobs(database) == [])


async def test_a_formation_is_handed_back_rather_than_waited_for(
    database: str, pool: Pool, queue: Queue
) -> None:
    """When the queue stops a reply may end; a formation is cut off, and what waits is left."""
    work = _Held()
    queue.register("work", REPLIES, work.__call__, waits=(1, 1, 1))
    queue.start(replies=1, background=1, patience=SECONDS)
    await put(pool, queue, "L1", label="reply")
    await put(pool, queue, "L2", to=BACKGROUND, label="formation")
    await until(lambda: sorted(work.begun) == ["formation", "reply"])
    await put(pool, queue, "L1", label="waiting")
    stopping = asyncio.create_task(queue.stop())
    await until(
        lambda: [(j["lock"], j["status"]) for j in jobs(database)].count(("L2", "todo")) == 1
    )
    work.ended.release()
    await asyncio.wait_for(stopping, SECONDS)
    assert [(job["args"]["label"], job["status"]) for job in jobs(database)] == [
        ("formation", "todo"),
        ("waiting", "todo"),
    ]


async def test_one_person_leaves_room_for_others(pool: Pool, queue: Queue) -> None:
    """A limited number of a person's jobs run at a time in all processes; one more as each ends."""
    other = Queue(pool)
    await other.open()
    work = _Held()
    for label in range(3 * PERSON_AT_ONCE):
        await put(pool, queue, f"A{label}", label=f"a{label}", person="T1.A")
    await put(pool, queue, "B", label="b", person="T1.B")
    await put(pool, queue, "N", label="n")
    for one in (queue, other):
        one.register("work", REPLIES, work.__call__, waits=(1,))
        one.start(replies=64, background=1)
        # One after the other: two that take a job at the same moment may each take the last.
        await until(lambda: len(work.begun) >= PERSON_AT_ONCE + 2)
    first = [*(f"a{label}" for label in range(PERSON_AT_ONCE)), "b", "n"]
    assert sorted(work.begun) == sorted(first)
    for _ in range(3 * PERSON_AT_ONCE + 2):
        work.ended.release()
    await until(lambda: len(work.begun) == 3 * PERSON_AT_ONCE + 2)
    for one in (queue, other):
        await one.stop()
    of_ann = [label for label in work.begun if label[0] == "a"]
    assert len(set(work.begun)) == len(work.begun)
    assert set(of_ann[:PERSON_AT_ONCE]) == set(first) - {"b", "n"}


async def test_while_a_job_runs_alone_no_other_is_begun(pool: Pool, queue: Queue) -> None:
    """Its process begins nothing of any queue until it ends; another process does."""
    other = Queue(pool)
    await other.open()
    here, there = _Held(), _Held()
    for one, work in ((queue, here), (other, there)):
        one.register("work", REPLIES, work.__call__, waits=(1,))
        one.register("learn", BACKGROUND, work.__call__, waits=(1,))
    await put(pool, queue, "L0", label="alone", alone=True)
    queue.start(replies=8, background=8, poll_seconds=POLL_SECONDS)
    await until(lambda: here.begun == ["alone"])
    try:
        await put(pool, queue, "L1", label="one")
        async with transaction(pool) as connection:
            await queue.defer(connection, "learn", queue=BACKGROUND, lock="L2", label="two")
        other.start(replies=8, background=8, poll_seconds=POLL_SECONDS)
        await until(lambda: sorted(there.begun) == ["one", "two"])
        await put(pool, queue, "L3", label="three")
        await until(lambda: "three" in there.begun)
        there.ended.release()
        there.ended.release()
        there.ended.release()
    finally:
        await other.stop()
    await put(pool, queue, "L4", label="four")
    await asyncio.sleep(20 * POLL_SECONDS)
    assert here.begun == ["alone"]
    here.ended.release()
    await until(lambda: here.begun == ["alone", "four"])
    here.ended.release()


@pytest.mark.parametrize("ends", ["well", "badly"])
@pytest.mark.parametrize("status", ["todo", "doing"])
async def test_a_job_that_was_given_to_another_worker_is_left_to_it(
    database: str, pool: Pool, queue: Queue, status: str, ends: str
) -> None:
    """A worker that was taken for dead and ends its job late changes nothing of it."""
    begun, finish = asyncio.Event(), asyncio.Event()

    async def work() -> None:
        begun.set()
        await finish.wait()
        if ends == "badly":
            raise RuntimeError

    queue.register("work", REPLIES, work, waits=(1, 1, 1))
    await put(pool, queue, "L1")
    queue.start(replies=1, background=1)
    await asyncio.wait_for(begun.wait(), SECONDS)
    owner_rows(
        database,
        "WITH other AS (INSERT INTO procrastinate_workers DEFAULT VALUES RETURNING id)"
        " UPDATE procrastinate_jobs SET status = %s::text::procrastinate_job_status,"
        " scheduled_at = now() + interval '9 s', worker_id = (SELECT id FROM other)",
        status,
    )
    finish.set()
    await queue.stop()
    [job] = jobs(database)
    assert (job["status"], job["attempts"]) == (status, 0)


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

    queue.register("work", BACKGROUND, work, waits=(1,))
    await hold_off(pool, queue, "L1")
    _let_pass(database, "L1", 300)
    async with transaction(pool) as connection:
        await queue.debounce(connection, "work", queue=BACKGROUND, lock="L1", delay=20, at_most=60)
        queue.start(replies=1, background=1, poll_seconds=POLL_SECONDS)
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(begun.wait(), 0.5)
    await asyncio.wait_for(begun.wait(), SECONDS)
