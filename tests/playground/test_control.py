"""The control API: people, conversations, messages, and one sentence for every mistake."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from typing import Any

import aiohttp
import pytest
from slack_sdk.web.async_client import AsyncWebClient

from playground.slack import Slack
from tests.playground.driver import Driver, Json


async def test_the_sample_workspace(slack: Slack, driver: Driver) -> None:
    """A new playground has three people, the bot, a public, a private, a group channel, and DMs."""
    state = await driver.state()
    assert [user["name"] for user in state["users"]] == ["Kioku", "Aya", "Ben", "Chika"]
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
    aya_dm = (await driver.get("channels/dm/messages", **{"as": await driver.user()}))["channel"]
    ben, chika = await driver.user("Ben"), await driver.user("Chika")
    tea = await driver.channel("tea-room")
    for channel, user in ((aya_dm, ben), (tea, chika)):
        url = f"{driver.url}/_playground/channels/{channel}/messages?as={user}"
        async with driver.session.get(url) as response:
            assert response.status == 403
    status, _ = await driver.try_post("messages", user=chika, channel=tea, text="let me in")
    assert status == 400


async def test_only_what_changed_is_asked_for(driver: Driver) -> None:
    """With `only`, the messages and threads of these ts come, and no others."""
    user = await driver.user()
    said = [await driver.say(text) for text in ("one", "two", "three")]
    only = f"{said[0]['ts']},{said[2]['ts']},1.000000"
    found = await driver.get("channels/dm/messages", **{"as": user, "only": only})
    assert [message["text"] for message in found["messages"]] == ["one", "three"]
    assert found["threads"] == []
    await driver.post("messages/delete", user=user, channel="dm", ts=said[0]["ts"])
    found = await driver.get("channels/dm/messages", **{"as": user, "only": said[0]["ts"]})
    assert found["messages"] == []


async def test_the_newest_message_of_each_channel(driver: Driver) -> None:
    """The state says who wrote last in a channel, and nothing for an empty one."""
    said = await driver.say("news", channel=await driver.channel())
    channels = {entry["name"]: entry["latest"] for entry in (await driver.state())["channels"]}
    assert channels["general"] == {"ts": said["ts"], "user": await driver.user()}
    assert channels["tea-room"] is None


async def test_a_thread_tells_who_began_it(driver: Driver) -> None:
    """Replies carry thread_ts and parent_user_id, in the message and in its event."""
    general = await driver.channel()
    parent = await driver.say("question", channel=general)
    await driver.say("answer", name="Ben", channel=general, thread_ts=parent["ts"])
    event = (await driver.events("message"))[-1]
    assert event["thread_ts"] == parent["ts"]
    assert event["parent_user_id"] == await driver.user()
    status, _ = await driver.try_post(
        "messages", user=await driver.user(), channel=general, text="x", thread_ts="1.1"
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


async def test_forwarding(driver: Driver) -> None:
    """A forwarded message is an attachment, with its author, conversation and words."""
    aya, channel = await driver.user(), await driver.channel()
    said = await driver.post("messages", user=aya, channel=channel, text="Lunch at noon?")
    forwarded = await driver.post("messages/forward", user=aya, to="dm", **said)
    assert forwarded["channel"] != channel
    [shared] = (await driver.messages())[-1]["attachments"]
    assert (shared["text"], shared["author_id"]) == ("Lunch at noon?", aya)
    assert (shared["is_share"], shared["channel_id"]) == (True, channel)
    event = (await driver.events("message"))[-1]
    assert (event["text"], event["attachments"]) == ("", [shared])
    alone = {"kind": "private", "members": [await driver.user("Ben")], "name": "alone"}
    elsewhere = (await driver.post("channels", **alone))["id"]
    nowhere = {"user": aya, "to": elsewhere, **said}
    assert (await driver.try_post("messages/forward", **nowhere))[0] == 400


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


async def test_other_bots_and_files(driver: Driver) -> None:
    """Another bot's message has its bot_id, a message with files the subtype file_share."""
    bot = await driver.post("users", name="Ticker", is_bot=True)
    general = await driver.channel()
    await driver.post("channels/update", channel=general, add=[bot["id"]])
    await driver.say("tick", name="Ticker", channel=general)
    await driver.say("look", channel=general, files=[{"id": "F1", "name": "a.png"}])
    events = await driver.events("message")
    joined, ticked, shared = events
    assert joined["subtype"] == "channel_join"
    assert ticked["bot_id"].startswith("B")
    assert "client_msg_id" not in ticked
    assert (shared["subtype"], shared["files"][0]["name"]) == ("file_share", "a.png")


