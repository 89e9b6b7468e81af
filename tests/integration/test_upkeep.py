"""What nobody waits for: lost jobs are added again, what is over goes, whatever of it fails."""

from __future__ import annotations

import psycopg
import pytest

from bot.conversation.inbox import ANSWER, store_message
from bot.queue.queue import Queue
from bot.runtime.maintenance import end_what_is_old, keep_up
from memory import DM, Person, Pool, list_memories
from memory.store import expire_due
from tests.databases import owner_rows
from tests.integration.app import App, app_without_slack
from tests.integration.messages import message
from tests.memories import put_memory


def age(app: App, days: float) -> None:
    """Make everything older."""
    seconds = days * 86_400
    app.rows(
        "UPDATE messages SET ended_at = now() - make_interval(secs => %s)"
        " WHERE ended_at IS NOT NULL",
        seconds,
    )
    app.rows(
        "UPDATE procrastinate_events SET at = now() - make_interval(secs => %s)",
        seconds,
    )


async def test_a_message_whose_job_was_lost_gets_another(app: App) -> None:
    """A thread is answered although its job is gone, once; one that has a job is left alone."""
    lost, died, waiting, answered = (message() for _ in range(4))
    for one in (lost, died, waiting, answered):
        await store_message(app.core, one)
    for one in (died, answered):
        app.rows(
            "UPDATE messages SET token = gen_random_uuid() WHERE thread = %s",
            one.thread,
        )
    app.rows(
        "UPDATE procrastinate_jobs SET status = 'doing' WHERE lock = %s",
        answered.thread,
    )
    for one in (lost, died):
        app.rows("DELETE FROM procrastinate_jobs WHERE lock = %s", one.thread)
    for _ in range(2):
        await keep_up(app.core)
    jobs = app.rows(
        "SELECT lock, status FROM procrastinate_jobs WHERE task_name = %s", ANSWER
    )
    found = sorted((job["lock"], job["status"]) for job in jobs)
    todo = [(one.thread, "todo") for one in (lost, died, waiting)]
    assert found == sorted([*todo, (answered.thread, "doing")])


async def test_what_is_over_is_deleted_in_its_time(app: App) -> None:
    """Skipped messages go after two days, failed ones and failed jobs after two weeks."""
    for status in ("skipped", "failed", "deleted", "waiting"):
        one = message()
        await store_message(app.core, one)
        ended = "CASE WHEN status <> 'waiting' THEN now() END"
        app.rows(
            "UPDATE messages SET status = %s WHERE thread = %s", status, one.thread
        )
        app.rows(
            f"UPDATE messages SET ended_at = {ended} WHERE thread = %s", one.thread
        )
    columns = "(queue_name, task_name, status)"
    app.rows(f"INSERT INTO procrastinate_jobs {columns} VALUES ('q', 'work', 'doing')")
    app.rows("UPDATE procrastinate_jobs SET status = 'failed' WHERE task_name = 'work'")

    async def left(days: float) -> tuple[set[str], int]:
        age(app, days)
        await keep_up(app.core)
        events = {row["status"] for row in app.rows("SELECT status FROM messages")}
        [jobs] = app.rows(
            "SELECT count(*) FROM procrastinate_jobs WHERE status = 'failed'"
        )
        return events, int(jobs["count"])

    assert await left(1.9) == ({"skipped", "failed", "deleted", "waiting"}, 1)
    assert await left(2.1) == ({"failed", "deleted", "waiting"}, 1)
    assert await left(13.9) == ({"failed", "deleted", "waiting"}, 1)
    assert await left(14.1) == ({"waiting"}, 0)


ANN, BOB = Person("T1", "U1"), Person("T1", "U2")


def remember(
    database: str, person: Person, at: str = "2026-01-01", *, ends: bool = False
) -> None:
    """Store a memory of that moment; `ends`: it expired a minute ago."""
    value = {"kind": "UserFact", "content": {"fact": "a fact"}, "sources": []}
    key = put_memory(database, person.namespace(DM), value, at=at)
    if ends:
        ended = (
            "UPDATE statements SET until = now() - interval '1 minute' WHERE key = %s"
        )
        owner_rows(database, ended, key)


