"""The count of an hour: one for all replicas, and no model is asked beyond it."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta

import pytest
from aiohttp import web

from bot.access import QuotaExceeded
from bot.acts.kinds import Edit
from bot.data.person import erase_person
from bot.locale import LANGUAGES, Localizer, say
from bot.runtime.ask import answer
from tests.integration.app import App, MakeApp
from tests.integration.playground_slack import PersonThread


async def test_each_message_beyond_the_limit_says_when_there_are_answers_again(
    make_app: MakeApp,
) -> None:
    """No message is met with silence; an hour after the first one there is an answer."""
    app = await make_app(person_messages_per_hour=2)
    place, other = app.slack.place(), app.slack.place()
    asked = [await app.ask(place, f"I like food {number}") for number in range(5)]
    for message in asked[2:]:
        [told] = app.shown(message)
        assert is_refusal(told["text"], 2)
    assert [prompt[-1]["content"] for prompt in app.prompts()] == [
        "I like food 0",
        "I like food 1",
    ]
    assert [app.event(message)["status"] for message in asked] == ["answered"] * 2 + [
        "skipped"
    ] * 3
    assert app.find_turn(asked[2]) is None
    theirs = await app.ask(other, "Hello")
    assert app.turn(theirs)["status"] == "answered"
    an_hour_later(app, place.user)
    again = await app.ask(place, "Hello again")
    assert app.turn(again)["reply"]


def is_refusal(sentence: str, limit: int) -> bool:
    """Return whether a text says that the person's limit is used up, and until when."""
    form = re.escape(say("en", "limit_reached", limit=limit, until="@"))
    return re.search(form.replace("@", ".+"), sentence) is not None


def an_hour_later(app: App, user: str) -> None:
    """Let a person's hour be over."""
    app.rows(
        "UPDATE people SET asked_from = asked_from - interval '1 hour' WHERE user_id = %s"
        " RETURNING 1",
        user,
    )


@pytest.mark.parametrize("localizer", [Localizer(language) for language in LANGUAGES])
def test_the_sentence_says_the_minute_after_the_hour(localizer: Localizer) -> None:
    """Its seconds are not shown."""
    over_at = datetime(2026, 11, 30, 12, 0, 59, tzinfo=UTC)
    used_up = QuotaExceeded(5, over_at.timestamp() - 3_600)
    assert used_up.until(localizer) == localizer.minute(over_at + timedelta(seconds=60))


def _said(app: App, place: PersonThread, text: str) -> PersonThread:
    """Let the person of a place say something that is not for the app; return where."""
    ts = str(app.slack.say(place.user, place.channel, text)["ts"])
    return PersonThread(place.user, place.team, place.channel, ts, ts)


LIKES = {"kind": "UserFact", "fact": "I love natto"}
CHANGE = {"action": "create", "content": LIKES, "evidence": "I love natto"}


@pytest.mark.parametrize(
    "way", ["message", "add", "remember this", "edit form", "tool", "edited"]
)
async def test_whatever_asks_a_model_counts_once(make_app: MakeApp, way: str) -> None:
    """In one count: the one beyond it is refused, or waits for the end of the hour."""
    app = await make_app(person_messages_per_hour=2)
    place = app.slack.place()
    who = app.person(place)
    first = await app.ask(place, "My cat is called Miso")
    match way:
        case "message":
            await app.ask(place, "Hello")
        case "add":
            await app.add(who, "I love ramen")
        case "remember this":
            await app.point_at(_said(app, place, "I love ramen"))
        case "tool":
            an_hour_later(app, place.user)
            app.script_calls(("memory_change", CHANGE))
            await app.ask(place, "Remember that I love natto")
        case "edited":
            await app.change(first, "My cat is called Mochi")
        case "edit form":
            await app.form(first)
            [memory] = await app.memories(who)
            opened = await app.click(who, Edit(key=memory.key))
            await app.submit(who, opened, sentence="My cat is called Mochi")
    assert app.rows("SELECT asked FROM people WHERE user_id = %s", place.user) == [
        {"asked": 2}
    ]
    assert is_refusal((await app.add(who, "I love soba")).line, 2)
    refused = await app.ask(place, "Hello again")
    assert is_refusal(app.shown(refused)[0]["text"], 2)


async def test_edits_beyond_the_limit_are_formed_after_the_hour(
    make_app: MakeApp,
) -> None:
    """Their job begins then; that of a message does not wait for it."""
    app = await make_app(person_messages_per_hour=1)
    said = await app.ask(app.slack.place(), "My cat is called Miso")
    await app.form(said)
    await app.change(said, "My cat is called Mochi")
    [job] = app.rows(
        "SELECT scheduled_at - now() > interval '59 minutes' AS late FROM procrastinate_jobs"
        " WHERE task_name = 'form_memories'"
    )
    assert job["late"]


async def test_erasing_leaves_the_count(make_app: MakeApp) -> None:
    """Three rounds of *Delete All My Data* at a limit of three: three answers."""
    app = await make_app(person_messages_per_hour=3)
    place = app.slack.place()
    answered = 0
    for number in range(3):
        for again in range(2):
            said = await app.ask(place, f"I like food {number} {again}")
            answered += app.event(said)["status"] == "answered"
        await erase_person(app.pool, app.person(place), keeps_off=True)
    assert answered == 3


async def test_a_caller_of_the_api_is_refused(make_app: MakeApp) -> None:
    """A user of ``/ask`` gets 429 beyond the limit; another user does not."""
    app = await make_app(person_messages_per_hour=1)
    assert await answer(app.core, "MZ0001", "Hello")
    with pytest.raises(web.HTTPTooManyRequests) as refused:
        await answer(app.core, "MZ0001", "Hello")
    assert is_refusal((refused.value.text or "").strip(), 1)
    assert await answer(app.core, "MZ0002", "Hello")
    assert len(app.prompts()) == 2
