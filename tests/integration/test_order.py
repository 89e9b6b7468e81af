"""Order: messages, edits and deletions count as they were written, however they arrive."""

from __future__ import annotations

import asyncio
import json
import random
import time
from dataclasses import replace
from typing import Any

import pytest

from bot.conversation.inbox import ANSWER
from bot.queue.sweep import BEHIND
from bot.slack.messages import Message
from tests.integration.house import House
from tests.integration.playground_slack import Place
from tests.integration.work import jobs, sql, taken

# One migrated database for all of these tests; each has people of its own.
pytestmark = pytest.mark.one_database


def written(house: House, place: Place, text: str, **more: Any) -> Message:
    """Let the person of `place` write; the event is still on its way."""
    said = house.slack.say(place.user, place.channel, text, **more)
    return house.slack.message(
        place,
        event_id=f"Ev{said['ts']}",
        ts=said["ts"],
        thread_ts=more.get("thread_ts", said["ts"]),
        text=text,
    )


def asked(house: House) -> list[str]:
    """Return what the model was asked, in order."""
    return [prompt[-1]["content"] for prompt in house.prompts()]


def changed(message: Message, text: str | None) -> dict[str, Any]:
    """Return the event that `message` was edited to `text`, or deleted."""
    before = {
        "type": "message",
        "user": message.user_id,
        "team": message.team_id,
        "text": message.text,
        "ts": message.ts,
    }
    if not message.opens_thread:
        before["thread_ts"] = message.thread_ts
    event: dict[str, Any] = {
        "type": "message",
        "subtype": "message_deleted" if text is None else "message_changed",
        "hidden": True,
        "channel": message.channel_id,
        "channel_type": "im" if message.channel_id.startswith("D") else "channel",
        "previous_message": before,
        "ts": f"{time.time():.6f}",
    }
    if text is None:
        event["deleted_ts"] = message.ts
    else:
        event["message"] = {**before, "text": text}
    return {"event_id": f"EvC{message.ts}", "team_id": message.team_id, "event": event}


async def test_twenty_messages_at_once_are_answered_in_order(house: House) -> None:
    """Twenty rapid messages, stored in any order, are answered as they were written."""
    place = house.slack.place()
    first = written(house, place, "number 00")
    messages = [
        first,
        *(
            written(house, place, f"number {number:02}", thread_ts=first.ts)
            for number in range(1, 20)
        ),
    ]
    shuffled = random.Random(7).sample(messages, len(messages))
    assert all(await asyncio.gather(*(house.inbox.store(message) for message in shuffled)))

    async def answered() -> None:
        # A drain that takes long queues the thread again.
        while taken(house, ANSWER):
            await house.answering.drain(first.thread)

    task = asyncio.create_task(answered())
    async with asyncio.timeout(100):
        while not task.done():
            # So that it is not Slack's limits that keep the order.
            sql(house, "DELETE FROM slack_budgets")
            await asyncio.wait({task}, timeout=0.05)
    assert asked(house) == [f"number {number:02}" for number in range(20)]
    assert len(house.replies(place, first)) == 20
    found = sql(house, "SELECT question_ts, reply_ts FROM turns WHERE thread = %s", first.thread)
    replies = [row["reply_ts"] for row in sorted(found, key=lambda row: str(row["question_ts"]))]
    assert replies == sorted(replies)


@pytest.mark.parametrize(("waited", "priority"), [(0, 0), (90, BEHIND)])
async def test_a_long_thread_lets_others_through(
    house: House, monkeypatch: pytest.MonkeyPatch, waited: int, priority: int
) -> None:
    """A thread with many messages gives its place back after a while, and goes on after others.

    What is late, as after an outage, goes on after those who write now.
    """
    monkeypatch.setattr("bot.pipeline.worker._AT_A_STRETCH_SECONDS", 0.0)
    place = house.slack.place()
    first = written(house, place, "one")
    messages = [first, *(written(house, place, t, thread_ts=first.ts) for t in ("two", "three"))]
    for message in messages:
        await house.inbox.store(message)
    sql(
        house,
        "UPDATE inbox_events SET received_at = now() - make_interval(secs => %s) WHERE thread = %s",
        waited,
        first.thread,
    )
    taken(house, ANSWER)
    for answered in ("one", "two", "three"):
        await house.answering.drain(first.thread)
        assert asked(house)[-1] == answered
        expected = [] if answered == "three" else [{"thread": first.thread}]
        assert [job["args"] for job in jobs(house, ANSWER)] == expected
        assert all(row["priority"] == priority for row in sql(house, _PRIORITIES, first.thread))
        taken(house, ANSWER)


