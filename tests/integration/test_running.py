"""Which messages a process answers, and what `beat` gives back of processes that died."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any

import psycopg

from bot.conversation.inbox import _FOLLOWED, CLAIM, THREAD_SETTING, Inbox
from bot.conversation.running import PERSON_AT_ONCE, RunningThreads
from bot.queue.queue import REPLIES, Queue
from memory import Pool
from memory.postgres import execute_statement, transaction, transaction_timeout
from tests.databases import owner_rows
from tests.integration.messages import following, message
from tests.integration.test_queue import jobs, leave_stalled
from tests.waiting import until

BACKLOG = 10_000


async def read_in_vain(
    pool: Pool, statement: str, values: dict[str, Any], scope: dict[str, str] | None = None
) -> int:
    """Execute a statement; return how many rows, or pairs of rows, it read and dropped."""
    async with transaction(pool, scope) as connection:
        found = await connection.execute(
            f"EXPLAIN (ANALYZE, FORMAT JSON) {statement}".encode(), values
        )
        [row] = await found.fetchall()
    return removed_rows(row["QUERY PLAN"][0]["Plan"])


def removed_rows(plan: dict[str, Any]) -> int:
    """Return how many rows a plan and its parts removed."""
    filters = ("Rows Removed by Filter", "Rows Removed by Join Filter")
    own = sum(plan.get(name, 0) for name in filters) * plan["Actual Loops"]
    return int(own) + sum(removed_rows(part) for part in plan.get("Plans", []))


def answered(database: str) -> None:
    """Store 10,000 answered messages."""
    with psycopg.connect(database, autocommit=True) as owner:
        owner.execute(
            "INSERT INTO messages (team_id, event_id, user_id, channel_id, ts, thread, status,"
            " ended_at) SELECT 'T1', 'Old' || n, 'U1', 'D1', 'old' || n, 'old' || n, 'answered',"
            " now() - interval '1 day' FROM generate_series(1, %s) AS n",
            (BACKLOG,),
        )
        owner.execute("ANALYZE messages")


async def test_a_thread_is_found_by_an_index(database: str, pool: Pool) -> None:
    """Taking a message, and a reply in a thread without the bot, read that thread's rows alone."""
    answered(database)
    asked(database, "t1")
    values = {"thread": "t1", "worker": 1}
    scope, other = (
        {THREAD_SETTING: "t1"},
        {"thread": "t2", "ts": "9", "user": "U1", "since": "0"},
    )
    assert await read_in_vain(pool, CLAIM, values, scope) < 100
    assert await read_in_vain(pool, f"SELECT {_FOLLOWED}", other, scope) < 100


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


class Answers:
    """Answers that last until they are let go, and the threads in the order they began."""

    def __init__(self) -> None:
        self.begun: list[str] = []
        self.go_on = asyncio.Event()
        self.inbox: Inbox | None = None

    async def __call__(self, thread: str) -> None:
        assert self.inbox is not None
        while claimed := await self.inbox.claim(thread):
            self.begun.append(claimed.message.text)
            await self.go_on.wait()
            await self.inbox.finish_without_turn(claimed, "skipped")
            if not claimed.more:
                return


@asynccontextmanager
async def process(
    pool: Pool, *, at_once: int = 64, patience: float = 25.0
) -> AsyncIterator[tuple[Inbox, Answers]]:
    """A process that answers messages."""
    answers, threads = Answers(), RunningThreads(pool)
    answers.inbox = Inbox(pool, threads)
    await threads.start(answers.__call__, at_once=at_once, patience=patience)
    try:
        yield answers.inbox, answers
    finally:
        await threads.stop()


def state(database: str) -> dict[str, tuple[int, int, bool]]:
    """Return attempts and crashes of each message, by its text, and whether it is answered."""
    found = owner_rows(
        database,
        "SELECT message->>'text' AS text, attempts, crashes, worker IS NOT NULL AS answered"
        " FROM messages WHERE message IS NOT NULL",
    )
    return {row["text"]: (row["attempts"], row["crashes"], row["answered"]) for row in found}


async def test_a_message_begins_where_it_is_stored_and_those_behind_it_in_order(
    pool: Pool, database: str
) -> None:
    """The first of a thread begins at once; the others one after the other; other threads too."""
    async with process(pool) as (inbox, answers):
        first = message("1")
        for one in (first, following(first, "2"), following(first, "3"), message("other")):
            assert await inbox.store(one)
        await until(lambda: answers.begun == ["1", "other"])
        assert state(database)["2"] == (0, 0, False)
        async with process(pool) as (other, _):
            assert await other.claim(first.thread) is None
        answers.go_on.set()
        await until(lambda: len(answers.begun) == 4)
        assert [text for text in answers.begun if text != "other"] == ["1", "2", "3"]
        await until(lambda: state(database) == {})


async def test_one_person_leaves_room_for_others(pool: Pool) -> None:
    """A limited number of a person's messages is answered at a time, in all processes."""
    async with process(pool) as (inbox, here), process(pool) as (_, there):
        for number in range(2 * PERSON_AT_ONCE):
            await inbox.store(message(f"a{number}", user_id="UA"))
        await inbox.store(message("b"))
        await until(lambda: "b" in [*here.begun, *there.begun])
        begun = [*here.begun, *there.begun]
        assert [text[0] for text in begun].count("a") == PERSON_AT_ONCE
        here.go_on.set()
        there.go_on.set()
        await until(lambda: len({*here.begun, *there.begun}) == 2 * PERSON_AT_ONCE + 1)
        assert len([*here.begun, *there.begun]) == 2 * PERSON_AT_ONCE + 1


