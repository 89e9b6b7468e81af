"""What nobody waits for: lost work is found, poison ends, and what is over is deleted."""

from __future__ import annotations

import pytest

from bot.runtime.maintenance import keep_up
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
    app.rows(
        f"UPDATE messages SET received_at = {back},"
        f" ended_at = CASE WHEN ended_at IS NOT NULL THEN {back} END",
        *[seconds] * 2,
    )
    app.rows(f"UPDATE procrastinate_events SET at = {back}", seconds)


MINUTES = 5 / 1440


async def test_a_message_without_a_job_gets_one(app: App, caplog: pytest.LogCaptureFixture) -> None:
    """A message that waits though no job is to answer it gets a job; one that has one is left."""
    lost, kept = message(), message()
    await app.inbox.store(lost)
    app.rows("DELETE FROM procrastinate_jobs")
    await app.inbox.store(kept)
    age(app, MINUTES)
    fresh = message()
    await app.inbox.store(fresh)
    app.rows("DELETE FROM procrastinate_jobs WHERE lock = %s", f"replies:{fresh.thread}")
    for _ in range(2):
        await keep_up(app.wiring.app, 0)
        assert sorted(jobs(app)) == sorted(
            (f"replies:{one.thread}", "todo") for one in (kept, lost)
        )
    assert "found 1 thread(s) that waited without a job" in caplog.text


async def test_a_message_that_fails_in_three_jobs_ends_as_failed(
    app: App, caplog: pytest.LogCaptureFixture
) -> None:
    """Poison is tried by three jobs; then it is failed, without its body, and named by its ids."""
    poison = message()
    await app.inbox.store(poison)
    [event] = app.rows("SELECT id FROM messages")
    for round_ in range(3):
        app.rows("UPDATE procrastinate_jobs SET status = 'doing' WHERE status = 'todo'")
        app.rows("UPDATE procrastinate_jobs SET status = 'failed' WHERE status = 'doing'")
        app.rows("UPDATE messages SET received_at = now() - interval '2 minutes'")
        waiting = app.rows("SELECT 1 FROM messages WHERE status = 'waiting'")
        assert bool(waiting), f"it was given up after {round_} jobs"
        await keep_up(app.wiring.app, 0)
    [row] = app.rows("SELECT status, message FROM messages")
    assert row == {"status": "failed", "message": None}
    assert f"message {event['id']} of thread {poison.thread} ended as failed" in caplog.text
    assert poison.text not in caplog.text
    assert [status for _, status in jobs(app)] == ["failed"] * 3


async def test_what_is_over_is_deleted_in_its_time(app: App) -> None:
    """Skipped messages go after two days, failed ones and failed jobs after two weeks."""
    for status in ("skipped", "failed", "gone", "waiting"):
        one = message()
        await app.inbox.store(one)
        ended = "CASE WHEN status <> 'waiting' THEN now() END"
        app.rows("UPDATE messages SET status = %s WHERE thread = %s", status, one.thread)
        app.rows(f"UPDATE messages SET ended_at = {ended} WHERE thread = %s", one.thread)
    app.rows("UPDATE procrastinate_jobs SET status = 'doing'")
    app.rows("UPDATE procrastinate_jobs SET status = 'failed'")

    async def left(days: float) -> tuple[set[str], int]:
        age(app, days)
        await keep_up(app.wiring.app, 0)
        events = {row["status"] for row in app.rows("SELECT status FROM messages")}
        return events, [status for _, status in jobs(app)].count("failed")

    assert await left(1.9) == ({"skipped", "failed", "gone", "waiting"}, 4)
    assert await left(2.1) == ({"failed", "gone", "waiting"}, 4)
    assert await left(13.9) == ({"failed", "gone", "waiting"}, 4)
    assert await left(14.1) == ({"waiting"}, 0)
