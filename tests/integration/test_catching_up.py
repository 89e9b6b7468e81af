"""What was written while nobody listened is read, and answered once."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from typing import Any

import pytest
from slack_sdk.errors import SlackApiError

from bot.cancellation import in_background
from bot.conversation import backfill
from bot.conversation.backfill import CATCH_UP, READ_MISSED
from bot.data.person import erase_person
from bot.slack.client import SLACK_FAULTS
from tests.integration.app import App
from tests.integration.playground_slack import PersonThread
from tests.waiting import until

pytestmark = [pytest.mark.slow, pytest.mark.own_slack]


async def mark(app: App) -> None:
    """Mark that a process receives events of the workspace."""
    await backfill.record_heard(app.core)


def away(app: App, minutes: float) -> None:
    """Let it be so many minutes since anybody listened."""
    app.rows(
        "UPDATE installation SET heard_at = now() - make_interval(secs => %s)",
        minutes * 60,
    )


async def caught_up(app: App) -> int:
    """Work the jobs of catching up until none is left; return how many there were."""
    worked = 0
    while True:
        planned, reads = app.take_jobs(CATCH_UP), app.take_jobs(READ_MISSED)
        if not planned and not reads:
            return worked
        worked += 1
        for arguments in planned:
            await backfill.catch_up(app.core, **arguments)
        for arguments in reads:
            await backfill.read_missed_messages(app.core, **arguments)


def waiting(app: App) -> list[str]:
    """Return the texts of the messages that wait."""
    found = app.rows(
        "SELECT message->>'text' AS text FROM messages WHERE status = 'waiting' ORDER BY ts",
    )
    return [row["text"] for row in found]


async def missed(app: App, minutes: float = 10) -> None:
    """Mark that the app was away until now; begin catching up."""
    await mark(app)
    away(app, minutes)
    await mark(app)


async def plan(app: App, *places: PersonThread) -> None:
    """Carry out the first plan; of what it lists, leave the conversations of `places` if any."""
    await backfill.catch_up(app.core, **app.take_jobs(CATCH_UP)[0])
    if places:
        channels = [place.channel for place in places]
        app.rows(
            "DELETE FROM procrastinate_jobs WHERE task_name = %s AND args->>'channel' <> ALL(%s)",
            READ_MISSED,
            channels,
        )


async def test_a_gap_is_caught_up_with_once(app: App) -> None:
    """Only a gap longer than Slack's retries counts, and of several fronts one defers the work."""
    await mark(app)
    away(app, 4.9)
    await mark(app)
    assert app.jobs(CATCH_UP) == []
    away(app, 5.1)
    [before] = app.rows(
        "SELECT extract(epoch FROM heard_at)::float AS heard FROM installation"
    )
    await asyncio.gather(*(mark(app) for _ in range(4)))
    [job] = app.jobs(CATCH_UP)
    assert job["args"]["team"] == app.slack.team_id
    assert float(job["args"]["since"]) == pytest.approx(before["heard"], abs=0.01)


async def test_somebody_listens_only_while_connected(app: App) -> None:
    """A front that Slack does not reach marks nothing, so that its outage counts as one."""

    async def connected() -> bool:
        return True

    async def cut_off() -> bool:
        return False

    heard = "SELECT 1 FROM installation WHERE heard_at IS NOT NULL"
    async with in_background(backfill.keep_heard(app.core, connected), "heard"):
        await until(lambda: app.rows(heard))
    away(app, 30)
    cut = backfill.keep_heard(app.core, cut_off)
    async with in_background(cut, "heard"), asyncio.timeout(30):
        await asyncio.sleep(0.05)
    assert app.jobs(CATCH_UP) == []


async def in_thread(
    app: App, place: PersonThread, text: str, root: str, **who: Any
) -> None:
    """Let somebody write in a thread; nothing is delivered."""
    user = who.get("user", place.user)
    app.slack.say(user, place.channel, text, thread_ts=root)


