"""Fair shares: counted for all replicas, said once, and nothing asked of the model beyond them."""

from __future__ import annotations

import asyncio

import pytest

from bot.locale import say
from bot.person.shares import UsedUp
from bot.running.ask import Asks, answer_call
from bot.turn import create_turn
from tests.integration.house import Make
from tests.integration.work import sql


@pytest.mark.parametrize(
    ("seconds", "minutes", "hours"),
    [(3600.0, 60, 1), (3599.0, 60, 1), (61.0, 2, 1), (0.5, 1, 1), (-5.0, 1, 1), (7201.0, 121, 3)],
)
def test_times_are_told_in_whole_units(seconds: float, minutes: int, hours: int) -> None:
    """The time left is rounded up, and never nothing."""
    assert UsedUp(sentence="share_messages", limit=1, seconds=seconds).count == minutes
    assert UsedUp(sentence="share_tokens", limit=1, seconds=seconds).count == hours


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
    asks = Asks(house.shares)
    turn = create_turn(house.parts, asks.open_outlet)
    assert (await answer_call(asks, turn, "MZ0001", "Hello"))[0] == 200
    status, text = await answer_call(asks, turn, "MZ0001", "Hello")
    assert status == 429
    assert text.strip() in [say("en", "share_tokens", count=hours) for hours in range(25)]
    assert len(house.prompts()) == 1