@pytest.mark.parametrize("date", ["0001-12-31 BC", "infinity", "2100-01-01"])
def test_dates_outside_2000_to_2100_are_refused(database: str, date: str) -> None:
    """PostgreSQL refuses such a row, whichever tool writes to the store."""
    with pytest.raises(psycopg.errors.CheckViolation):
        remember(database, ANN, date)
    with pytest.raises(psycopg.errors.CheckViolation):
        owner_rows(
            database,
            "INSERT INTO memory_off (team_id, user_id, scope, until_at)"
            " VALUES ('T1', 'U1', '', %s)",
            "2100-01-02" if date == "2100-01-01" else date,
        )


async def test_expiry_goes_on_for_the_others(
    pool: Pool, database: str, caplog: pytest.LogCaptureFixture
) -> None:
    """Rows of nobody, as another tool may store them, do not stop it; the log names no person."""
    owner_rows(
        database,
        "INSERT INTO store (prefix, key, value, expires_at)"
        " VALUES ('chat.T1.u-1.dm', 'nobody', '{\"kind\": \"Note\", \"content\": {}}',"
        " '2020-01-01')",
    )
    owner_rows(
        database,
        "INSERT INTO statements (id, team_id, user_id, key, audience, kind, act, actor, subject,"
        " evidence, said_at, zone, batch, state, reason, open_until) VALUES (gen_random_uuid(),"
        " 'T1', 'u-1', 'nobody', 'dm', 'UserFact', 'say', 'formation', '', 'said', now(), 'UTC',"
        " gen_random_uuid(), 'refused', 'unusable', '2020-01-01')",
    )
    owner_rows(
        database,
        "INSERT INTO messages (team_id, user_id, channel_id, ts, thread, begun_at, ended_at)"
        " VALUES ('T1', 'u-1', 'D1', '1.0', 'T1.D1.1.0', '2020-01-01', '2020-01-01')",
    )
    remember(database, BOB, ends=True)
    await expire_due(pool)
    await end_what_is_old(pool, Queue(pool), 30)
    assert [row["key"] for row in owner_rows(database, "SELECT key FROM store")] == [
        "nobody"
    ]
    warnings = [
        one.getMessage() for one in caplog.records if one.levelname == "WARNING"
    ]
    expiry, retention = warnings
    assert expiry == "nothing of a person was expired: InvalidNamespace"
    assert retention.startswith("the retention of a person failed: InvalidNamespace")


async def test_questions_and_refusals_end(pool: Pool, database: str) -> None:
    """They quote the person, and are deleted when their time is over."""
    owner_rows(
        database,
        "INSERT INTO statements (id, team_id, user_id, key, audience, kind, act, actor, content,"
        " subject, evidence, said_at, zone, batch, state, reason, open_until)"
        " SELECT gen_random_uuid(), 'T1', user_id, 'k', 'dm', 'UserFact', 'say', 'formation', '{}',"
        " '', evidence, now(), 'UTC', gen_random_uuid(), state, reason, now() + ends FROM (VALUES"
        " ('U1', 'asked long ago', 'asked', NULL, interval '-1 minute'),"
        " ('U2', 'refused long ago', 'refused', 'unusable', interval '-1 minute'),"
        " ('U2', 'refused today', 'refused', 'unusable', interval '1 minute')"
        ") AS given (user_id, evidence, state, reason, ends)",
    )
    await expire_due(pool)
    left = owner_rows(database, "SELECT evidence FROM statements")
    assert [row["evidence"] for row in left] == ["refused today"]


async def test_a_step_of_the_upkeep_that_fails_stops_no_other(
    pool: Pool, database: str
) -> None:
    """Each step runs whether or not the one before failed."""
    remember(database, BOB, ends=True)
    remember(database, ANN, "2020-01-01")
    for function in ("unanswered_threads", "clear_away", "end_history"):
        owner_rows(database, f"ALTER FUNCTION {function} RENAME TO {function}_away")
    queue = Queue(pool)
    await queue.open()
    await keep_up(app_without_slack(pool, queue, 30))
    await queue.stop()
    assert await list_memories(pool, BOB) == []
    assert await list_memories(pool, ANN) == []
