"""A mention that Slack delivers late brings along what was written below it meanwhile."""

from __future__ import annotations

import time
from dataclasses import dataclass, replace
from typing import Any

import pytest

from bot.listeners import events
from bot.listeners.events import enqueue
from bot.pipeline import backfill
from bot.pipeline.backfill import READ_MISSED
from bot.slack.messages import Message
from tests.integration.app import App
from tests.integration.playground_slack import PersonThread


@dataclass
class Thread:
    """A thread in a public channel which somebody began; messages in it are not delivered yet."""

    app: App
    place: PersonThread

    def says(self, text: str, **more: Any) -> Message:
        """Let the person write in the thread."""
        slack, place = self.app.slack, self.place
        said = slack.say(place.user, place.channel, text, thread_ts=place.root)
        written = text.replace("<@BOT>", f"<@{slack.bot_user_id}>")
        return slack.message(
            place,
            ts=said["ts"],
            thread_ts=place.root,
            text=written,
            addressed="<@BOT>" in text,
            **more,
        )

    async def delivered(self, message: Message) -> None:
        """Store a message as an event that Slack delivers."""
        await enqueue(self.app.core, message)

    async def follow_ups(self) -> dict[str, Any]:
        """Run the one waiting job that reads follow-ups; return its arguments."""
        [job] = self.jobs()
        await backfill.read(self.app.core, **job["args"])
        return dict(job["args"])

    def stored(self) -> list[str]:
        """Return the texts of the messages that wait."""
        found = self.app.rows("SELECT message->>'text' AS text FROM messages ORDER BY ts")
        return [row["text"] for row in found]

    def jobs(self) -> list[dict[str, Any]]:
        """Take the waiting jobs that read follow-ups out of the queue."""
        return self.app.rows(
            "DELETE FROM procrastinate_jobs WHERE task_name = %s AND status = 'todo'"
            " RETURNING args, extract(epoch FROM scheduled_at - now())::float AS due_in",
            READ_MISSED,
        )


@pytest.fixture
def thread(app: App, monkeypatch: pytest.MonkeyPatch) -> Thread:
    """A thread with nothing of the app in it; every mention counts as late."""
    monkeypatch.setattr(events, "_LATE_DELIVERY_SECONDS", float("-inf"))
    return Thread(app, app.slack.place(channel="public"))


async def test_a_follow_up_that_overtakes_its_mention_is_answered_after_it(thread: Thread) -> None:
    """Delivered first, it is read from Slack when the mention comes, and answered after it."""
    app = thread.app
    mention, follow_up = thread.says("<@BOT> one"), thread.says("two")
    await thread.delivered(follow_up)
    assert thread.stored() == []
    await thread.delivered(mention)
    assert (await thread.follow_ups())["oldest"] == mention.ts
    await app.answering.drain(mention.thread)
    asked = app.rows("SELECT question FROM messages ORDER BY ts")
    assert [row["question"] for row in asked] == ["one", "two"]
    await thread.delivered(follow_up)
    assert len(app.rows("SELECT 1 FROM messages")) == 2


async def test_a_mention_in_time_reads_nothing(app: App) -> None:
    """A mention that is delivered at once asks nothing of Slack, nor does a direct message."""
    thread = Thread(app, app.slack.place(channel="public"))
    await thread.delivered(written(thread.says("<@BOT> hello"), ago=30.0))
    await app.receive(app.slack.place(), "hello")
    assert thread.jobs() == []


def written(message: Message, *, ago: float) -> Message:
    """Return a message as if it had been written so many seconds ago."""
    return replace(message, ts=f"{time.time() - ago:.6f}")


@pytest.mark.parametrize("error", ["thread_not_found", "missing_scope"])
async def test_a_thread_that_cannot_be_read_is_left(thread: Thread, error: str) -> None:
    """Where no later attempt could succeed the job ends."""
    app = thread.app
    mention = thread.says("<@BOT> one")
    await thread.delivered(mention)
    app.slack.fault("conversations.replies", error=error)
    await thread.follow_ups()
    assert thread.jobs() == []
