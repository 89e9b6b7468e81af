"""While the model is away: each message gets a notice, which becomes its answer later."""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from itertools import accumulate
from typing import Any
from unittest.mock import MagicMock

import pytest

from bot.breaker.breaker import FAILURES
from bot.conversation.history import take_away
from bot.locale import say
from bot.pipeline.formation import FORM
from bot.runtime.worker import FORMATION_WAITS, register_work
from bot.slack.messages import Message
from memory import forget
from tests.integration.house import House
from tests.integration.playground_slack import Place
from tests.integration.work import sql

NOTICE = say("en", "held_down")


# One migrated database for all of these tests; each has people of its own.
pytestmark = pytest.mark.one_database


def due_in(house: House, message: Message) -> float | None:
    """Return the seconds until the job of a message's thread may begin; None for no job."""
    found = sql(
        house,
        "SELECT COALESCE(extract(epoch FROM scheduled_at - now())::float, 0) AS seconds"
        " FROM procrastinate_jobs WHERE queueing_lock = %s AND status = 'todo'",
        f"replies:{message.thread}",
    )
    return float(found[0]["seconds"]) if found else None


def back(house: House) -> None:
    """Let the model answer again, and what is asked of it be counted anew."""
    house.stand_in.call("/_model/faults", method="DELETE")
    house.parts.replier.breaker.answered()


async def drain(house: House, message: Message) -> None:
    """Work the job that waits for a message's thread, whenever it may begin."""
    done = sql(
        house,
        "DELETE FROM procrastinate_jobs WHERE queueing_lock = %s AND status = 'todo' RETURNING id",
        f"replies:{message.thread}",
    )
    assert len(done) == 1
    await house.answering.drain(message.thread)


@pytest.mark.failed_calls(
    "chat.update: streaming_state_conflict",
    because="The model failed while the answer was streamed.",
)
@pytest.mark.parametrize(
    ("how", "key"),
    [
        ({"status": 500}, "held_down"),
        ({"status": 503}, "held_down"),
        ({"drop": True}, "held_down"),
        ({"event": "failed"}, "held_down"),
        ({"break_after_chars": 20}, "held_down"),
        ({"status": 429}, "held_busy"),
    ],
    ids=str,
)
async def test_the_notice_becomes_the_answer(house: House, how: dict[str, Any], key: str) -> None:
    """The person is told that their message is safe, and the same message becomes the answer."""
    place = house.slack.place()
    house.fault(times=-1, **how)
    asked = await house.told(place, "I like ramen. And what do you like best of all?")
    await drain(house, asked)
    assert house.replies(place, asked) == [say("en", key)]
    assert house.row("inbox_events", asked)["status"] == "waiting"
    assert 1 < (due_in(house, asked) or 0) <= 5
    shown = house.row("turns", asked)["reply_ts"]
    back(house)
    house.script(text="Sushi, of course.")
    await drain(house, asked)
    assert house.replies(place, asked) == ["Sushi, of course."]
    turn = house.row("turns", asked)
    assert (turn["status"], turn["reply_ts"]) == ("answered", shown)
    assert turn["words"] == "I like ramen. And what do you like best of all?"
    assert house.row("inbox_events", asked)["status"] == "done"
    assert len(house.formations(asked.person)) == 1
    assert due_in(house, asked) is None


async def test_every_message_gets_one_notice(house: House) -> None:
    """Each message of a person says that it waits, once, and becomes its own answer."""
    place = house.slack.place()
    house.fault(status=500, times=-1)
    first = await house.told(place, "one")
    second = await house.told(place, "two")
    for message in (first, second, first, second):
        await drain(house, message)
    assert [house.replies(place, m) for m in (first, second)] == [[NOTICE], [NOTICE]]
    assert len(house.slack.calls("chat.postMessage", "chat.update")) == 2
    back(house)
    await drain(house, first)
    assert due_in(house, second) == pytest.approx(0, abs=4.0)
    await drain(house, second)
    assert [p[-1]["content"] for p in house.prompts()][-2:] == ["one", "two"]
    assert len(house.replies(place, first)) == len(house.replies(place, second)) == 1
    assert NOTICE not in [*house.replies(place, first), *house.replies(place, second)]


async def test_another_person_and_another_outage_are_told_again(house: House) -> None:
    """Each person gets a notice; after an answer, the next outage gives another one."""
    places = [house.slack.place(), house.slack.place()]
    for _ in range(2):
        house.fault(status=500, times=-1)
        asked = [await house.told(place, "Hello") for place in places]
        for place, message in zip(places, asked, strict=True):
            await drain(house, message)
            assert house.replies(place, message) == [NOTICE]
        back(house)
        for message in asked:
            await drain(house, message)


