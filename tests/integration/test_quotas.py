"""Quotas: counted for all replicas, said once, and nothing asked of the model beyond them."""

from __future__ import annotations

import asyncio
import random
import re
from datetime import UTC, datetime, timedelta

import pytest
from aiohttp import web

from bot.locale import LANGUAGES, Localizer, say
from bot.quota import QuotaExceeded, admit
from bot.runtime.ask import answer
from memory import Person
from memory.postgres import person_statement
from tests.integration.app import App, MakeApp


async def test_beyond_their_messages_a_person_is_told_once(make_app: MakeApp) -> None:
    """The first message beyond the quota is answered with one sentence, further ones not at all.

    Once the first message is an hour old there is an answer again: the refused ones do not count.
    """
    app = await make_app(person_messages_per_hour=2)
    place, other = app.slack.place(), app.slack.place()
    asked = [await app.ask(place, f"I like food {number}") for number in range(5)]
    answers = [app.replies(message) for message in asked]
    assert [len(answer) for answer in answers] == [1, 1, 1, 0, 0]
    [sentence] = answers[2]
    assert is_refusal(sentence, 2)
    assert [prompt[-1]["content"] for prompt in app.prompts()] == [
        "I like food 0",
        "I like food 1",
    ]
    assert [app.event(message)["status"] for message in asked] == ["answered"] * 2 + [
        "skipped"
    ] * 3
    assert app.turn(asked[2])["words"] == ""
    assert app.find_turn(asked[3]) is None
    theirs = await app.ask(other, "Hello")
    assert app.turn(theirs)["status"] == "answered"
    app.rows(
        "UPDATE messages SET ts = (ts::numeric - 3600)::text WHERE ts = %s RETURNING 1",
        asked[0].ts,
    )
    again = await app.ask(place, "Hello again")
    assert app.turn(again)["reply"]


async def test_a_refused_message_that_is_edited_an_hour_later_is_answered(
    make_app: MakeApp,
) -> None:
    """The answer takes the place of the sentence that refused it."""
    app = await make_app(person_messages_per_hour=2)
    place = app.slack.place()
    asked = [await app.ask(place, f"I like food {number}") for number in range(2)]
    refused = await app.ask(place, "I like ramen")
    [sentence] = app.replies(refused)
    assert is_refusal(sentence, 2)
    app.rows(
        "UPDATE messages SET ts = (ts::numeric - 3600)::text"
        " WHERE ts = ANY (%s) RETURNING 1",
        [message.ts for message in asked],
    )
    await app.change(refused, "I like soba")
    await app.answering.drain(refused.thread)
    [answer] = app.replies(refused)
    assert "soba" in answer
    assert app.turn(refused)["words"] == "I like soba"


def is_refusal(sentence: str, limit: int) -> bool:
    """Return whether a text says that the person's limit is used up, and until when."""
    form = re.escape(say("en", "limit_reached", limit=limit, until="@"))
    return re.search(form.replace("@", ".+"), sentence) is not None


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
        assert is_refusal(done.line, 3)
    refused = await app.ask(place, "Hello again")
    assert app.model_requests() == before
    assert app.rows("SELECT kind FROM person_requests") == [{"kind": "model"}] * 2
    assert app.turn(refused)["words"] == ""
    assert "Remembered" in (await app.add(app.person(other), "I like tea")).line


async def test_requests_at_once_are_counted_exactly(make_app: MakeApp) -> None:
    """Of twenty requests of one person at once, on two replicas, five are admitted."""
    app, replica = (
        await make_app(person_messages_per_hour=5),
        await make_app(person_messages_per_hour=5),
    )
    ann = Person("T1", "U1")
    settings = app.core.settings
    admitted = await asyncio.gather(
        *(admit((app, replica)[n % 2].pool, settings, ann) for n in range(20)),
        return_exceptions=True,
    )
    refusals = [one for one in admitted if isinstance(one, QuotaExceeded)]
    assert admitted.count(None) == 20 - len(refusals) == 5
    for refused in refusals:
        assert 0 < refused.seconds <= 3_600
        ends_at = datetime.now(UTC) + timedelta(seconds=refused.seconds)
        for language in LANGUAGES:
            localizer = Localizer(language)
            sentence = refused.refusal(localizer)
            assert "5" in sentence
            clocks = [ends_at + timedelta(minutes=later) for later in (0, 1)]
            assert any(localizer.minute(clock) in sentence for clock in clocks)
    for other in (Person("T1", "U2"), Person("T2", "U1")):
        await admit(app.pool, settings, other)
    app.rows("UPDATE person_requests SET at = at - interval '1 hour' RETURNING 1")
    await admit(app.pool, settings, ann)


_MESSAGE = (
    "INSERT INTO messages (team_id, user_id, channel_id, ts, thread, status)"
    " VALUES ('T1', 'U1', 'D1', %s, 'T1.D1.1', %s) RETURNING 1"
)
_REQUEST = (
    "INSERT INTO person_requests (team_id, user_id, kind, at)"
    " VALUES ('T1', 'U1', %s, to_timestamp(%s::float8)) RETURNING 1"
)


@pytest.mark.parametrize("seed", range(12))
async def test_a_place_is_free_an_hour_after_the_request_so_many_back(
    app: App, seed: int
) -> None:
    """Messages but skipped ones, and requests but questions about colleagues, in one window."""
    chance = random.Random(seed)
    now = 1_800_000_000
    counted: list[float] = []
    for number in range(chance.randrange(14)):
        at: float = now - chance.choice(
            [0, 1, 3_599, 3_600, 3_601, chance.randrange(7_200)]
        )
        what = chance.choice(["answered", "waiting", "skipped", "model", "colleague"])
        if what in ("model", "colleague"):
            app.rows(_REQUEST, what, at)
        else:
            # No two messages of a conversation have the same time.
            app.rows(_MESSAGE, f"{at}.{number:06}", what)
            at += number / 1_000_000
        if what not in ("skipped", "colleague") and now - 3_600 < at < now:
            counted.append(at)
    for most in range(1, 6):
        newest = sorted(counted, reverse=True)[:most]
        [row] = await person_statement(
            app.pool,
            Person("T1", "U1"),
            "SELECT extract(epoch FROM may_ask_again_at('T1', 'U1', %(ts)s, %(most)s))::float8"
            " AS at",
            {"ts": f"{now}.000000", "most": most},
        )
        expected = newest[-1] + 3_600 if len(newest) == most else None
        assert row["at"] == pytest.approx(expected)


async def test_a_caller_of_the_api_is_refused(make_app: MakeApp) -> None:
    """A user of ``/ask`` gets 429 beyond the limit; another user does not."""
    app = await make_app(person_messages_per_hour=1)
    assert await answer(app.core, "MZ0001", "Hello")
    with pytest.raises(web.HTTPTooManyRequests) as refused:
        await answer(app.core, "MZ0001", "Hello")
    assert is_refusal((refused.value.text or "").strip(), 1)
    assert await answer(app.core, "MZ0002", "Hello")
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
    assert [
        memory.content["food_name"] for memory in await app.memories(message.person)
    ] == ["ramen"]
    turn = app.turn(message)
    assert (turn["words"], turn["reply"]) == ("I love ramen!", None)