async def test_what_was_missed_is_answered_once(app: App) -> None:
    """Direct messages, mentions and followed threads are read; the rest is nobody's business."""
    dm, public = app.slack.place(), app.slack.place(channel="public")
    known = await app.ask(dm, "known")
    followed = await app.ask(public, "<@BOT> known too")
    in_dm = app.slack.say(dm.user, text="missed in dm")
    await in_thread(app, dm, "missed below it", in_dm["ts"])
    await in_thread(app, dm, "missed in a known dm thread", known.ts)
    await in_thread(app, public, "missed in a followed thread", followed.ts)
    mention = app.slack.say(public.user, public.channel, "<@BOT> missed mention")
    await in_thread(app, public, "missed below the mention", mention["ts"])
    talk = app.slack.say(public.user, public.channel, "talk among people")
    await in_thread(app, public, "more of it", talk["ts"])
    robot, _ = app.slack.person(is_bot=True)
    app.slack.control("channels/update", {"channel": public.channel, "add": [robot]})
    await in_thread(app, public, "I am a bot", followed.ts, user=robot)
    await missed(app)
    await caught_up(app)
    found = waiting(app)
    bot = f"<@{app.slack.bot_user_id}>"
    assert set(found) == {
        "hello",  # with which the place of the first one's DM was opened
        "missed in dm",
        "missed below it",
        "missed in a known dm thread",
        "missed in a followed thread",
        f"{bot} missed mention",
        "missed below the mention",
    }
    sent = len(app.slack.calls("conversations.history", "conversations.replies"))
    await missed(app)
    await caught_up(app)
    assert waiting(app) == found
    assert len(app.slack.calls("conversations.history", "conversations.replies")) > sent
    for row in app.rows(
        "SELECT DISTINCT thread FROM messages WHERE status = 'waiting'"
    ):
        await app.answering.drain(row["thread"])
    message = replace(known, ts=in_dm["ts"], thread_ts=in_dm["ts"])
    assert len(app.replies(message)) == 2