async def test_every_author_waiting_in_a_thread_gets_a_notice(house: House) -> None:
    """Messages behind one that waits for the model tell their authors so, and keep their order."""
    ann, team = house.slack.person()
    bob, _ = house.slack.person()
    channel = house.slack.channel("public", ann, bob)
    places = [Place(user, team, channel, "", "") for user in (ann, bob)]
    house.fault(status=500, times=-1)
    first = await house.told(places[0], "one")
    second = await house.told(places[1], "two", thread_ts=first.ts)
    third = await house.told(places[0], "three", thread_ts=first.ts)
    asked = (first, second, third)
    for _ in range(2):
        await drain(house, first)
    assert house.replies(places[0], first) == [NOTICE] * 3
    assert len(house.slack.calls("chat.postMessage", "chat.update")) == 3
    assert (due_in(house, first) or 0) > 4
    shown = [house.row("turns", message)["reply_ts"] for message in asked]
    back(house)
    await drain(house, first)
    assert [p[-1]["content"].split()[-1] for p in house.prompts()][-3:] == ["one", "two", "three"]
    assert [house.row("turns", message)["reply_ts"] for message in asked] == shown
    assert len(house.replies(places[0], first)) == 3
    assert NOTICE not in house.replies(places[0], first)
    assert house.row("turns", second)["user_id"] == bob


POISON = "Tell me about the forbidden word"


def poisoned(house: House) -> None:
    """Let the model fail for one prompt, and answer all others."""
    house.fault(status=500, times=-1, match=POISON)


async def test_one_prompt_that_always_fails_harms_no_other(house: House) -> None:
    """A prompt that always fails does not open the breaker, and is given up when others succeed."""
    place, others = house.slack.place(), house.slack.place()
    poisoned(house)
    asked = await house.told(place, POISON)
    for number in range(FAILURES + 2):
        await drain(house, asked)
        other = await house.ask(others, f"Hello {number}")
        assert house.row("turns", other)["status"] == "answered"
    assert house.replies(place, asked) == [NOTICE]
    sql(
        house,
        "UPDATE inbox_events SET held_since = held_since - interval '3 minutes' WHERE ts = %s",
        asked.ts,
    )
    sql(
        house,
        "UPDATE turns SET intended_at = intended_at - interval '150 seconds',"
        " ended_at = ended_at - interval '150 seconds' WHERE user_id = %s",
        others.user,
    )
    await drain(house, asked)
    assert house.replies(place, asked) == [say("en", "held_alone")]
    event = house.row("inbox_events", asked)
    assert (event["status"], event["message"]) == ("failed", None)
    assert due_in(house, asked) is None
    assert len(house.formations(asked.person)) == 1


async def test_a_prompt_that_always_fails_keeps_its_waits(house: House) -> None:
    """Answers to others do not make what fails alone be tried more often."""
    place, others = house.slack.place(), house.slack.place()
    poisoned(house)
    asked = await house.told(place, POISON)
    waits = []
    for number in range(4):
        await drain(house, asked)
        await house.ask(others, f"Hello {number}")
        waits.append(due_in(house, asked))
    # The first answer after it hurries it once: it may have been an outage.
    assert waits == [pytest.approx(s, abs=1.5) for s in (0, 10, 20, 40)]


async def test_what_fails_while_nothing_else_is_asked_waits_as_in_an_outage(house: House) -> None:
    """If the model has answered no other message it may be away: the wait is half an hour."""
    place = house.slack.place()
    poisoned(house)
    sql(house, "UPDATE turns SET intended_at = intended_at - interval '1 hour'")
    asked = await house.told(place, POISON)
    await drain(house, asked)
    sql(
        house,
        "UPDATE inbox_events SET held_since = held_since - interval '20 minutes' WHERE ts = %s",
        asked.ts,
    )
    await drain(house, asked)
    assert house.replies(place, asked) == [NOTICE]
    assert house.row("inbox_events", asked)["status"] == "waiting"


async def test_each_wait_is_longer_than_the_last(house: House) -> None:
    """The model is tried again after 5, 10, 20, 40, 60 and 60 seconds; the notice stays one."""
    place = house.slack.place()
    house.fault(status=500, times=-1)
    asked = await house.told(place, "Hello")
    waits = []
    for _ in range(6):
        await drain(house, asked)
        waits.append(due_in(house, asked))
    assert waits == [pytest.approx(s, abs=1.5) for s in (5, 10, 20, 40, 60, 60)]
    assert house.replies(place, asked) == [NOTICE]
    assert len(house.slack.calls("chat.postMessage", "chat.update")) == 1


async def test_what_waits_for_half_an_hour_is_given_up(house: House) -> None:
    """After half an hour the person is told in one sentence; the operator finds it as failed."""
    place = house.slack.place()
    house.fault(status=500, times=-1)
    asked = await house.told(place, "I like ramen")
    await drain(house, asked)
    sql(
        house,
        "UPDATE inbox_events SET held_since = held_since - interval '31 minutes' WHERE ts = %s",
        asked.ts,
    )
    await drain(house, asked)
    assert house.replies(place, asked) == [say("en", "held_too_long")]
    event = house.row("inbox_events", asked)
    assert (event["status"], event["message"]) == ("failed", None)
    assert due_in(house, asked) is None
    assert len(house.formations(asked.person)) == 1


