"""A follow-up that overtakes the mention it follows is answered; nobody else's words are kept."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import Any

import pytest

from bot.conversation import unrelated_replies as overhearing
from bot.conversation.unrelated_replies import READ
from bot.slack.messages import Message
from memory import transaction
from tests.integration.app import App
from tests.integration.playground_slack import Place


@dataclass
class Talk:
    """A thread in a public channel which somebody began; messages in it are not delivered yet."""

    app: App
    place: Place

    def says(self, text: str) -> Message:
        """Let the person write in the thread."""
        said = self.app.slack.say(
            self.place.user, self.place.channel, text, thread_ts=self.place.root
        )
        written = text.replace("<@BOT>", f"<@{self.app.slack.bot_user_id}>")
        return self.app.slack.message(
            self.place,
            event_id=f"Ev{said['ts']}",
            ts=said["ts"],
            thread_ts=self.place.root,
            text=written,
            addressed="<@BOT>" in text,
        )

    def rows(self) -> list[dict[str, Any]]:
        """Return what is kept of what was overheard."""
        return self.app.rows("SELECT * FROM overheard")

    def stored(self) -> list[str]:
        """Return the texts of the messages that wait."""
        found = self.app.rows("SELECT message->>'text' AS text FROM inbox_events ORDER BY ts")
        return [row["text"] for row in found]


@pytest.fixture
def talk(app: App) -> Talk:
    """A thread with nothing of the app in it."""
    return Talk(app, app.slack.place(channel="public"))


async def test_a_follow_up_that_overtakes_its_mention_is_answered_after_it(talk: Talk) -> None:
    """Delivered first, it is read from Slack when the mention comes, and answered after it."""
    app = talk.app
    mention, follow_up = talk.says("<@BOT> one"), talk.says("two")
    assert not await app.wiring.inbox.store(follow_up)
    assert await app.wiring.inbox.store(mention)
    [arguments] = app.take_jobs(READ)
    assert arguments == {"thread": mention.thread}
    await app.wiring.reading.overheard(**arguments)
    assert talk.rows() == []
    await app.answering.drain(mention.thread)
    assert [prompt[-1]["content"] for prompt in app.prompts()] == ["one", "two"]
    assert not await app.wiring.inbox.store(follow_up)
    assert app.rows("SELECT late FROM inbox_events") == [{"late": False}] * 2


async def test_only_the_place_is_kept(talk: Talk) -> None:
    """Of a message that is not for the app only the place is kept: no text, no author."""
    overheard = talk.says("My SECRET")
    assert not await talk.app.wiring.inbox.store(overheard)
    [row] = talk.rows()
    assert {name: row[name] for name in row if name != "received_at"} == {
        "team_id": overheard.team_id,
        "channel_id": overheard.channel_id,
        "ts": overheard.ts,
        "thread": overheard.thread,
    }
    assert talk.app.jobs(READ) == []


async def test_what_was_said_before_the_mention_is_left_alone(talk: Talk) -> None:
    """Only what came after the mention was meant for the app."""
    app = talk.app
    before, mention = talk.says("among ourselves"), talk.says("<@BOT> hello")
    after = talk.says("and more")
    for message in (before, after):
        assert not await app.wiring.inbox.store(message)
    await app.wiring.inbox.store(mention)
    [arguments] = app.take_jobs(READ)
    await app.wiring.reading.overheard(**arguments)
    assert talk.stored() == [mention.text, "and more"]
    assert talk.rows() == []


async def test_without_a_follow_up_nothing_is_read(talk: Talk) -> None:
    """A mention alone, or below older talk, asks nothing of Slack."""
    app = talk.app
    await app.wiring.inbox.store(talk.says("among ourselves"))
    await app.wiring.inbox.store(talk.says("<@BOT> hello"))
    assert app.jobs(READ) == []


async def test_after_two_minutes_nothing_is_left(talk: Talk) -> None:
    """What was overheard is gone after two minutes, with the next message of any thread."""
    app = talk.app
    mention, old = talk.says("<@BOT> hello"), talk.says("old")
    await app.wiring.inbox.store(old)
    app.rows("UPDATE overheard SET received_at = received_at - interval '121 seconds'")
    elsewhere = Talk(app, app.slack.place(channel="public"))
    new = elsewhere.says("new")
    await app.wiring.inbox.store(new)
    assert [row["ts"] for row in talk.rows()] == [new.ts]
    await app.wiring.inbox.store(mention)
    assert app.jobs(READ) == []


async def test_slacks_limit_is_waited_for_without_a_worker(talk: Talk) -> None:
    """Where Slack says to wait the job ends, and comes again when it may."""
    app = talk.app
    mention, follow_up = talk.says("<@BOT> one"), talk.says("two")
    await app.wiring.inbox.store(follow_up)
    await app.wiring.inbox.store(mention)
    [arguments] = app.take_jobs(READ)
    app.slack.fault("conversations.replies", error="ratelimited", retry_after=17)
    await app.wiring.reading.overheard(**arguments)
    [job] = app.jobs(READ)
    assert 15 < job["due_in"] <= 17
    assert len(talk.rows()) == 1
    await app.wiring.reading.overheard(**app.take_jobs(READ)[0])
    assert talk.stored() == [mention.text, "two"]


async def test_a_message_that_is_gone_is_not_looked_for_for_ever(talk: Talk) -> None:
    """A follow-up that was deleted meanwhile ends the search."""
    app = talk.app
    mention, follow_up = talk.says("<@BOT> one"), talk.says("two")
    await app.wiring.inbox.store(follow_up)
    await app.wiring.inbox.store(mention)
    app.slack.control(
        "messages/delete",
        {"user": talk.place.user, "channel": talk.place.channel, "ts": follow_up.ts},
    )
    await app.wiring.reading.overheard(**app.take_jobs(READ)[0])
    assert talk.stored() == [mention.text]
    assert talk.rows() == []


async def test_a_follow_up_waits_for_a_mention_that_is_being_stored(talk: Talk) -> None:
    """While the mention's transaction is open the follow-up waits, and then belongs to it."""
    app = talk.app
    mention, follow_up = talk.says("<@BOT> one"), talk.says("two")
    async with transaction(app.pool, {"kioku.thread": mention.thread}) as connection:
        await overhearing.in_turn(connection, mention.thread)
        storing = asyncio.create_task(app.wiring.inbox.store(follow_up))
        async with asyncio.timeout(5):
            while not app.rows(
                "SELECT 1 FROM pg_locks WHERE locktype = 'advisory' AND NOT granted"
            ):
                assert not storing.done()
                await asyncio.sleep(0.01)
        await connection.execute(
            "INSERT INTO inbox_events (team_id, event_id, user_id, channel_id, ts, thread)"
            " VALUES (%s, 'Ev', %s, %s, %s, %s)",
            (mention.team_id, mention.user_id, mention.channel_id, mention.ts, mention.thread),
        )
    assert await storing
    assert talk.rows() == []


async def test_mention_and_follow_up_at_the_same_moment(app: App) -> None:
    """However the two meet in the database, the follow-up is stored or going to be read."""
    for _ in range(15):
        talk = Talk(app, app.slack.place(channel="public"))
        mention, follow_up = talk.says("<@BOT> one"), talk.says("two")
        stored = await asyncio.gather(
            app.wiring.inbox.store(mention), app.wiring.inbox.store(follow_up)
        )
        assert stored[1] or app.take_jobs(READ) == [{"thread": mention.thread}]
