"""Fair shares: counted for all replicas, said once, and nothing asked of the model beyond them."""

from __future__ import annotations

import asyncio
from typing import Any

import openai
import pytest

from bot.locale import LANGUAGES, say
from bot.pipeline.turn import create_turn
from bot.runtime.ask import AskHandler, answer_call
from bot.runtime.maintenance import Maintenance
from bot.users.quotas import ExhaustedQuota
from bot.views.refusals import QuotedSentence
from memory import Person, Pool
from tests.conftest import Server
from tests.integration.house import Make
from tests.integration.playground_slack import Place, PlaygroundSlack
from tests.integration.test_own_commands import memories, person
from tests.integration.wired import Wired, wired
from tests.integration.work import sql


@pytest.mark.parametrize(
    ("seconds", "minutes", "hours"),
    [(3600.0, 60, 1), (3599.0, 60, 1), (61.0, 2, 1), (0.5, 1, 1), (-5.0, 1, 1), (7201.0, 121, 3)],
)
def test_times_are_told_in_whole_units(seconds: float, minutes: int, hours: int) -> None:
    """The time left is rounded up, and never nothing."""
    assert ExhaustedQuota(sentence="share_messages", limit=1, seconds=seconds).count == minutes
    assert ExhaustedQuota(sentence="share_tokens", limit=1, seconds=seconds).count == hours


async def test_beyond_their_messages_a_person_is_told_once(make: Make) -> None:
    """The first message beyond the share is answered with one sentence, further ones not at all."""
    house = await make(messages_per_hour=2)
    place, other = house.slack.place(), house.slack.place()
    asked = [await house.ask(place, f"I like food {number}") for number in range(5)]
    answers = [house.replies(place, message) for message in asked]
    assert [len(answer) for answer in answers] == [1, 1, 1, 0, 0]
    [sentence] = answers[2]
    assert any(
        sentence == say("en", "share_messages", limit=2, count=minutes) for minutes in range(61)
    )
    assert [prompt[-1]["content"] for prompt in house.prompts()] == [
        "I like food 0",
        "I like food 1",
    ]
    assert [house.row("inbox_events", message)["status"] for message in asked] == ["done"] * 5
    assert house.row("turns", asked[2])["words"] == ""
    assert house.find("turns", asked[3]) is None
    theirs = await house.ask(other, "Hello")
    assert house.row("turns", theirs)["status"] == "answered"
    sql(house, "UPDATE inbox_events SET received_at = received_at - interval '1 hour'")
    sql(house, "UPDATE notices SET expires_at = now() - interval '1 second'")
    again = await house.ask(place, "Hello again")
    assert house.row("turns", again)["reply"]


async def test_a_message_is_counted_the_same_in_every_replica(make: Make) -> None:
    """Messages that came at once are admitted as one count says, whoever answers them."""
    house, replica = await make(messages_per_hour=3), await make(messages_per_hour=3)
    place = house.slack.place()
    asked = [await house.told(place, f"Hello {number}") for number in range(6)]
    await asyncio.gather(
        *(
            (house, replica)[number % 2].answering.drain(message.thread)
            for number, message in enumerate(asked)
        )
    )
    assert len(house.prompts()) == 3
    assert sum(len(house.replies(place, message)) for message in asked) == 4


async def test_beyond_its_tokens_a_workspace_is_not_answered(make: Make) -> None:
    """Once the day's tokens are used up each person is told once; the next day it goes on."""
    house = await make(tokens_per_day=5)
    ann, bob = house.slack.place(), house.slack.place()
    first = await house.ask(ann, "Hello")
    [used] = sql(house, "SELECT tokens FROM token_use")
    assert used["tokens"] > 5
    assert house.row("turns", first)["reply"]
    asked = len(house.prompts())
    for place in (ann, bob):
        told, silent = await house.ask(place, "One"), await house.ask(place, "Two")
        [sentence] = house.replies(place, told)
        assert sentence in [say("en", "share_tokens", count=hours) for hours in range(25)]
        assert house.replies(place, silent) == []
    assert len(house.prompts()) == asked
    sql(house, "UPDATE token_use SET day = day - 1")
    sql(house, "UPDATE notices SET expires_at = now() - interval '1 second'")
    assert house.row("turns", await house.ask(ann, "Hello"))["reply"]
    await house.shares.spend(first.team_id, 7)
    tokens = {row["tokens"] for row in sql(house, "SELECT tokens FROM token_use")}
    assert tokens == {used["tokens"], max(tokens)}


