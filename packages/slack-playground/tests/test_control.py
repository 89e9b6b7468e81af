"""The control API: people, conversations, messages, and one sentence for every mistake."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from typing import Any

import aiohttp
import pytest

from slack_playground.slack import Slack

from .driver import Driver, Json


async def test_the_sample_workspace(slack: Slack, driver: Driver) -> None:
    """A new playground has three people, the bot, a public, a private, a group channel, and DMs."""
    state = await driver.state()
    assert [user["name"] for user in state["users"]] == ["Memo", "Aya", "Ben", "Chika"]
    assert [user["is_bot"] for user in state["users"]] == [True, False, False, False]
    channels = {channel["name"]: channel for channel in state["channels"]}
    assert channels["general"]["is_private"] is False
    assert channels["tea-room"]["is_private"] is True
    assert sum(channel["is_im"] for channel in state["channels"]) == 3
    assert [c["name"] for c in state["channels"] if c["is_mpim"]] == ["aya-ben-chika"]
    assert state["bot_user_id"] == slack.workspace.identity.bot_user_id
    ids = [entry["id"] for entry in [*state["users"], *state["channels"]]]
    assert all(id_.isalnum() and id_.isupper() for id_ in ids)


async def test_a_private_conversation_is_seen_by_its_members(driver: Driver) -> None:
    """A person who is not in a private channel or DM gets 403."""
    await driver.say("secret")
    aya_dm = (await driver.get("channels/dm/messages", user=await driver.user()))[
        "channel"
    ]
    ben = await driver.user("Ben")
    chika = await driver.user("Chika")
    tea = await driver.channel("tea-room")
    for channel, user in ((aya_dm, ben), (tea, chika)):
        url = f"{driver.url}/_playground/channels/{channel}/messages?user={user}"
        async with driver.session.get(url) as response:
            assert response.status == 403
    status, _ = await driver.try_post(
        "messages", user=chika, channel=tea, text="let me in"
    )
    assert status == 400


async def test_editing_and_deleting(driver: Driver) -> None:
    """A person edits and deletes their own messages only; the app is notified of both."""
    said = await driver.say("ramen > udon")
    mine = {"user": await driver.user(), **said}
    other = {**mine, "user": await driver.user("Ben")}
    await driver.post("messages/edit", **mine, text="udon > ramen")
    edited = (await driver.messages())[-1]
    assert edited["text"] == "udon &gt; ramen"
    assert edited["edited"]["user"] == await driver.user()
    assert (await driver.try_post("messages/edit", **other, text="x"))[0] == 400
    await driver.post("messages/delete", **mine)
    assert await driver.messages() == []
    subtypes = [event.get("subtype") for event in await driver.events("message")]
    assert subtypes == [None, "message_changed", "message_deleted"]


async def test_a_deleted_parent_leaves_a_tombstone(driver: Driver) -> None:
    """A deleted parent becomes a tombstone, which goes with its last reply."""
    said = await driver.say("question")
    reply = await driver.say("answer", thread_ts=said["ts"])
    aya = await driver.user()
    await driver.post("messages/delete", user=aya, **said)
    event = (await driver.events("message"))[-1]
    assert event["subtype"] == "message_changed"
    assert event["message"]["subtype"] == "tombstone"
    assert event["previous_message"]["text"] == "question"
    texts = [message["text"] for message in await driver.messages()]
    assert texts == ["This message was deleted.", "answer"]
    await driver.post("messages/delete", user=aya, **reply)
    assert await driver.messages() == []
    subtypes = [event.get("subtype") for event in await driver.events("message")]
    assert subtypes[-2:] == ["message_deleted", "message_deleted"]


@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("messages", {"user": "UNOBODY", "channel": "dm", "text": "x"}),
        ("messages", {"user": "AYA", "channel": "CNONE", "text": "x"}),
        ("messages", {"user": "AYA", "channel": "dm"}),
        ("messages", {"user": "AYA", "text": "x", "thread": "1.1"}),
        ("messages", {"user": "AYA", "channel": "dm", "blocks": [{"type": "blink"}]}),
        ("messages/edit", {"user": "AYA", "channel": "dm", "ts": "1.1", "text": "x"}),
        ("commands", {"user": "AYA", "channel": "dm", "command": "/dance"}),
        (
            "commands",
            {"user": "AYA", "channel": "dm", "command": "/forget", "thread_ts": "1.1"},
        ),
        (
            "actions",
            {"user": "AYA", "channel": "dm", "ts": "1.1", "action_id": "x"},
        ),
        ("views/submit", {"user": "AYA", "view_id": "VNONE"}),
        ("stop", {"user": "AYA", "channel": "dm", "thread_ts": "1.1"}),
        ("users", {"name": "Eve", "tz": "Moon/Crater"}),
        ("channels", {"kind": "secret", "members": ["AYA"]}),
        ("events", {"raw": "x"}),
        ("delivery", {"mode": "pigeon"}),
        ("settings", {"colour": "red"}),
    ],
)
async def test_a_mistake_gets_one_sentence(
    driver: Driver, path: str, body: Json
) -> None:
    """A control request that makes no sense gets 400 and one sentence."""
    aya = await driver.user()
    named: dict[str, Any] = {
        key: aya if value == "AYA" else [aya] if value == ["AYA"] else value
        for key, value in body.items()
    }
    status, answer = await driver.try_post(path, **named)
    assert (status, answer["error"][-1]) == (400, ".")


@pytest.fixture
async def stream(driver: Driver) -> AsyncIterator[aiohttp.ClientResponse]:
    """The page's stream of updates."""
    async with driver.session.get(f"{driver.url}/_playground/updates") as response:
        yield response


async def test_the_page_is_notified_of_changes(
    driver: Driver, stream: aiohttp.ClientResponse
) -> None:
    """Updates come as Server-Sent Events, each naming what changed."""
    said = await driver.say("hi")
    async with asyncio.timeout(30):
        async for line in stream.content:
            if line.startswith(b"data:"):
                break
    update = json.loads(line.removeprefix(b"data:"))
    assert update == {
        "changed": "messages",
        "channel": said["channel"],
        "ts": said["ts"],
    }
