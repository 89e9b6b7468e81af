"""What nobody waits for: lost work is found, poison ends, and what is over is deleted."""

from __future__ import annotations

import pytest

from tests.integration.app import App
from tests.integration.messages import message


def jobs(app: App) -> list[tuple[str, str]]:
    """Return lock and status of every job."""
    found = app.rows("SELECT lock, status::text FROM procrastinate_jobs ORDER BY id")
    return [(row["lock"], row["status"]) for row in found]


def age(app: App, days: float) -> None:
    """Make everything older."""
    back = "now() - make_interval(secs => %s)"
    seconds = days * 86_400
    app.rows(f"UPDATE inbox_events SET received_at = {back}, finished_at = {back}", *[seconds] * 2)
    app.rows(f"UPDATE turns SET intended_at = {back}", seconds)
    app.rows(f"UPDATE procrastinate_events SET at = {back}", seconds)


async def keep_up(app: App) -> None:
    """Run the minutely job."""
    await app.maintenance.keep_up(0)


MINUTES = 5 / 1440


async def test_a_message_without_a_job_gets_one(app: App, caplog: pytest.LogCaptureFixture) -> None:
    """A message that waits though no job is to answer it gets a job; one that has one is left."""
    lost, kept = message(), message()
    await app.wiring.inbox.store(lost)
    app.rows("DELETE FROM procrastinate_jobs")
    await app.wiring.inbox.store(kept)
    age(app, MINUTES)
    fresh = message()
    await app.wiring.inbox.store(fresh)
    app.rows("DELETE FROM procrastinate_jobs WHERE lock = %s", f"replies:{fresh.thread}")
    for _ in range(2):
        await keep_up(app)
        assert sorted(jobs(app)) == sorted(
            (f"replies:{one.thread}", "todo") for one in (kept, lost)
        )
    assert "found 1 thread(s) that waited without a job" in caplog.text


async def test_a_message_that_fails_in_three_jobs_ends_as_failed(
    app: App, caplog: pytest.LogCaptureFixture
) -> None:
    """Poison is tried by three jobs; then it is failed, without its body, and named by its ids."""
    poison = message()
    await app.wiring.inbox.store(poison)
    [event] = app.rows("SELECT id FROM inbox_events")
    for round_ in range(3):
        app.rows("UPDATE procrastinate_jobs SET status = 'doing' WHERE status = 'todo'")
        app.rows("UPDATE procrastinate_jobs SET status = 'failed' WHERE status = 'doing'")
        app.rows("UPDATE inbox_events SET received_at = now() - interval '2 minutes'")
        waiting = app.rows("SELECT 1 FROM inbox_events WHERE status = 'waiting'")
        assert bool(waiting), f"it was given up after {round_} jobs"
        await keep_up(app)
    [row] = app.rows("SELECT status, message FROM inbox_events")
    assert row == {"status": "failed", "message": None}
    assert f"event {event['id']} of thread {poison.thread} ended as failed" in caplog.text
    assert poison.text not in caplog.text
    assert [status for _, status in jobs(app)] == ["failed"] * 3


async def test_what_is_over_is_deleted_in_its_time(app: App) -> None:
    """Answered events go after two days, failed ones and failed jobs after two weeks."""
    for status in ("done", "failed", "withdrawn", "waiting"):
        one = message()
        await app.wiring.inbox.store(one)
        app.rows("UPDATE inbox_events SET status = %s WHERE thread = %s", status, one.thread)
    app.rows("UPDATE procrastinate_jobs SET status = 'doing'")
    app.rows("UPDATE procrastinate_jobs SET status = 'failed'")

    async def left(days: float) -> tuple[set[str], int]:
        age(app, days)
        await keep_up(app)
        events = {row["status"] for row in app.rows("SELECT status FROM inbox_events")}
        return events, [status for _, status in jobs(app)].count("failed")

    assert await left(1.9) == ({"done", "failed", "withdrawn", "waiting"}, 4)
    assert await left(2.1) == ({"failed", "withdrawn", "waiting"}, 4)
    assert await left(13.9) == ({"failed", "withdrawn", "waiting"}, 4)
    assert await left(14.1) == ({"waiting"}, 0)


async def test_a_turn_whose_message_waits_no_longer_is_ended(app: App) -> None:
    """A turn that was left in the middle ends as failed, and its words can be remembered."""
    for name, words in (("1", "I like ramen"), ("2", ""), ("3", "I like sushi")):
        app.rows(
            "INSERT INTO turns (id, team_id, user_id, channel_id, thread, audience, question_ts,"
            " question, words) VALUES (gen_random_uuid(), 'T1', 'U1', 'D1', 'T1.D1.1', 'dm', %s,"
            " '', %s)",
            name,
            words,
        )
    age(app, 0.5)
    app.rows("UPDATE turns SET intended_at = now() WHERE question_ts = '3'")
    await keep_up(app)
    found = app.rows(
        "SELECT status, ended_at IS NOT NULL AS ended, formed_at IS NULL AS to_form FROM turns"
        " ORDER BY question_ts"
    )
    assert [tuple(row.values()) for row in found] == [
        ("failed", True, True),
        ("failed", True, False),
        ("answering", False, True),
    ]
