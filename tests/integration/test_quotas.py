"""Quotas: counted for all replicas, said once, and nothing asked of the model beyond them."""

from __future__ import annotations

import asyncio

import pytest
from aiohttp import web

from bot.access import QuotaExceeded, admit
from bot.locale import LANGUAGES, Reader, say
from bot.runtime.ask import answer
from memory import Person
from tests.integration.app import MakeApp

pytestmark = pytest.mark.usefixtures("within_an_hour")


async def test_beyond_their_messages_a_person_is_told_once(make_app: MakeApp) -> None:
    """The first message beyond the quota is answered with one sentence, further ones not at all."""
    app = await make_app(person_messages_per_hour=2)
    place, other = app.slack.place(), app.slack.place()
    asked = [await app.ask(place, f"I like food {number}") for number in range(5)]
    answers = [app.replies(message) for message in asked]
    assert [len(answer) for answer in answers] == [1, 1, 1, 0, 0]
    [sentence] = answers[2]
    assert any(
        sentence == say("en", "quota_messages", limit=2, count=minutes) for minutes in range(61)
    )
    assert [prompt[-1]["content"] for prompt in app.prompts()] == [
        "I like food 0",
        "I like food 1",
    ]
    assert [app.event(message)["status"] for message in asked] == ["answered"] * 3 + ["skipped"] * 2
    assert app.turn(asked[2])["words"] == ""
    assert app.find_turn(asked[3]) is None
    theirs = await app.ask(other, "Hello")
    assert app.turn(theirs)["status"] == "answered"
    app.rows("UPDATE messages SET received_at = received_at - interval '1 hour'")
    app.rows("UPDATE told SET until = now() - interval '1 second'")
    again = await app.ask(place, "Hello again")
    assert app.turn(again)["reply"]


def hourly(limit: int) -> list[str]:
    """Return every sentence about a person's limit."""
    return [say("en", "limit_requests", limit=limit, count=minutes) for minutes in range(61)]


async def test_requests_and_messages_share_one_limit(make_app: MakeApp) -> None:
    """What is added counts like a message: beyond the limit no model is called, for either."""
    app = await make_app(person_messages_per_hour=3)
    place, other = app.slack.place(), app.slack.place()
    who = app.person(place)
    await app.ask(place, "Hello")
    for number in range(2):
        assert "Remembered" in (await app.add(who, f"I like food {number}")).line
    before = app.model_requests()
    for number in range(15):
        done = await app.add(who, f"I like drink {number}")
        assert any(one in done.line for one in hourly(3))
    refused = await app.ask(place, "Hello again")
    assert app.model_requests() == before
    assert app.rows("SELECT requests FROM person_requests") == [{"requests": 2}]
    assert app.turn(refused)["words"] == ""
    assert "Remembered" in (await app.add(app.person(other), "I like tea")).line


async def test_requests_at_once_are_counted_exactly(make_app: MakeApp) -> None:
    """Of twenty requests of one person at once, on two replicas, five are admitted."""
    app, replica = (
        await make_app(person_messages_per_hour=5),
        await make_app(person_messages_per_hour=5),
    )
    ann = Person("T1", "U1")
    settings = app.wiring.app.settings
    admitted = await asyncio.gather(
        *(admit((app, replica)[n % 2].pool, settings, ann) for n in range(20)),
        return_exceptions=True,
    )
    refusals = [one for one in admitted if isinstance(one, QuotaExceeded)]
    assert admitted.count(None) == 20 - len(refusals) == 5
    for refused in refusals:
        assert 0 < refused.minutes <= 60
        for language in LANGUAGES:
            assert "5" in refused.refusal(Reader(language))
    for other in (Person("T1", "U2"), Person("T2", "U1")):
        await admit(app.pool, settings, other)
    app.rows("UPDATE person_requests SET hour = hour - interval '1 hour'")
    await admit(app.pool, settings, ann)


async def test_a_caller_of_the_api_is_refused(make_app: MakeApp) -> None:
    """A user of ``/ask`` gets 429 beyond the limit; another user does not."""
    app = await make_app(person_messages_per_hour=1)
    assert await answer(app.wiring, "MZ0001", "Hello")
    with pytest.raises(web.HTTPTooManyRequests) as refused:
        await answer(app.wiring, "MZ0001", "Hello")
    assert (refused.value.text or "").strip() in hourly(1)
    assert await answer(app.wiring, "MZ0002", "Hello")
    assert len(app.prompts()) == 2


async def test_each_answered_edit_counts_and_beyond_the_quota_takes_nothing_away(
    make_app: MakeApp,
) -> None:
    """What the edited message still says stays remembered, and its words stay stored."""
    app = await make_app(person_messages_per_hour=2)
    message = await app.ask(app.slack.place(), "I love ramen")
    await app.form(message)
    for text, prompts in (("I love ramen.", 2), ("I love ramen!", 2)):
        await app.change(message, text)
        await app.answering.drain(message.thread)
        assert len(app.prompts()) == prompts
    await app.form(message)
    assert [memory.content["food_name"] for memory in await app.memories(message.person)] == [
        "ramen"
    ]
    turn = app.turn(message)
    assert (turn["words"], turn["reply"]) == ("I love ramen!", None)