async def test_every_kind_of_conversation(driver: Driver) -> None:
    """Public, private, group DM and Slack Connect conversations send their channel_type."""
    aya, ben = await driver.user(), await driver.user("Ben")
    seen = {}
    for kind in ("public", "private", "mpim", "connect"):
        made = await driver.post("channels", kind=kind, members=[aya, ben])
        await driver.say(kind, channel=made["id"])
        body = (await driver.deliveries("message"))[-1]["body"]
        seen[kind] = (body["event"]["channel_type"], body["is_ext_shared_channel"])
    assert seen == {
        "public": ("channel", False),
        "private": ("group", False),
        "mpim": ("mpim", False),
        "connect": ("channel", True),
    }
    unheard = await driver.post("channels", kind="public", members=[aya], app=False)
    before = len(await driver.deliveries())
    await driver.say("@Kioku are you there?", channel=unheard["id"])
    assert len(await driver.deliveries()) == before


async def test_a_guest_from_another_workspace(
    slack: Slack, driver: Driver, client: AsyncWebClient
) -> None:
    """A Slack Connect guest's message carries their own team; nobody is told their locale."""
    guest = await driver.post(
        "users", name="Dora", external=True, locale="fr-FR", tz="Europe/Paris"
    )
    made = await driver.post("channels", kind="connect", members=[guest["id"]])
    await driver.say("bonjour", name="Dora", channel=made["id"])
    body = (await driver.deliveries("message"))[-1]["body"]
    assert body["event"]["user_team"] == body["event"]["team"] == guest["team"]
    assert body["team_id"] == slack.workspace.identity.team_id
    assert guest["team"] != body["team_id"]
    await driver.post("users/update", user=guest["id"], tz="Europe/Berlin")
    changed = (await driver.events("user_change"))[-1]["user"]
    told = (await client.users_info(user=guest["id"], include_locale=True))["user"]
    listed = (await client.users_list(include_locale=True))["members"]
    assert (told["tz"], "locale" in told, "locale" in changed) == ("Europe/Berlin", False, False)
    assert {one["id"] for one in listed if "locale" not in one} == {guest["id"]}


async def test_changes_of_a_channel_are_told(driver: Driver) -> None:
    """Archiving, sharing and their reverse are events; an archived channel takes no message."""
    general = await driver.channel()
    for change in ({"archived": True}, {"archived": False}, {"shared": True}, {"shared": False}):
        await driver.post("channels/update", channel=general, **change)
    names = [entry["name"] for entry in await driver.deliveries()]
    assert names == ["channel_archive", "channel_unarchive", "channel_shared", "channel_unshared"]
    shared = (await driver.events("channel_shared"))[0]
    assert shared["connected_team_id"].startswith("T")
    await driver.post("channels/update", channel=general, archived=True)
    status, _ = await driver.try_post(
        "messages", user=await driver.user(), channel=general, text="x"
    )
    assert status == 400


async def test_a_converted_channel_says_so(driver: Driver, client: AsyncWebClient) -> None:
    """A channel made private, and public again, says so by a message of its new kind."""
    general = await driver.channel()
    for private, kind in ((True, "group"), (False, "channel")):
        await driver.post("channels/update", channel=general, private=private)
        event = (await driver.events("message"))[-1]
        told = "private" if private else "public"
        assert (event["subtype"], event["channel_type"]) == (f"channel_convert_to_{told}", kind)
        answer = await client.conversations_info(channel=general)
        assert answer["channel"]["is_private"] == private


async def test_the_app_can_be_removed(slack: Slack, driver: Driver) -> None:
    """An app that is taken out of a channel is notified of it, by the channel's kind."""
    for kind, told in (("public", "channel_left"), ("private", "group_left")):
        made = await driver.post("channels", kind=kind, members=[await driver.user()])
        bot = slack.workspace.identity.bot_user_id
        await driver.post("channels/update", channel=made["id"], remove=[bot])
        assert (await driver.deliveries())[-1]["name"] == told
        assert bot not in slack.workspace.channel(made["id"]).members


async def test_changes_of_a_person_are_told(driver: Driver, client: AsyncWebClient) -> None:
    """A new locale is a user_change event and what users.info answers; who left cannot write."""
    aya = await driver.user()
    await driver.post("users/update", user=aya, locale="en-GB", tz="Europe/London")
    event = (await driver.events("user_change"))[0]
    assert (event["user"]["id"], event["user"]["locale"]) == (aya, "en-GB")
    answer = await client.users_info(user=aya, include_locale=True)
    assert answer["user"]["tz"] == "Europe/London"
    await driver.post("users/update", user=aya, deleted=True)
    assert (await driver.try_post("messages", user=aya, channel="dm", text="x"))[0] == 400


async def test_only_subscribed_events_leave(driver: Driver) -> None:
    """member_left_channel is not in the manifest, so the app is never notified of it."""
    general = await driver.channel()
    await driver.post("channels/update", channel=general, remove=[await driver.user("Ben")])
    assert await driver.deliveries() == []


async def test_opening_the_messages_tab(driver: Driver) -> None:
    """Opening the Messages tab is told; a tab that the app does not have cannot be opened."""
    aya = await driver.user()
    assert await driver.post("home/open", user=aya, tab="messages") == {"sent": True}
    event = (await driver.events("app_home_opened"))[0]
    assert (event["tab"], event["user"]) == ("messages", aya)
    assert (await driver.try_post("home/open", user=aya, tab="about"))[0] == 400