async def test_what_a_full_process_stores_another_answers(pool: Pool) -> None:
    """Of two processes with one place each both answer; the third message waits for either."""
    async with process(pool, at_once=1) as (inbox, here), process(pool, at_once=1) as (_, there):
        for number in range(3):
            await inbox.store(message(str(number)))
        await until(lambda: len(there.begun) == 1)
        assert (here.begun, there.begun) == (["0"], ["1"])
        here.go_on.set()
        await until(lambda: here.begun == ["0", "2"])
        there.go_on.set()


async def test_what_is_not_answered_in_time_is_given_back_when_the_process_stops(
    pool: Pool, database: str
) -> None:
    """It counts as no crash, and another process begins it."""
    async with process(pool, patience=0.1) as (inbox, answers):
        await inbox.store(message("1"))
        await until(lambda: answers.begun == ["1"])
    assert state(database) == {"1": (1, 0, False)}
    async with process(pool) as (_, answers):
        answers.go_on.set()
        await until(lambda: answers.begun == ["1"])


async def test_a_message_whose_answer_from_postgresql_was_lost_is_begun(
    pool: Pool, database: str
) -> None:
    """PostgreSQL has stored that this process answers it, and the process does not know of it."""
    async with process(pool) as (inbox, answers):
        await Inbox(pool, RunningThreads(pool)).store(message("lost"))
        owner_rows(database, "UPDATE messages SET worker = %s", inbox.threads.process)
        answers.go_on.set()
        await until(lambda: answers.begun == ["lost"])


async def died(pool: Pool, database: str) -> None:
    """Let a process find that all others have not lived for a minute."""
    past = "UPDATE procrastinate_workers SET last_heartbeat = now() - interval '1 minute'"
    owner_rows(database, past)
    [me] = await execute_statement(
        pool, "INSERT INTO procrastinate_workers DEFAULT VALUES RETURNING id"
    )
    await execute_statement(pool, "SELECT beat(%s, '{}', true, 6)", (me["id"],))


async def test_a_crash_counts_against_messages_in_progress(pool: Pool, database: str) -> None:
    """A crash charges what a dead process was answering, and nothing that waits, ended or lives."""
    inbox = Inbox(pool, RunningThreads(pool))
    for text in ("dead", "waits", "pruned"):
        await inbox.store(message(text))
    answering = "UPDATE messages SET attempts = 1, worker = %s WHERE message->>'text' = %s"
    new = "INSERT INTO procrastinate_workers DEFAULT VALUES RETURNING id"
    [dead] = owner_rows(database, new)
    owner_rows(database, answering, dead["id"], "dead")
    owner_rows(database, answering, 4_711, "pruned")
    async with process(pool) as (other, answers):
        await other.store(message("lives"))
        await until(lambda: "lives" in answers.begun)
        silent = "UPDATE procrastinate_workers SET last_heartbeat = now() - interval '1 minute'"
        owner_rows(database, f"{silent} WHERE id = %s", dead["id"])
        await until(lambda: {"dead", "pruned", "waits"} <= {*answers.begun})
        counted = {text: crashes for text, (_, crashes, _) in state(database).items()}
        assert counted == {"dead": 1, "waits": 0, "pruned": 1, "lives": 0}
        answers.go_on.set()


async def test_of_messages_with_two_crashes_one_is_answered_at_a_time(
    pool: Pool, database: str
) -> None:
    """Others begin beside it; the next such message begins when it ends."""
    for text in ("first", "second"):
        await Inbox(pool, RunningThreads(pool)).store(message(text))
    owner_rows(database, "UPDATE messages SET crashes = 2")
    async with process(pool) as (inbox, answers):
        await until(lambda: answers.begun == ["first"])
        await inbox.store(message("other"))
        await until(lambda: answers.begun == ["first", "other"])
        answers.go_on.set()
        await until(lambda: answers.begun == ["first", "other", "second"])


async def test_a_turn_has_no_limit_of_the_request_that_stored_its_message(pool: Pool) -> None:
    """The seconds that Slack waits for an acknowledgement limit no statement of the answer."""
    ended = asyncio.Event()

    async def answer(_: str) -> None:
        await execute_statement(pool, "SELECT pg_sleep(1.5)")
        ended.set()

    threads = RunningThreads(pool)
    await threads.start(answer, at_once=1)
    try:
        with transaction_timeout(1.0):
            assert await Inbox(pool, threads).store(message("slow"))
        await asyncio.wait_for(ended.wait(), 60)
    finally:
        await threads.stop()


async def test_of_many_that_beat_at_once_one_gives_back_each_job_once(
    pool: Pool, database: str
) -> None:
    """The jobs of dead workers wait again, once, but where another of their lock waits."""
    queue = Queue(pool)
    await queue.open()
    locks = [f"L{n}" for n in range(40)]

    async def put(*names: str) -> None:
        async with transaction(pool) as connection:
            for lock in names:
                await queue.defer(connection, "work", {lock: {}}, queue=REPLIES)

    await put(*locks)
    leave_stalled(database)
    await put(*locks[:10])
    beats: list[Callable[[], Awaitable[Any]]] = [lambda: died(pool, database)] * 8
    await asyncio.gather(*(beat() for beat in beats))
    left = jobs(database)
    assert [job["lock"] for job in left] == [*locks[10:], *locks[:10]]
    assert {job["status"] for job in left} == {"todo"}
    assert [job["attempts"] for job in left] == [1] * 30 + [0] * 10
