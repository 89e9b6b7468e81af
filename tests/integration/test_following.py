"""Threads the app follows, and the titles of direct messages."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from bot.conversation.inbox import store_message
from bot.slack.messages import Message
from tests.integration.app import App
from tests.integration.playground_slack import PersonThread


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