async def test_tokens_add_up(make: Make) -> None:
    """What each replica uses is counted together, none of it twice."""
    house = await make(tokens_per_day=1_000)
    await asyncio.gather(*(house.shares.spend("T1", number) for number in range(20)))
    assert sql(house, "SELECT tokens FROM token_use") == [{"tokens": 190}]
    assert await house.shares.tokens_used_up("T1") is None
    await house.shares.spend("T1", 810)
    used_up = await house.shares.tokens_used_up("T1")
    assert used_up is not None
    assert 0 < used_up.seconds <= 86_400
    assert await house.shares.tokens_used_up("T2") is None


async def test_remembering_counts_too(make: Make) -> None:
    """Formation's tokens are counted, and it waits for the next day where none are left."""
    house = await make(tokens_per_day=1_000_000)
    asked = await house.ask(house.slack.place(), "I love ramen.")
    [replied] = sql(house, "SELECT tokens FROM token_use")
    sql(house, "DELETE FROM procrastinate_jobs")
    sql(house, "UPDATE token_use SET tokens = 1000000")
    await house.learning.form(asked.team_id, asked.user_id, "dm")
    assert await house.memories(asked.person) == []
    [job] = house.formations(asked.person)
    assert 0 < job["due_in"] <= 86_401
    sql(house, "UPDATE token_use SET tokens = %s", replied["tokens"])
    await house.learning.form(asked.team_id, asked.user_id, "dm")
    assert len(await house.memories(asked.person)) == 1
    [both] = sql(house, "SELECT tokens FROM token_use")
    assert both["tokens"] > replied["tokens"] + 100


async def test_without_limits_nothing_is_counted(make: Make) -> None:
    """A limit of 0 is none: nothing is asked of the database for it."""
    house = await make()
    place = house.slack.place()
    asked = await house.ask(place, "Hello")
    assert house.row("turns", asked)["status"] == "answered"
    assert sql(house, "SELECT 1 FROM token_use") == []


async def test_tokens_that_cannot_be_counted_cost_no_answer(make: Make) -> None:
    """While the database is away the model's answer is not lost for its bill."""
    house = await make(tokens_per_day=5)
    await house.pool.close()
    await house.shares.spend("T1", 7)


async def test_a_caller_of_the_api_is_told_too(make: Make) -> None:
    """Where the callers of ``/ask`` have used up their tokens they get 429 and the sentence."""
    house = await make(tokens_per_day=5)
    asks = AskHandler(house.shares)
    turn = create_turn(house.parts, asks.open_reply_sink)
    assert (await answer_call(asks, turn, "MZ0001", "Hello"))[0] == 200
    status, text = await answer_call(asks, turn, "MZ0001", "Hello")
    assert status == 429
    assert text.strip() in [say("en", "limit_tokens", count=hours) for hours in range(25)]
    assert len(house.prompts()) == 1


@pytest.fixture
async def limited(
    pool: Pool,
    database: str,
    slack: PlaygroundSlack,
    stand_in: Server,
    model_client: openai.AsyncOpenAI,
) -> Any:
    """Return what wires the app with some limits."""

    async def make(**settings: Any) -> Wired:
        return await wired(pool, database, slack, stand_in, model_client, **settings)

    return make


def requests_of(app: Wired) -> list[int]:
    """Return the counts of requests."""
    return [row["requests"] for row in app.rows("SELECT requests FROM person_requests")]


def hourly(limit: int) -> list[str]:
    """Return every sentence about a person's limit."""
    return [say("en", "limit_requests", limit=limit, count=minutes) for minutes in range(61)]


