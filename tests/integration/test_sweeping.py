"""What the workers look after every other second: dead workers' jobs, and whose turn it is."""

from __future__ import annotations

import asyncio
from typing import Any

import psycopg
import pytest
from procrastinate.jobs import Job

from bot.conversation.inbox import ANSWER
from bot.queue.queue import REPLIES, Queue
from bot.queue.sweep import MAX_CRASHES, beat, free_stalled, give_up_jobs
from memory import Pool
from memory.postgres import transaction
from tests.databases import owner_rows
from tests.integration.test_queue import jobs, leave_stalled

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
    """Of many that find a dead worker one gives its jobs back, once, but where another waits."""
    locks = [f"L{n}" for n in range(40)]
    await put(pool, queue, *locks)
    leave_stalled(database)
    await put(pool, queue, *locks[:10])
    await asyncio.gather(*(free_stalled(pool) for _ in range(8)))
    left = jobs(database)
    assert [job["lock"] for job in left] == [*locks[10:], *locks[:10]]
    assert {job["status"] for job in left} == {"todo"}
    assert [job["attempts"] for job in left] == [1] * 30 + [0] * 10


def asked(database: str, *threads: str, attempts: int = 1, status: str = "waiting") -> None:
    """Store a message for each of these threads, with attempts at it."""
    owner_rows(
        database,
        "INSERT INTO messages (team_id, event_id, user_id, channel_id, ts, thread,"
        " attempts, status) SELECT 'T1', 'Ev' || thread, 'U1', 'D1', thread,"
        " thread, %s, %s FROM unnest(%s::text[]) AS thread",
        attempts,
        status,
        list(threads),
    )


def crashes(database: str) -> dict[str, int]:
    """Return the crashes of each message, by thread."""
    with psycopg.connect(database) as owner:
        return dict(owner.execute("SELECT thread, crashes FROM messages").fetchall())


async def answers(pool: Pool, queue: Queue, *threads: str) -> None:
    """Add the jobs that answer in these threads."""
    async with transaction(pool) as connection:
        for thread in threads:
            lock = f"{REPLIES}:{thread}"
            await queue.defer(connection, ANSWER, queue=REPLIES, lock=lock, thread=thread)


async def test_a_crash_counts_against_messages_in_progress(
    database: str, pool: Pool, queue: Queue
) -> None:
    """A crash charges what a dead process was answering, and nothing that waits, ended or lives."""
    await answers(pool, queue, "t1", "t2", "t3")
    leave_stalled(database)
    asked(database, "t1")
    asked(database, "t2", attempts=0)
    asked(database, "t3", status="answered")
    with psycopg.connect(database) as owner:
        # Its worker was taken off the list by another one that started.
        owner.execute("DELETE FROM procrastinate_workers")
    await answers(pool, queue, "t4")
    asked(database, "t4")
    owner_rows(
        database,
        "WITH me AS (INSERT INTO procrastinate_workers DEFAULT VALUES RETURNING id)"
        " UPDATE procrastinate_jobs SET status = 'doing', worker_id = (SELECT id FROM me)"
        " WHERE args->>'thread' = 't4'",
    )
    await free_stalled(pool)
    assert crashes(database) == {"t1": 1, "t2": 0, "t3": 0, "t4": 0}
    assert [job["alone"] for job in marks(database)] == [False] * 4


async def test_a_worker_whose_process_beats_is_alive(pool: Pool, queue: Queue) -> None:
    """A heartbeat keeps a worker's jobs; without one they are found, and the beat says so."""
    worker = await queue.jobs.register_worker()
    await put(pool, queue, "L1")
    taken = "UPDATE procrastinate_jobs SET status = 'doing', worker_id = %s"
    async with transaction(pool) as connection:
        await connection.execute(taken, (worker,))
        await connection.execute(
            "UPDATE procrastinate_workers SET last_heartbeat = now() - interval '1 minute'"
        )
    dead, running = await beat(pool, [])
    assert (dead, running) == (True, [])
    await beat(pool, queue.jobs.workers)
    dead, running = await beat(pool, queue.jobs.workers)
    assert (dead, len(running)) == (False, 1)


async def test_a_job_that_its_process_does_not_know_of_is_given_back(
    database: str, pool: Pool, queue: Queue
) -> None:
    """The answer to the statement that stored it as running was lost; the process lives on."""
    worker = await queue.jobs.register_worker()
    await put(pool, queue, "known", "unknown")
    owner_rows(database, "UPDATE procrastinate_jobs SET status = 'doing', worker_id = %s", worker)
    [known] = [one for one in jobs(database) if one["lock"] == "known"]
    queue.jobs.run(
        Job(id=known["id"], queue=REPLIES, lock="known", queueing_lock="known", task_name="work")
    )
    for _ in range(3):
        dead, running = await beat(pool, queue.jobs.workers)
        assert (dead, len(running)) == (False, 2)
        lost = queue.jobs.lost_jobs(running)
    await give_up_jobs(pool, lost)
    await free_stalled(pool)
    states = {one["lock"]: one["status"] for one in jobs(database)}
    assert states == {"known": "doing", "unknown": "todo"}


def marks(database: str) -> list[dict[str, Any]]:
    """Return what each waiting or running job says of how it runs."""
    return owner_rows(
        database,
        "SELECT args->>'thread' AS thread, alone,"
        " extract(epoch FROM scheduled_at - now())::float AS due_in"
        " FROM procrastinate_jobs ORDER BY id",
    )


async def test_after_two_crashes_a_message_runs_alone(
    database: str, pool: Pool, queue: Queue
) -> None:
    """It does so also where another job of its thread waits; before the last time, it waits."""
    await answers(pool, queue, "t1", "t2")
    asked(database, "t1", "t2")
    for crash in range(MAX_CRASHES - 1):
        leave_stalled(database)
        if crash == 1:
            await answers(pool, queue, "t2")
        await free_stalled(pool)
        assert [job["alone"] for job in marks(database)] == [crash > 0] * 2
    assert crashes(database) == {"t1": MAX_CRASHES - 1, "t2": MAX_CRASHES - 1}
    assert [job["due_in"] > 8 for job in marks(database)] == [True] * 2