async def test_what_slack_refuses_for_now_is_read_again_where_it_was(
    app: App, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A 429 or a 5xx fails the job, which the queue tries again."""
    monkeypatch.setattr("bot.conversation.backfill.PAGE", 2)
    place = app.slack.place(text="number 0")
    for number in range(1, 7):
        app.slack.say(place.user, text=f"number {number}")
    await missed(app, 600)
    await plan(app, place)
    stored = []
    while reads := app.take_jobs(READ_MISSED):
        [arguments] = reads
        for fault in ({"error": "ratelimited", "retry_after": 60}, {"status": 500}):
            app.slack.fault("conversations.history", **fault)
            with pytest.raises((SlackApiError, *SLACK_FAULTS)):
                await backfill.read_missed_messages(app.core, **arguments)
        await backfill.read_missed_messages(app.core, **arguments)
        stored.append(len(waiting(app)))
    assert stored == [2, 4, 6, 7]


async def test_a_conversation_that_cannot_be_read_stops_nothing(app: App) -> None:
    """What Slack refuses for good is left out, and so is a list that it refuses."""
    places = [app.slack.place(text=f"number {number}") for number in range(2)]
    await missed(app)
    app.slack.fault("users.conversations", error="missing_scope")
    await caught_up(app)
    assert waiting(app) == []
    await missed(app)
    await plan(app, *places)
    app.slack.fault("conversations.history", error="channel_not_found")
    await caught_up(app)
    assert len([text for text in waiting(app) if text.startswith("number ")]) == 1


async def test_backfill_goes_back_one_day_at_most(app: App) -> None:
    """After a week away the last day is caught up with, not the week."""
    app.slack.place(text="hello")
    await missed(app, 7 * 24 * 60)
    await plan(app)
    [row] = app.rows(
        "SELECT DISTINCT extract(epoch FROM now())::float - (args->>'oldest')::float AS age"
        " FROM procrastinate_jobs WHERE task_name = %s",
        READ_MISSED,
    )
    assert row["age"] == pytest.approx(86_400, abs=60)


@pytest.mark.parametrize("why", ["its author was erased", "it is too old"])
async def test_what_is_not_to_be_answered_any_more_is_not_read(
    app: App, monkeypatch: pytest.MonkeyPatch, why: str
) -> None:
    """Only the time until the job runs may have changed that."""
    place = app.slack.place()
    await app.ask(place, "known")
    app.slack.say(place.user, text="missed")
    await missed(app)
    await plan(app, place)
    if why == "it is too old":
        monkeypatch.setattr("bot.conversation.backfill._DAY_SECONDS", -3_600.0)
    else:
        await erase_person(app.pool, app.person(place))
    await caught_up(app)
    assert waiting(app) == []


async def test_a_channel_shared_while_the_app_was_away_is_not_read(app: App) -> None:
    """Neither a mention nor a reply that was written there meanwhile is stored.

    The kind that was looked up before the outage is still younger than an hour.
    """
    place, bot = app.slack.place(channel="public"), f"<@{app.slack.bot_user_id}>"
    told = await app.ask(place, f"{bot} I like ramen")
    app.slack.control("channels/update", {"channel": place.channel, "shared": True})
    app.slack.say(place.user, place.channel, "What can I eat?", thread_ts=told.ts)
    app.slack.say(place.user, place.channel, f"{bot} What can I eat?")
    await missed(app)
    app.slack.forget_calls()
    await caught_up(app)
    read = app.slack.calls("conversations.history")
    assert place.channel not in [call["args"]["channel"] for call in read]
    stored = "SELECT ts FROM messages WHERE channel_id = %s"
    assert app.rows(stored, place.channel) == [{"ts": told.ts}]


async def test_a_shared_direct_message_is_looked_up(app: App) -> None:
    """Slack lists direct messages without saying that they are shared with an organisation."""
    place = app.slack.place(text="known")
    known = await app.ask(place, "I like ramen")
    await app.form_words(known.team_id, known.user_id, "dm")
    app.slack.control("channels/update", {"channel": place.channel, "shared": True})
    said = [
        app.slack.say(place.user, text="What can I eat?"),
        app.slack.say(place.user, place.channel, "What can I eat?", thread_ts=known.ts),
    ]
    await missed(app)
    await caught_up(app)
    stored = {row["ts"] for row in app.rows("SELECT ts FROM messages")}
    assert stored.isdisjoint(one["ts"] for one in said)


async def test_a_kind_that_slack_does_not_say_puts_the_reading_off(app: App) -> None:
    """Without it nothing is stored: whether the conversation is shared is not guessed."""
    place = app.slack.place(text="number 1")
    await missed(app)
    await plan(app, place)
    app.slack.fault("conversations.info", error="ratelimited", retry_after=30)
    [arguments] = app.take_jobs(READ_MISSED)
    with pytest.raises(SlackApiError):
        await backfill.read_missed_messages(app.core, **arguments)
    assert "number 1" not in waiting(app)
    await backfill.read_missed_messages(app.core, **arguments)
    assert "number 1" in waiting(app)


async def test_what_was_missed_in_private_does_not_become_public(app: App) -> None:
    """Of a message found after an outage nothing says that its channel was public then."""
    place = app.slack.place(channel="private")
    await app.ask(place, "hello")
    said = app.slack.say(place.user, place.channel, "<@BOT> I love ramen")
    app.slack.control("channels/update", {"channel": place.channel, "private": False})
    await missed(app)
    await plan(app, place)
    await caught_up(app)
    message = app.slack.message(place, ts=said["ts"], thread_ts=said["ts"])
    await app.answering.drain(message.thread)
    assert app.turn(message)["audience"] == place.channel
