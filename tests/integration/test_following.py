"""Threads the app follows, those it is asked to be quiet in, and the titles of direct messages."""

from __future__ import annotations

from typing import Any

import pytest

from bot.messages import Message
from bot.posting.budgets import Budget
from tests.integration.playground_slack import Place
from tests.integration.wired import Wired

# One migrated database for all of these tests; each has people of its own.
pytestmark = pytest.mark.one_database


def said_in(app: Wired, place: Place, text: str, **more: Any) -> Message:
    """Let the person of `place` write in its thread; return it as the app reads it."""
    said = app.slack.say(place.user, place.channel, text, thread_ts=place.root)
    return app.slack.message(
        place, event_id=f"Ev{said['ts']}", ts=said["ts"], text=text, **{"addressed": False, **more}
    )


async def quiet(app: Wired, place: Place) -> None:
    """Let the app be asked to be quiet in the thread of `place`."""
    app.script_calls(("memory_settings", {"action": "quiet_thread"}), text="I will be quiet.")
    asked = said_in(app, place, "<@BOT> be quiet in this thread", addressed=True)
    assert await app.wiring.inbox.store(asked)
    await app.answering.drain(asked.thread)
    assert app.outputs()[-1]["quiet"] is True


async def test_a_thread_is_followed_until_it_is_to_be_quiet(app: Wired) -> None:
    """Follow-ups are answered without a mention; asked to be quiet, only mentions are."""
    place = app.slack.place(channel="public")
    assert await app.wiring.inbox.store(said_in(app, place, "<@BOT> hello", addressed=True))
    await app.answering.drain(f"{app.slack.team_id}.{place.channel}.{place.root}")
    assert await app.wiring.inbox.store(said_in(app, place, "and what else?"))
    await app.answering.drain(f"{app.slack.team_id}.{place.channel}.{place.root}")
    await quiet(app, place)
    unheard = said_in(app, place, "so, Ben, shall we?")
    assert not await app.wiring.inbox.store(unheard)
    # Nor is it read later, when a mention comes.
    assert app.rows("SELECT FROM overheard WHERE thread = %s", unheard.thread) == []
    mention = said_in(app, place, "<@BOT> come back", addressed=True)
    assert await app.wiring.inbox.store(mention)
    assert app.rows("SELECT FROM quiet_threads WHERE thread = %s", unheard.thread) == []
    assert await app.wiring.inbox.store(said_in(app, place, "and now?"))
    await app.answering.drain(mention.thread)


async def test_a_mention_delivered_again_does_not_end_the_quiet(app: Wired) -> None:
    """The mention that asked for quiet, delivered a second time, changes nothing."""
    place = app.slack.place(channel="private")
    await quiet(app, place)
    [row] = app.rows("SELECT message, ts FROM inbox_events WHERE channel_id = %s", place.channel)
    again = app.slack.message(place, event_id="EvAgain", ts=row["ts"], text="<@BOT> be quiet")
    assert not await app.wiring.inbox.store(again)
    assert not await app.wiring.inbox.store(said_in(app, place, "as I said"))


async def test_quiet_is_of_one_thread(app: Wired) -> None:
    """Another thread of the channel is followed as before; direct messages have no such tool."""
    place = app.slack.place(channel="public")
    await quiet(app, place)
    other = app.slack.say(place.user, place.channel, "another")
    elsewhere = Place(place.user, place.team, place.channel, other["ts"], other["ts"])
    assert await app.wiring.inbox.store(said_in(app, elsewhere, "<@BOT> hi", addressed=True))
    assert await app.wiring.inbox.store(said_in(app, elsewhere, "and?"))
    await app.ask(app.slack.place(), "hello")
    assert "quiet_thread" not in app.prompts()[-1]


def titles(app: Wired) -> list[dict[str, Any]]:
    """Return what was said of agent sessions."""
    return [call["args"] for call in app.slack.calls("agents.sessions.setStatus")]


async def test_a_direct_message_names_its_thread(app: Wired) -> None:
    """The first question is the title of the thread, said once; follow-ups leave it."""
    place = app.slack.place()
    app.slack.forget_calls()
    first = await app.ask(place, "What shall *we* eat?\nAnd where?")
    [named] = titles(app)
    assert named["title"] == "What shall we eat?"
    assert (named["thread_ts"], named["status"]) == (first.ts, "active")
    await app.ask(place, "And tomorrow?", thread_ts=first.ts)
    assert len(titles(app)) == 1
    await app.ask(app.slack.place(channel="public"), "<@BOT> hello")
    assert len(titles(app)) == 1


async def test_a_session_that_is_there_already_is_named(app: Wired) -> None:
    """Where Slack has made the session before, with a stream, it gets its title all the same."""
    place = app.slack.place()
    asked = await app.told(place, "What shall we eat?")
    app.slack.as_app(
        "agents.sessions.setStatus",
        channel_id=place.channel,
        thread_ts=asked.ts,
        status="processing",
    )
    await app.answering.drain(asked.thread)
    seen = app.slack.control(f"channels/{place.channel}/messages?as={place.user}")["threads"]
    [thread] = [one for one in seen if one["ts"] == asked.ts]
    assert (thread["session"], thread["session_title"]) == ("active", "What shall we eat?")


@pytest.mark.parametrize("error", ["unknown_method", "internal_error", "ratelimited"])
async def test_an_answer_does_not_depend_on_its_title(app: Wired, error: str) -> None:
    """Where Slack takes no title the answer is the same; who refuses is not asked each time."""
    place = app.slack.place()
    app.slack.forget_calls()
    app.slack.fault("agents.sessions.setStatus", error=error, retry_after=60)
    for text in ("What shall we eat?", "And tomorrow?"):
        assert app.turn(await app.ask(place, text))["status"] == "answered"
    assert len(titles(app)) == (2 if error == "internal_error" else 1)


async def test_titles_stay_within_slacks_limit(app: Wired, monkeypatch: pytest.MonkeyPatch) -> None:
    """Of more threads than Slack lets be named in a minute some have no title; all have answers."""
    monkeypatch.setattr("bot.posting.sessions.SESSION", Budget("few", burst=1, per_minute=1))
    monkeypatch.setattr("bot.posting.sessions._LEASED", 1)
    app.slack.forget_calls()
    for text in ("What shall we eat?", "And tomorrow?", "And then?"):
        assert app.turn(await app.ask(app.slack.place(), text))["status"] == "answered"
    assert [call["title"] for call in titles(app)] == ["What shall we eat?"]