async def test_a_dead_model_is_not_asked_for_every_message(house: House) -> None:
    """Once it is known to be away nobody's message costs a request; each person is told."""
    house.fault(status=500, times=-1)
    places = [house.slack.place() for _ in range(FAILURES + 4)]
    for place in places:
        message = await house.told(place, "Hello")
        await drain(house, message)
        assert house.replies(place, message) == [NOTICE]
        assert due_in(house, message) is not None
    assert len(house.prompts()) == FAILURES


async def test_others_are_hurried_when_one_is_answered(house: House) -> None:
    """With the first answer nothing waits any longer than it must."""
    places = [house.slack.place() for _ in range(3)]
    house.fault(status=500, times=-1)
    held = [await house.told(place, "Hello") for place in places]
    for message in held:
        await drain(house, message)
    back(house)
    await house.ask(house.slack.place(), "Hello")
    assert [due_in(house, message) for message in held] == [pytest.approx(0, abs=1.0)] * 3


async def test_a_thread_waits_behind_its_first_message(house: House) -> None:
    """What is written below a message that is put off is answered after it, without a job more."""
    place = house.slack.place()
    house.fault(status=500, times=-1)
    first = await house.told(place, "one")
    await drain(house, first)
    second = await house.told(place, "two", thread_ts=first.ts)
    assert (due_in(house, second) or 0) > 3
    back(house)
    await drain(house, first)
    assert [prompt[-1]["content"] for prompt in house.prompts()][-2:] == ["one", "two"]


async def test_an_edit_while_it_waits_is_what_is_answered(house: House) -> None:
    """A message that was edited while the model was away is answered as it reads then."""
    place = house.slack.place()
    house.fault(status=500, times=-1)
    asked = await house.told(place, "I like ramen")
    await drain(house, asked)
    await house.inbox.edit(asked.team_id, asked.channel_id, asked.ts, asked.thread, "I like sushi")
    back(house)
    await drain(house, asked)
    assert house.prompts()[-1][-1]["content"] == "I like sushi"
    [answer] = house.replies(place, asked)
    assert answer != NOTICE
    assert house.row("turns", asked)["words"] == "I like sushi"


async def test_a_message_deleted_while_it_waits_takes_the_notice_along(house: House) -> None:
    """Deleting the message ends the wait at once: notice and words are gone."""
    place = house.slack.place()
    house.fault(status=500, times=-1)
    asked = await house.told(place, "I like ramen")
    await drain(house, asked)
    await house.inbox.withdraw(asked.team_id, asked.channel_id, asked.ts, asked.thread)
    assert due_in(house, asked) == pytest.approx(0, abs=1.0)
    await drain(house, asked)
    assert house.replies(place, asked) == []
    turn = house.row("turns", asked)
    assert (turn["status"], turn["question"], turn["words"]) == ("stopped", "", "")
    assert house.formations(asked.person) == []


async def test_a_notice_that_was_not_given_is_given_by_the_next_attempt(house: House) -> None:
    """An attempt that dies between claiming the notice and giving it leaves it to the next one."""
    place = house.slack.place()
    asked = await house.told(place, "Hello")
    waiting = await house.inbox.next(asked.thread)
    assert waiting is not None
    assert await house.notices.claim(waiting, "share_tokens", 300)
    other = replace(waiting, id=waiting.id + 1)
    assert not await house.notices.claim(other, "share_tokens", 300)
    assert await house.notices.claim(waiting, "share_tokens", 300)


async def test_stop_ends_the_wait(house: House) -> None:
    """Stop pressed while the model is away: the next attempt says so and asks nothing."""
    place = house.slack.place()
    house.fault(status=500, times=-1)
    asked = await house.told(place, "Hello")
    await drain(house, asked)
    await house.inbox.interrupt(asked.thread)
    asks = len(house.prompts())
    await drain(house, asked)
    assert house.replies(place, asked) == [say("en", "stopped")]
    assert len(house.prompts()) == asks
    assert house.row("turns", asked)["status"] == "stopped"


async def test_what_was_forgotten_while_it_waited_is_answered_and_not_kept(house: House) -> None:
    """Everything is forgotten while a message waits: its answer comes, its words do not return."""
    place = house.slack.place()
    house.fault(status=500, times=-1)
    asked = await house.told(place, "I like ramen")
    await drain(house, asked)
    await forget(house.pool, asked.person, None, take_away=partial(take_away, person=asked.person))
    back(house)
    house.script(text="Noted.")
    await drain(house, asked)
    assert house.replies(place, asked) == ["Noted."]
    turn = house.row("turns", asked)
    assert (turn["status"], turn["question"], turn["words"]) == ("answered", "", "")
    assert house.formations(asked.person) == []


def test_words_are_tried_four_times_a_day_at_most() -> None:
    """A memory model that is away is asked again soon, then rarely, for most of a week."""
    wiring = MagicMock()
    register_work(wiring)
    [formation] = [one for one in wiring.queue.register.call_args_list if one.args[0] == FORM]
    assert formation.kwargs == {"waits": FORMATION_WAITS}
    attempts = list(accumulate(FORMATION_WAITS, initial=0))
    day = 86_400
    assert max(sum(begin <= one < begin + day for one in attempts) for begin in attempts) == 4
    assert attempts[1] <= 5
    assert attempts[-1] > 5 * day
