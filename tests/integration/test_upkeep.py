"""What nobody waits for: lost jobs are added again, and what is over is deleted."""

from __future__ import annotations

from bot.conversation.inbox import ANSWER, store_message
from bot.runtime.maintenance import keep_up
from tests.integration.app import App
from tests.integration.messages import message


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
