"""Threads that are followed, and mentions that Slack delivers late."""

from __future__ import annotations

import time
from dataclasses import dataclass, replace
from typing import Any

import pytest

from bot.conversation import backfill
from bot.conversation.backfill import READ_MISSED
from bot.conversation.inbox import store_message
from bot.listeners import events
from bot.listeners.events import enqueue
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
        await enqueue(self.app.core, message, message.ts)

    async def follow_ups(self) -> dict[str, Any]:
        """Run the one waiting job that reads follow-ups; return its arguments."""
        [job] = self.jobs()
        await backfill.read_missed_messages(self.app.core, **job["args"])
        return dict(job["args"])

    def stored(self) -> list[str]:
        """Return the texts of the messages that wait."""
        found = self.app.rows(
            "SELECT message->>'text' AS text FROM messages ORDER BY ts"
        )
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


async def test_a_follow_up_that_overtakes_its_mention_is_answered_after_it(
    thread: Thread,
) -> None:
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


@pytest.mark.parametrize("written", [0.0, 600.0])
@pytest.mark.parametrize(("happened", "is_late"), [(0.0, False), (4.0, True)])
async def test_what_came_before_a_mention_that_slack_repeats_is_read(
    app: App, written: float, happened: float, is_late: bool
) -> None:
    """Slack repeats after three seconds at once. One that an edit added is as old as the edit.

    What was written below before the edit was not said to the app. The numbers are seconds ago.
    """
    now = time.time()
    place = app.slack.place(channel="public")
    happened_ts = f"{now - happened:.6f}"
    ts = f"{now - max(written, happened):.6f}"
    mention: dict[str, Any] = {
        "type": "app_mention",
        "user": place.user,
        "channel": place.channel,
        "ts": ts,
        "event_ts": ts,
        "text": f"<@{app.slack.bot_user_id}> Who deploys today?",
    }
    if written:
        mention["edited"] = {"user": place.user, "ts": happened_ts}
    assert await app.deliver(mention) == 200
    oldest = [job["args"]["oldest"] for job in Thread(app, place).jobs()]
    assert oldest == ([happened_ts] if is_late else [])


async def test_a_direct_message_that_came_late_reads_nothing(thread: Thread) -> None:
    """Every message of a direct message is stored when it comes."""
    place = thread.app.slack.place()
    await thread.delivered(thread.app.slack.message(place))
    assert thread.jobs() == []


@pytest.mark.parametrize("error", ["thread_not_found", "missing_scope"])
async def test_a_thread_that_cannot_be_read_is_left(thread: Thread, error: str) -> None:
    """Where no later attempt could succeed the job ends."""
    app = thread.app
    mention = thread.says("<@BOT> one")
    await thread.delivered(mention)
    app.slack.fault("conversations.replies", error=error)
    await thread.follow_ups()
    assert thread.jobs() == []


def said_in(app: App, place: PersonThread, text: str, **more: Any) -> Message:
    """Let the person of `place` write in its thread; return it as the app reads it."""
    said = app.slack.say(place.user, place.channel, text, thread_ts=place.root)
    return app.slack.message(
        place, ts=said["ts"], text=text, **{"addressed": False, **more}
    )


@pytest.mark.parametrize(
    ("has_asked", "answered", "minutes", "followed"),
    [
        (True, 0, -2, False),
        (True, 0, 0, True),
        (True, 0, 29, True),
        (True, 0, 31, False),
        (True, 40, 69, True),
        (True, 40, 71, False),
        (False, 0, 0, False),
    ],
)
async def test_a_reply_in_a_thread_is_a_follow_up(
    app: App, has_asked: bool, answered: int, minutes: int, followed: bool
) -> None:
    """A reply without a mention is for who asked before it, within 30 minutes of an answer."""
    place = app.slack.place(channel="public")
    mention = said_in(app, place, "<@BOT> hello", addressed=True)
    assert await store_message(app.core, mention)
    await app.answering.drain(mention.thread)
    person = place if has_asked else app.slack.place(channel="public")
    reply = said_in(app, place, "and what else?", user_id=person.user)
    begun = float(mention.ts)
    app.rows(
        "UPDATE messages SET reply_ts = %s WHERE thread = %s RETURNING 1",
        [f"{begun + answered * 60:.6f}"],
        mention.thread,
    )
    later = f"{begun + minutes * 60 + 1:.6f}"
    assert await store_message(app.core, replace(reply, ts=later)) is followed


def titles(app: App) -> list[dict[str, Any]]:
    """Return the arguments of the calls that give an agent session a title."""
    made = app.slack.calls("agents.sessions.setStatus")
    return [call["args"] for call in made if "title" in call["args"]]


def session(app: App, place: PersonThread, ts: str) -> tuple[str, str]:
    """Return the status and the title of the agent session of a thread."""
    seen = app.slack.control(f"channels/{place.channel}/messages?user={place.user}")[
        "threads"
    ]
    [thread] = [one for one in seen if one["ts"] == ts]
    return thread["session"], thread["session_title"]


async def test_a_direct_message_names_its_thread(app: App) -> None:
    """The first question is the title of the thread; there is none while memory is off."""
    place = app.slack.place()
    app.slack.forget_calls()
    first = await app.ask(place, "What shall *we* eat?\nAnd where?")
    [named] = titles(app)
    assert named["title"] == "What shall we eat?"
    assert (named["thread_ts"], named["status"]) == (first.ts, "processing")
    await app.ask(place, "And tomorrow?", thread_ts=first.ts)
    assert len(titles(app)) == 1
    await app.ask(app.slack.place(channel="public"), "<@BOT> hello")
    assert len(titles(app)) == 1
    await app.off(place, place.channel)
    await app.ask(place, "I am pregnant, please tell nobody")
    assert len(titles(app)) == 1


@pytest.mark.parametrize("error", ["unknown_method", "internal_error", "ratelimited"])
async def test_an_answer_does_not_depend_on_its_session(app: App, error: str) -> None:
    """Where Slack takes no status the answer is the same."""
    app.slack.fault("agents.sessions.setStatus", error=error, retry_after=60, times=2)
    for text in ("What shall we eat?", "And tomorrow?"):
        assert app.turn(await app.ask(app.slack.place(), text))["status"] == "answered"
