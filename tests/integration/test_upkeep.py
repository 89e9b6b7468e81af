"""What nobody waits for: poison ends, and what is over is deleted."""

from __future__ import annotations

import pytest

from bot.conversation.inbox import MAX_ATTEMPTS
from bot.runtime.maintenance import keep_up
from tests.integration.app import App
from tests.integration.messages import message


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


async def test_a_message_that_cannot_be_begun_ends_as_failed(
    app: App, caplog: pytest.LogCaptureFixture
) -> None:
    """What fails before its turn begins is given up, without its body, and named by its ids."""
    poison = message()
    await app.inbox.store(poison)
    [event] = app.rows("SELECT id FROM messages")
    for attempts in (MAX_ATTEMPTS, MAX_ATTEMPTS + 1):
        assert app.rows("SELECT 1 FROM messages WHERE status = 'waiting'")
        app.rows("UPDATE messages SET attempts = %s", attempts)
        await keep_up(app.wiring.app, 0)
    [row] = app.rows("SELECT status, message FROM messages")
    assert row == {"status": "failed", "message": None}
    assert f"message {event['id']} of thread {poison.thread} ended as failed" in caplog.text
    assert poison.text not in caplog.text


async def test_what_is_over_is_deleted_in_its_time(app: App) -> None:
    """Skipped messages go after two days, failed ones and failed jobs after two weeks."""
    for status in ("skipped", "failed", "gone", "waiting"):
        one = message()
        await app.inbox.store(one)
        ended = "CASE WHEN status <> 'waiting' THEN now() END"
        app.rows("UPDATE messages SET status = %s WHERE thread = %s", status, one.thread)
        app.rows(f"UPDATE messages SET ended_at = {ended} WHERE thread = %s", one.thread)
    columns = "(queue_name, task_name, status)"
    app.rows(f"INSERT INTO procrastinate_jobs {columns} VALUES ('q', 'work', 'doing')")
    app.rows("UPDATE procrastinate_jobs SET status = 'failed'")

    async def left(days: float) -> tuple[set[str], int]:
        age(app, days)
        await keep_up(app.wiring.app, 0)
        events = {row["status"] for row in app.rows("SELECT status FROM messages")}
        [jobs] = app.rows("SELECT count(*) FROM procrastinate_jobs WHERE status = 'failed'")
        return events, int(jobs["count"])

    assert await left(1.9) == ({"skipped", "failed", "gone", "waiting"}, 1)
    assert await left(2.1) == ({"failed", "gone", "waiting"}, 1)
    assert await left(13.9) == ({"failed", "gone", "waiting"}, 1)
    assert await left(14.1) == ({"waiting"}, 0)
