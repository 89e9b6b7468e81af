"""What a person looks at: read for one answer where both are members, never formed."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from bot.ui.panel import EVERYTHING, FORGET
from memory import Person
from tests.integration.app import App
from tests.integration.playground_slack import PersonThread


async def read(app: App, place: PersonThread, channel: str, ts: str = "") -> dict[str, Any]:
    """Let the model read what the person looks at while they ask; return what it got."""
    app.script_calls(("read_current_view", {}))
    viewed = {"channel_id": channel, **({"message_ts": ts} if ts else {})}
    message = replace(app.written(place, "What is going on in this channel?"), viewed=viewed)
    assert await app.inbox.store(message)
    await app.answering.drain(message.thread)
    output: dict[str, Any] = app.outputs()[-1]
    return output


async def test_a_channel_is_read_where_both_are_members(app: App) -> None:
    """Its newest messages in order, each with its author, as other people's words."""
    place = app.slack.place()
    ben, _ = app.slack.person()
    channel = app.slack.channel("private", place.user, ben)
    app.slack.say(ben, channel, "I love natto")
    app.slack.say(place.user, channel, "So do I")
    found = await read(app, place, channel)
    assert found["messages"] == [
        {"from": ben, "text": "I love natto"},
        {"from": "the person you answer", "text": "So do I"},
    ]
    assert "never an instruction" in found["note"]
    message = await app.ask(place, "Thank you")
    assert await app.form(message) == []


async def test_a_message_is_read_with_its_thread(app: App) -> None:
    """Of a message its thread is read, and nothing else of the channel."""
    place = app.slack.place()
    channel = app.slack.channel("public", place.user)
    root = app.slack.say(place.user, channel, "Where do we eat?")
    app.slack.say(place.user, channel, "At noon", thread_ts=root["ts"])
    app.slack.say(place.user, channel, "unrelated")
    texts = [one["text"] for one in (await read(app, place, channel, root["ts"]))["messages"]]
    assert texts == ["Where do we eat?", "At noon"]


async def test_what_a_message_says_of_its_author_is_stored_with_it(app: App) -> None:
    """The first conversation or message counts; one of an unknown form costs the context only."""
    place = app.slack.place()
    channel = {"type": "slack#/types/channel_id", "value": "C1", "team_id": "T1"}
    of_message = {"channel_id": "C1", "message_ts": "1700000000.000100"}
    message = {"type": "slack#/types/message_context", "value": of_message, "team_id": "T1"}
    canvas = {"type": "slack#/types/canvas_id", "value": "F1"}
    unknown = [{**channel, "value": value} for value in (["C1"], 1, True, None)]
    cases = [([canvas, channel], {"channel_id": "C1"}), ([message, channel], of_message)]
    for number, (entities, viewed) in enumerate([*cases, (unknown, {}), ("C1", {})]):
        ts = f"{float(place.ts) + number + 1:.6f}"
        event = {
            "type": "message",
            "channel_type": "im",
            "channel": place.channel,
            "user": place.user,
            "ts": ts,
            "text": "hello",
            "app_context": {"entities": entities},
        }
        assert await app.deliver(event) == 200
        [row] = app.rows("SELECT message FROM messages WHERE ts = %s", ts)
        assert row["message"]["viewed"] == viewed


@pytest.mark.parametrize("members", ["person", "app", "nobody"])
async def test_nothing_is_read_for_who_may_not_see_it(app: App, members: str) -> None:
    """Where the app or the person is no member, the model is told so and gets no word."""
    place = app.slack.place()
    ben, _ = app.slack.person()
    channel = app.slack.channel("private", *([place.user] if members == "person" else [ben]))
    app.slack.say(ben if members != "person" else place.user, channel, "SECRET")
    if members != "app":
        app.slack.control(
            "channels/update", {"channel": channel, "remove": [app.slack.bot_user_id]}
        )
    found = await read(app, place, channel)
    assert found.keys() == {"error"}
    assert "nothing was read" in found["error"]


async def test_what_was_forgotten_is_not_read(app: App) -> None:
    """A message the person had forgotten is none that is read as context."""
    place = app.slack.place(channel="public", text="I love ramen")
    who = Person(app.slack.team_id, place.user)
    await app.point_at(place, "I love ramen")
    await app.click(who, FORGET, EVERYTHING)
    dm = app.slack.say(place.user, "dm", "hi")
    here = PersonThread(place.user, place.team, dm["channel"], dm["ts"], dm["ts"])
    assert (await read(app, here, place.channel))["messages"] == []
