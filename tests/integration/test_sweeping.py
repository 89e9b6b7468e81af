"""What the workers look after every other second: dead workers' jobs, and whose turn it is."""

from __future__ import annotations

import asyncio
from typing import Any

import psycopg
import pytest

from bot.running.queue import REPLIES, Queue
from bot.running.sweeping import LATE_SECONDS, free_stalled, let_the_newest_through
from memory import Pool, transaction
from tests.integration.test_queue import jobs, leave_stalled

BACKLOG = 10_000
SECONDS = 15.0


@pytest.fixture
async def queue(pool: Pool) -> Queue:
    """A queue that nobody works."""
    opened = Queue(pool)
    await opened.open()
    return opened


async def put(pool: Pool, queue: Queue, *locks: str) -> None:
    """Add jobs."""
    async with transaction(pool) as connection:
        for lock in locks:
            await queue.defer(connection, "work", queue=REPLIES, lock=lock)


async def test_all_who_sweep_at_once_give_back_each_job_once(
    database: str, pool: Pool, queue: Queue
) -> None:
    """Of many workers that find the same dead one, one gives its jobs back; none is given twice."""
    locks = [f"L{n}" for n in range(40)]
    await put(pool, queue, *locks)
    leave_stalled(database)
    await put(pool, queue, *locks[:10])
    freed = await asyncio.gather(*(free_stalled(pool, 6) for _ in range(8)))
    assert sorted(freed) == [0] * 7 + [40]
    left = jobs(database)
    assert [job["lock"] for job in left] == [*locks[10:], *locks[:10]]
    assert {job["status"] for job in left} == {"todo"}
    assert [job["attempts"] for job in left] == [1] * 30 + [0] * 10


async def test_a_job_that_runs_again_is_left_alone(database: str, pool: Pool, queue: Queue) -> None:
    """The job of a worker that lives is not given back, nor one that has just been taken again."""
    await put(pool, queue, "L1")
    leave_stalled(database)
    assert await free_stalled(pool, 6) == 1
    await fetch(pool)
    assert await free_stalled(pool, 6) == 0
    assert [job["status"] for job in jobs(database)] == ["doing"]


async def fetch(pool: Pool) -> dict[str, Any]:
    """Take the next job, as a worker that lives does."""
    async with transaction(pool) as connection:
        found = await connection.execute(
            "WITH me AS (INSERT INTO procrastinate_workers DEFAULT VALUES RETURNING id)"
            " SELECT job.id, job.lock FROM me, procrastinate_fetch_job_v2(%s, me.id) AS job",
            ([REPLIES],),
        )
        [job] = await found.fetchall()
    return job


def age(database: str, seconds: int) -> None:
    """Make every job older."""
    with psycopg.connect(database) as owner:
        owner.execute(
            "UPDATE procrastinate_events SET at = at - make_interval(secs => %s)", (seconds,)
        )


async def test_who_writes_now_does_not_wait_behind_an_outage(
    database: str, pool: Pool, queue: Queue
) -> None:
    """Behind 10,000 that waited too long a few come first, then who writes now, then the others."""
    with psycopg.connect(database) as owner:
        owner.execute(
            "INSERT INTO procrastinate_jobs (queue_name, task_name, lock, queueing_lock)"
            " SELECT %s, 'work', 'old' || n, 'old' || n FROM generate_series(1, %s) AS n",
            (REPLIES, BACKLOG),
        )
    age(database, LATE_SECONDS + 1)
    async with transaction(pool) as connection:
        await queue.defer(connection, "work", queue=REPLIES, lock="caught up with", behind=True)
    await put(pool, queue, "new1", "new2")
    for _ in range(2):
        await let_the_newest_through(pool, REPLIES)
    # By an index: reading all that wait for each job would take minutes.
    async with asyncio.timeout(SECONDS):
        taken = [(await fetch(pool))["lock"] for _ in range(8)]
    assert taken == [*(f"old{n}" for n in range(1, 5)), "new1", "new2", "old5", "old6"]
    # The share of those that have waited is theirs again and again.
    await put(pool, queue, "new3")
    await let_the_newest_through(pool, REPLIES)
    taken = [(await fetch(pool))["lock"] for _ in range(5)]
    assert taken == [*(f"old{n}" for n in range(7, 11)), "new3"]
