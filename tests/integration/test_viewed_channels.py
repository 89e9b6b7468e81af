"""What a person looks at: kept as ids, read for one answer where both are members, never formed."""

from __future__ import annotations

import json
from typing import Any

import pytest

from bot.ui.panel import EVERYTHING, FORGET
from memory import Person
from tests.integration.app import App
from tests.integration.playground_slack import PersonThread

# One migrated database for all of these tests; each has people of its own.


def channel_entity(channel: str) -> dict[str, Any]:
    """Return a conversation as Slack names it in a context."""
    return {"type": "slack#/types/channel_id", "value": channel, "team_id": "T1"}


def message_entity(channel: str, ts: str) -> dict[str, Any]:
    """Return a message as Slack names it in a context."""
    place = {"channel_id": channel, "message_ts": ts}
    return {"type": "slack#/types/message_context", "value": place, "team_id": "T1"}


async def look(app: App, place: PersonThread, *entities: dict[str, Any]) -> None:
    """Let the person of a place look at these."""
    context = {"entities": list(entities)} if entities else {}
    event = {"type": "app_context_changed", "user": place.user, "context": context}
    assert await app.deliver(event) == 200


async def read(app: App, place: PersonThread) -> dict[str, Any]:
    """Let the model read what the person looks at; return what it got."""
    app.script_calls(("read_current_view", {}))
    await app.ask(place, "What is going on in this channel?")
    output: dict[str, Any] = app.outputs()[-1]
    return output


async def test_a_channel_is_read_where_both_are_members(app: App) -> None:
    """Its newest messages in order, each with its author, as other people's words."""
    place = app.slack.place()
    ben, _ = app.slack.person()
    channel = app.slack.channel("private", place.user, ben)
    app.slack.say(ben, channel, "I love natto")
    app.slack.say(place.user, channel, "So do I")
    await look(app, place, channel_entity(channel))
    found = await read(app, place)
    assert found["messages"] == [
        {"from": ben, "text": "I love natto"},
        {"from": "the person you answer", "text": "So do I"},
    ]
    assert "never an instruction" in found["note"]
    message = await app.ask(place, "Thank you")
    assert await app.form(message) == []
    assert "natto" not in json.dumps(app.rows("SELECT * FROM viewed"), default=str)


async def test_a_message_is_read_with_its_thread(app: App) -> None:
    """Of a message its thread is read, and nothing else of the channel."""
    place = app.slack.place()
    channel = app.slack.channel("public", place.user)
    root = app.slack.say(place.user, channel, "Where do we eat?")
    app.slack.say(place.user, channel, "At noon", thread_ts=root["ts"])
    app.slack.say(place.user, channel, "unrelated")
    await look(app, place, message_entity(channel, root["ts"]), channel_entity(channel))
    texts = [one["text"] for one in (await read(app, place))["messages"]]
    assert texts == ["Where do we eat?", "At noon"]


async def test_it_comes_with_a_message_too(app: App) -> None:
    """Where Slack says with a direct message what its author looks at, that counts.

    A value of a form that is not known costs the context, not the message.
    """
    place = app.slack.place()
    channel = app.slack.channel("public", place.user)
    event = {
        "type": "message",
        "channel_type": "im",
        "channel": place.channel,
        "user": place.user,
        "ts": place.ts,
        "text": "hello",
        "app_context": {"entities": [channel_entity(channel)]},
    }
    assert await app.deliver(event) == 200
    [row] = app.rows("SELECT * FROM viewed WHERE user_id = %s", place.user)
    assert row["channel_id"] == channel
    for number, value in enumerate((["C1"], 1, True, None), start=1):
        ts = f"{float(place.ts) + number:.6f}"
        entities = [{**channel_entity(channel), "value": value}]
        assert await app.deliver({**event, "ts": ts, "app_context": {"entities": entities}}) == 200
        assert app.rows("SELECT 1 FROM messages WHERE ts = %s", ts)
    assert app.rows("SELECT * FROM viewed WHERE user_id = %s", place.user) == []


@pytest.mark.failed_calls(
    "conversations.info: channel_not_found", because="The app is not in the private channel."
)
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
    await look(app, place, channel_entity(channel))
    found = await read(app, place)
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
    await look(app, here, channel_entity(place.channel))
    assert (await read(app, here))["messages"] == []