async def test_requests_and_messages_share_one_limit(limited: Any) -> None:
    """`/memories add` counts like a message: beyond the limit no model is called, for either."""
    app = await limited(person_messages_per_hour=3)
    place, other = app.slack.place(), app.slack.place()
    await app.ask(place, "Hello")
    for number in range(2):
        assert "Remembered" in (await memories(app, place, f"add I like food {number}"))["text"]
    before = app.model_requests()
    for number in range(15):
        answer = await memories(app, place, f"add I like drink {number}")
        assert answer["text"] in hourly(3)
    refused = await app.ask(place, "Hello again")
    assert app.model_requests() == before
    assert requests_of(app) == [2]
    assert app.turn(refused)["words"] == ""
    assert "Remembered" in (await memories(app, other, "add I like tea"))["text"]


async def test_beyond_the_tokens_nothing_is_added(limited: Any) -> None:
    """Once the workspace's tokens are used up every way to add says so and calls no model."""
    app = await limited(workspace_tokens_per_day=1)
    place: Place = app.slack.place(text="I like tea")
    who = person(place, app)
    await app.wiring.shares.spend(who.team_id, 5)
    before = app.model_requests()
    adding = app.wiring.own_commands.adding
    pointed = {"user": place.user, "ts": place.ts, "text": "I like tea"}
    held = QuotedSentence(text="I like tea", channel=place.channel).value
    for answer in (
        await memories(app, place, "add I like tea"),
        await adding.pointed_at(who, "en", channel=place.channel, message=pointed),
        await adding.stored_anyway(who, "en", held),
    ):
        assert answer["text"] in [say("en", "limit_tokens", count=hours) for hours in range(25)]
    assert app.model_requests() == before
    assert await app.memories(who) == []
    # One's own memories can be seen and forgotten all the same.
    assert (await memories(app, place, "list"))["text"]


async def test_requests_at_once_are_counted_exactly(make: Make) -> None:
    """Of twenty requests of one person at once, on two replicas, five are admitted."""
    house, replica = await make(messages_per_hour=5), await make(messages_per_hour=5)
    ann = Person("T1", "U1")
    admitted = await asyncio.gather(
        *((house, replica)[number % 2].shares.admit(ann) for number in range(20))
    )
    assert sum(one is None for one in admitted) == 5
    for refused in filter(None, admitted):
        assert (refused.sentence, refused.limit) == ("share_messages", 5)
        assert 0 < refused.seconds <= 3_600
        for language in LANGUAGES:
            assert "5" in refused.refusal(language)
    assert await house.shares.admit(Person("T1", "U2")) is None
    sql(house, "UPDATE person_requests SET hour = hour - interval '1 hour'")
    assert await house.shares.admit(ann) is None


async def test_counts_of_hours_that_are_over_are_deleted(make: Make) -> None:
    """The upkeep keeps no count longer than it is asked for."""
    house = await make(messages_per_hour=5)
    await house.shares.admit(Person("T1", "U1"))
    await Maintenance(house.pool, house.queue).keep_up(1)
    assert sql(house, "SELECT requests FROM person_requests") == [{"requests": 1}]
    sql(house, "UPDATE person_requests SET hour = hour - interval '3 hours'")
    await Maintenance(house.pool, house.queue).keep_up(1)
    assert sql(house, "SELECT requests FROM person_requests") == []


async def test_a_caller_of_the_api_has_an_hourly_limit(make: Make) -> None:
    """A user of ``/ask`` is refused with 429 beyond the hourly limit; another is not."""
    house = await make(messages_per_hour=2)
    asks = AskHandler(house.shares)
    turn = create_turn(house.parts, asks.open_reply_sink)
    for _ in range(2):
        assert (await answer_call(asks, turn, "MZ0001", "Hello"))[0] == 200
    status, text = await answer_call(asks, turn, "MZ0001", "Hello")
    assert status == 429
    assert text.strip() in hourly(2)
    assert (await answer_call(asks, turn, "MZ0002", "Hello"))[0] == 200
    assert len(house.prompts()) == 3