@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("messages", {"user": "UNOBODY", "channel": "dm", "text": "x"}),
        ("messages", {"channel": "dm", "text": "x"}),
        ("messages", {"user": "AYA", "channel": "CNONE", "text": "x"}),
        ("messages", {"user": "AYA", "channel": "dm"}),
        ("messages", {"user": "AYA", "channel": "dm", "text": 7}),
        ("messages", {"user": "AYA", "channel": "dm", "blocks": [{"type": "blink"}]}),
        ("messages/edit", {"user": "AYA", "channel": "dm", "ts": "1.1", "text": "x"}),
        ("commands", {"user": "AYA", "channel": "dm", "command": "/dance"}),
        ("commands", {"user": "AYA", "channel": "dm", "command": "/forget", "thread_ts": "1.1"}),
        ("actions", {"user": "AYA", "channel": "dm", "message_ts": "1.1", "action_id": "x"}),
        ("actions", {"user": "AYA", "view_id": "VNONE", "action_id": "x"}),
        ("views/submit", {"user": "AYA", "view_id": "VNONE"}),
        ("views/close", {"user": "AYA", "view_id": "VNONE"}),
        ("stop", {"user": "AYA", "channel": "dm", "thread_ts": "1.1"}),
        ("users", {"name": " "}),
        ("users", {"name": "Eve", "tz": "Moon/Crater"}),
        ("channels", {"kind": "secret", "members": ["AYA"]}),
        ("channels", {"kind": "public", "members": []}),
        ("channels", {"kind": "public", "members": "AYA"}),
        ("events", {"raw": "x"}),
        ("events", {"raw": {}, "deliveries": 0}),
        ("delivery", {"mode": "pigeon"}),
        ("delivery", {"deliveries": [3, 1]}),
        ("delivery", {"deliveries": 0}),
        ("settings", {"colour": "red"}),
        ("settings", {"rate_limits": "false"}),
        ("users", {"name": "Eve", "is_bot": "yes"}),
        ("settings", {"retry_delays": "soon"}),
        ("socket/disconnect", {"reason": "boredom"}),
    ],
)
async def test_a_mistake_gets_one_sentence(driver: Driver, path: str, body: Json) -> None:
    """A control request that makes no sense gets 400 and one sentence."""
    aya = await driver.user()
    named: dict[str, Any] = {
        key: aya if value == "AYA" else [aya] if value == ["AYA"] else value
        for key, value in body.items()
    }
    status, answer = await driver.try_post(path, **named)
    assert (status, answer["error"][-1]) == (400, ".")


@pytest.mark.parametrize("body", ["{", "[1]"])
async def test_a_body_must_be_an_object(driver: Driver, body: str) -> None:
    """A body that is no JSON object gets 400."""
    url = f"{driver.url}/_playground/messages"
    async with driver.session.post(url, data=body) as response:
        assert response.status == 400


async def test_reading_needs_to_know_who(driver: Driver) -> None:
    """Reading as nobody, from nowhere or from a wrong number gets 400."""
    for path in ("home", "views?as=UNOBODY", "calls?since=soon", "channels/CNONE/messages"):
        async with driver.session.get(f"{driver.url}/_playground/{path}") as response:
            assert response.status == 400


async def test_calls_are_numbered(driver: Driver, client: AsyncWebClient) -> None:
    """calls?since=N returns only what came later, without the token."""
    await client.auth_test()
    first = await driver.get("calls")
    await client.api_test(foo="bar")
    later = await driver.get("calls", since=str(first["last"]))
    assert [(call["method"], call["args"]) for call in later["calls"]] == [
        ("api.test", {"foo": "bar"})
    ]
    assert "token" not in json.dumps(first)


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
    assert update == {"changed": "messages", "channel": said["channel"], "ts": said["ts"]}


async def test_what_somebody_looks_at(slack: Slack, driver: Driver) -> None:
    """An app that asked for it is notified which conversation or message a person looks at."""
    aya, general = await driver.user(), await driver.channel()
    said = await driver.say("hello", channel=general)
    assert await driver.post("context", user=aya, channel=general) == {"sent": True}
    await driver.post("context", user=aya, channel=general, ts=said["ts"])
    sent = await driver.events("app_context_changed")
    team = slack.workspace.identity.team_id
    place = {"type": "slack#/types/channel_id", "value": general, "team_id": team}
    message = {"channel_id": general, "message_ts": said["ts"]}
    assert [one["context"]["entities"] for one in sent] == [
        [place],
        [{"type": "slack#/types/message_context", "value": message, "team_id": team}, place],
    ]
    assert {one["user"] for one in sent} == {aya}
    tea, chika = await driver.channel("tea-room"), await driver.user("Chika")
    assert (await driver.try_post("context", user=chika, channel=tea))[0] == 400
