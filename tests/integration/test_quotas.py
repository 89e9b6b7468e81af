"""The quota: counted for all replicas, said once, and nothing asked of the model beyond it."""

from __future__ import annotations

import random
import re
from datetime import UTC, datetime, timedelta

import pytest
from aiohttp import web

from bot.locale import LANGUAGES, Localizer, say
from bot.quota import QuotaExceeded
from bot.runtime.ask import answer
from memory import Person
from memory.postgres import execute_statement, load_statements
from tests.integration.app import App, MakeApp

_SQL = load_statements("bot", "quota")


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


def is_refusal(sentence: str, limit: int) -> bool:
    """Return whether a text says that the person's limit is used up, and until when."""
    form = re.escape(say("en", "limit_reached", limit=limit, until="@"))
    return re.search(form.replace("@", ".+"), sentence) is not None


@pytest.mark.parametrize("localizer", [Localizer(language) for language in LANGUAGES])
def test_the_sentence_says_the_minute_after_a_place_is_free(
    localizer: Localizer,
) -> None:
    """Its seconds are not shown."""
    free_at = datetime(2026, 11, 30, 12, 0, 59, tzinfo=UTC)
    used_up = QuotaExceeded(5, free_at.timestamp())
    assert used_up.until(localizer) == localizer.minute(free_at + timedelta(seconds=60))


_MESSAGE = (
    "INSERT INTO messages (team_id, user_id, channel_id, ts, thread, status)"
    " VALUES ('T1', 'U1', 'D1', %s, 'T1.D1.1', %s) RETURNING 1"
)


@pytest.mark.parametrize("seed", range(12))
async def test_a_place_is_free_an_hour_after_the_message_so_many_back(
    app: App, seed: int
) -> None:
    """Messages but skipped ones are counted, in one window."""
    chance = random.Random(seed)
    now = 1_800_000_000
    counted: list[float] = []
    for number in range(chance.randrange(14)):
        at = now - chance.choice([0, 1, 3_599, 3_600, 3_601, chance.randrange(7_200)])
        status = chance.choice(["answered", "waiting", "skipped"])
        # No two messages of a conversation have the same time.
        app.rows(_MESSAGE, f"{at}.{number:06}", status)
        exactly = at + number / 1_000_000
        if status != "skipped" and now - 3_600 < exactly < now:
            counted.append(exactly)
    for most in range(1, 6):
        newest = sorted(counted, reverse=True)[:most]
        found = await execute_statement(
            app.pool,
            _SQL["may_ask_again"],
            {"team": "T1", "user": "U1", "ts": f"{now}.000000", "limit": most},
            scope=Person("T1", "U1").settings,
        )
        expected = [newest[-1] + 3_600] if len(newest) == most else []
        assert [row["at"] for row in found] == pytest.approx(expected)


async def test_a_caller_of_the_api_is_refused(make_app: MakeApp) -> None:
    """A user of ``/ask`` gets 429 beyond the limit; another user does not."""
    app = await make_app(person_messages_per_hour=1)
    assert await answer(app.core, "MZ0001", "Hello")
    with pytest.raises(web.HTTPTooManyRequests) as refused:
        await answer(app.core, "MZ0001", "Hello")
    assert is_refusal((refused.value.text or "").strip(), 1)
    assert await answer(app.core, "MZ0002", "Hello")
    assert len(app.prompts()) == 2