_PRIORITIES = "SELECT priority FROM procrastinate_jobs WHERE args->>'thread' = %s"


async def test_an_older_message_that_comes_late_goes_next(house: House) -> None:
    """A message older than the one being answered is answered after it, before newer ones."""
    place = house.slack.place()
    first = written(house, place, "one")
    older, second, third = (
        written(house, place, text, thread_ts=first.ts) for text in ("older", "two", "three")
    )
    for message in (first, second, third):
        await house.inbox.store(message)
    house.script(text="A story.")
    house.script(text="word " * 20)
    house.stand_in.call("/_model/settings", {"first_token_ms": 700})
    task = asyncio.create_task(house.answering.drain(first.thread))
    async with asyncio.timeout(10):
        while house.find("turns", second) is None:  # noqa: ASYNC110
            await asyncio.sleep(0.02)
    await house.inbox.store(older)
    house.stand_in.call("/_model/settings", {"first_token_ms": 0})
    await asyncio.wait_for(task, 20)
    assert asked(house) == ["one", "two", "older", "three"]


async def test_two_people_in_one_thread_are_answered_one_by_one(house: House) -> None:
    """Each question of two people who write at the same time is answered as its own person's."""
    place = house.slack.place(channel="public")
    other, team = house.slack.person()
    house.slack.control("channels/update", {"channel": place.channel, "add": [other]})
    theirs = Place(other, team, place.channel, place.ts, place.root)
    first = written(house, place, "<@BOT> hello", thread_ts=place.root)
    pairs = [
        written(house, who, f"number {number}", thread_ts=place.root)
        for number, who in enumerate([theirs, place] * 3)
    ]
    await asyncio.gather(*(house.inbox.store(message) for message in (first, *pairs)))
    await house.answering.drain(first.thread)
    found = sql(house, "SELECT user_id, question FROM turns WHERE thread = %s", first.thread)
    assert {row["question"]: row["user_id"] for row in found if "number" in row["question"]} == {
        f"number {number}": (place.user if number % 2 else other) for number in range(6)
    }
    *_, last = house.prompts()
    said = [one for one in last if one["role"] != "assistant"]
    assert [one["role"] for one in said[-6:]] == ["developer", "user"] * 3
    framed = [json.loads(one["content"].split("\n")[1]) for one in said[-6::2]]
    assert framed == [{"from": other, "text": f"number {number}"} for number in (0, 2, 4)]


async def test_ten_messages_cost_twelve_calls(house: House) -> None:
    """A burst is one formation that sees all of it: ten replies, one formation, one verdict."""
    place = house.slack.place()
    foods = ("ramen", "sushi", "tofu", "curry", "udon", "soba", "miso", "natto", "mochi", "tea")
    for food in foods:
        message = await house.ask(place, f"I love {food}.")
    [due] = house.formations(message.person)
    assert due["due_in"] > 10
    await house.learning.form(message.team_id, message.user_id, "dm")
    entries = house.stand_in.call("/_model/journal")["entries"]
    calls = [entry["kind"] for entry in entries if entry["endpoint"] != "embeddings"]
    assert sorted(calls) == ["formation", *["reply"] * 10, "verdict"]
    told = str(next(entry["body"] for entry in entries if entry["kind"] == "formation"))
    assert [food for food in foods if f"I love {food}." not in told] == []


async def test_ok_thanks_costs_two_calls_and_writes_nothing(house: House) -> None:
    """Thanks, from somebody with memories, are one reply and one formation that changes nothing."""
    place = house.slack.place()
    told = await house.ask(place, "I love ramen.")
    await house.learning.form(told.team_id, told.user_id, "dm")
    before = await house.memories(told.person)
    assert len(before) == 1
    house.stand_in.call("/_model/journal", method="DELETE")
    await house.ask(place, "ok thanks")
    await house.learning.form(told.team_id, told.user_id, "dm")
    entries = house.stand_in.call("/_model/journal")["entries"]
    calls = [entry["kind"] for entry in entries if entry["endpoint"] != "embeddings"]
    assert calls.count("reply") == 1
    assert calls.count("formation") <= 1
    assert len(calls) <= 2
    assert await house.memories(told.person) == before


async def test_a_deletion_that_overtakes_its_message_counts(house: House) -> None:
    """A message whose deletion is delivered first is not answered when it comes."""
    place = house.slack.place()
    message = written(house, place, "My SECRET")
    await house.changes.note(changed(message, None))
    assert not await house.inbox.store(message)
    await house.answering.drain(message.thread)
    assert asked(house) == []
    row = house.row("inbox_events", message)
    assert (row["status"], row["message"]) == ("withdrawn", None)


