"""Order: messages, edits and deletions count as they were written, however they arrive."""

from __future__ import annotations

import asyncio
import random

import pytest

from bot.conversation.inbox import store_message
from tests.integration.app import App
from tests.integration.messages import changed


def asked(app: App) -> list[str]:
    """Return what the model was asked, in order."""
    return [prompt[-1]["content"] for prompt in app.prompts()]


async def test_messages_at_once_are_answered_in_order(app: App) -> None:
    """Eight rapid messages, stored in any order, are answered as they were written."""
    place = app.slack.place()
    first = app.written(place, "number 00")
    messages = [
        first,
        *(
            app.written(place, f"number {number:02}", thread_ts=first.ts)
            for number in range(1, 8)
        ),
    ]
    shuffled = random.Random(7).sample(messages, len(messages))
    assert all(
        await asyncio.gather(
            *(store_message(app.core, message) for message in shuffled)
        )
    )
    await app.answering.drain(first.thread)
    assert asked(app) == [f"number {number:02}" for number in range(8)]
    assert len(app.replies(first)) == 8
    found = app.rows(
        "SELECT ts, reply_ts FROM messages WHERE thread = %s", first.thread
    )
    replies = [row["reply_ts"] for row in sorted(found, key=lambda row: str(row["ts"]))]
    assert replies == sorted(replies)


async def test_a_deletion_that_overtakes_its_message_counts(app: App) -> None:
    """A message whose deletion is delivered first is not answered when it comes."""
    place = app.slack.place()
    message = app.written(place, "My SECRET")
    await app.note(changed(message, None))
    assert not await store_message(app.core, message)
    await app.answering.drain(message.thread)
    assert asked(app) == []
    row = app.event(message)
    assert (row["status"], row["message"]) == ("deleted", None)


async def test_an_edit_that_overtakes_its_message_counts(app: App) -> None:
    """A message whose edit is delivered first is answered as edited, and once."""
    place = app.slack.place()
    message = app.written(place, "I like ramen")
    edited = changed(message, "I like sushi")
    await app.note(edited)
    assert not await store_message(app.core, message)
    await app.answering.drain(message.thread)
    await app.note(edited)
    assert app.event(message)["status"] == "answered"
    assert asked(app) == ["I like sushi"]


@pytest.mark.parametrize("delivered", [True, False], ids=["again", "late"])
async def test_an_edit_that_comes_after_a_newer_one_changes_nothing(
    app: App, delivered: bool
) -> None:
    """Of two edits the newer one counts, also where the older is delivered after it, or again."""
    place = app.slack.place()
    message = await app.ask(place, "hello")
    older = changed(message, "hello, one")
    newer = {**changed(message, "hello, two"), "event_id": f"EvN{message.ts}"}
    for event in (older, newer, older) if delivered else (newer, older):
        await app.note(event)
    assert app.turn(message)["question"] == "hello, two"


async def test_an_older_edit_does_not_replace_one_that_waits(app: App) -> None:
    """A message that waits is answered as its newest edit reads, in whatever order they came."""
    message = await app.receive(app.slack.place(), "hello")
    older = changed(message, "hello, one")
    newer = {**changed(message, "hello, two"), "event_id": f"EvN{message.ts}"}
    for event in (newer, older):
        await app.note(event)
    await app.answering.drain(message.thread)
    assert asked(app) == ["hello, two"]


async def test_an_edit_that_comes_after_the_deletion_brings_nothing_back(
    app: App,
) -> None:
    """An answered message that was edited and then deleted stays deleted, whatever comes late."""
    message = await app.ask(app.slack.place(), "hello")
    edited = changed(message, "I love ramen")
    await app.note(changed(message, None))
    await app.note(edited)
    event, turn = app.event(message), app.turn(message)
    assert (event["status"], event["message"]) == ("answered", None)
    assert (turn["question"], turn["words"], turn["reply"]) == ("", "", None)
    await app.answering.drain(message.thread)
    assert asked(app) == ["hello"]


async def test_changes_of_what_is_not_for_the_app_are_not_kept(app: App) -> None:
    """People may edit and delete what they wrote to each other: nothing of it is stored."""
    place = app.slack.place(channel="public")
    first = app.written(place, "among ourselves")
    below = app.written(place, "more of it", thread_ts=first.ts)
    for message in (first, below):
        for text in ("edited", None):
            await app.note(changed(message, text))
        assert app.find(message) is None


async def test_an_edit_after_the_answer_changes_no_answer(app: App) -> None:
    """The new words are stored, and memories formed from them; the model is not asked again."""
    message = await app.ask(app.slack.place(), "I love ramen")
    await app.form(message)
    before = app.shown(message)
    await app.change(message, "I love sushi")
    await app.answering.drain(message.thread)
    assert asked(app) == ["I love ramen"]
    assert app.event(message)["status"] == "answered"
    assert app.replies(message) == [str(before[0]["text"])]
    assert app.turn(message)["question"] == "I love sushi"
    formed = [one["food_name"] for one in await app.form(message)]
    assert formed == ["sushi"]