async def test_an_edit_that_overtakes_its_message_counts(house: House) -> None:
    """A message whose edit is delivered first is answered as edited, and once."""
    place = house.slack.place()
    message = written(house, place, "I like ramen")
    await house.changes.note(changed(message, "I like sushi"))
    assert not await house.inbox.store(message)
    await house.answering.drain(message.thread)
    assert asked(house) == ["I like sushi"]


async def test_changes_of_old_messages_bring_nothing_up(house: House) -> None:
    """What was written long before its change was delivered is no message on its way."""
    place = house.slack.place()
    old = replace(house.slack.message(place), ts="1700000000.000100", thread_ts="1700000000.000100")
    for text in (None, "edited"):
        await house.changes.note(changed(old, text))
    assert house.find("inbox_events", old) is None


async def test_changes_of_what_is_not_for_the_app_are_not_kept(house: House) -> None:
    """People may edit and delete what they wrote to each other: nothing of it is stored."""
    place = house.slack.place(channel="public")
    first = written(house, place, "among ourselves")
    below = written(house, place, "more of it", thread_ts=first.ts)
    for message in (first, below):
        for text in ("edited", None):
            await house.changes.note(changed(message, text))
        assert house.find("inbox_events", message) is None
    assert sql(house, "SELECT ts FROM overheard WHERE thread = %s", below.thread) == []


async def test_an_edit_of_what_was_said_before_the_mention_is_not_answered(house: House) -> None:
    """What stood there before the app was called into the thread is not for it, edited or not."""
    place = house.slack.place(channel="public")
    before = replace(written(house, place, "talk", thread_ts=place.root), addressed=False)
    mention = written(house, place, "<@BOT> hello", thread_ts=place.root)
    await house.inbox.store(mention)
    await house.changes.note(changed(before, "more talk"))
    assert house.find("inbox_events", before) is None


async def test_a_withdrawn_mention_calls_nobody_into_a_thread(house: House) -> None:
    """Where the only mention was taken back the app takes no part in the thread."""
    place = house.slack.place(channel="public")
    mention = written(house, place, f"<@{house.slack.bot_user_id}> hello", thread_ts=place.root)
    await house.changes.note(changed(mention, None))
    follow_up = replace(written(house, place, "and?", thread_ts=place.root), addressed=False)
    assert not await house.inbox.store(follow_up)


async def test_an_edit_after_the_answer_is_answered_once(house: House) -> None:
    """The same reply becomes the answer to the new words, whatever is delivered twice."""
    place = house.slack.place()
    message = await house.ask(place, "hello")
    first = house.row("turns", message)
    edited = changed(message, "hello, you")
    await house.changes.note(edited)
    waiting = house.row("inbox_events", message)
    assert (waiting["status"], waiting["attempts"] - waiting["spared"]) == ("waiting", 0)
    await house.answering.drain(message.thread)
    await house.changes.note(edited)
    preview = {**changed(replace(message, text="hello, you"), "hello, you"), "event_id": "EvP"}
    await house.changes.note(preview)
    assert house.row("inbox_events", message)["status"] == "done"
    assert asked(house) == ["hello", "hello, you"]
    again = house.row("turns", message)
    assert (again["id"], again["reply_ts"]) == (first["id"], first["reply_ts"])
    assert again["question"] == "hello, you"
    assert len(house.replies(place, message)) == 1


async def test_an_edited_message_is_answered_without_what_it_said_before(house: House) -> None:
    """What was remembered of the old words alone is not in view of the answer to the new ones."""
    place = house.slack.place()
    message = await house.ask(place, "I love ramen")
    await house.learning.form(message.team_id, message.user_id, "dm")
    assert len(await house.memories(message.person)) == 1
    await house.changes.note(changed(message, "I love sushi"))
    await house.answering.drain(message.thread)
    assert "ramen" not in house.developer()
    assert "ramen" not in "".join(house.replies(place, message))
    await house.ask(place, "What shall I eat?")
    assert "ramen" in house.developer()


async def test_an_edit_long_after_the_answer_changes_nothing_of_it(house: House) -> None:
    """After a day an edit is no longer answered: the conversation has gone on."""
    place = house.slack.place()
    old = await house.ask(place, "hello")
    sql(
        house,
        "UPDATE inbox_events SET received_at = now() - interval '25 hours' WHERE ts = %s"
        " RETURNING ts",
        old.ts,
    )
    await house.changes.note(changed(old, "hello, all"))
    assert house.row("inbox_events", old)["status"] == "done"
    assert house.row("turns", old)["question"] == "hello, all"
