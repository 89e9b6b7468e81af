"""What the app sends against Slack's rules or guidance is kept, whatever the app makes of it."""

from __future__ import annotations

import pytest
from slack_bolt.async_app import AsyncAck, AsyncApp, AsyncRespond
from slack_sdk.errors import SlackApiError
from slack_sdk.web.async_client import AsyncWebClient

from slack_playground.guidance import block_advice
from slack_playground.journal import UNSEEN
from slack_playground.slack import Slack

from .conftest import Connect
from .driver import Driver, Json
from .test_blocks import actions, button, plain, select


def said(text: str, **more: str) -> Json:
    """A button that says this."""
    return button(text={"type": "plain_text", "text": text}, **more)


def direct_message(slack: Slack) -> str:
    """The DM of somebody with the app."""
    person = next(user for user in slack.workspace.users.values() if not user.is_bot)
    return slack.workspace.open_dm(person.id).id


async def wordless(client: AsyncWebClient, channel: str) -> str:
    """Post blocks without a text; slack_sdk's own method for it would warn."""
    body = {"channel": channel, "blocks": [actions(said("Edit"))]}
    return str((await client.api_call("chat.postMessage", json=body))["ts"])


@pytest.mark.parametrize(
    ("good", "bad"),
    [
        (actions(said("Edit")), actions(said(":pencil2:"))),
        (actions(said("編集する")), actions(said("✏️"))),
        (actions(said("✏️", accessibility_label="Edit")), actions(said("…"))),
        (actions({**select(), "placeholder": plain(3)}), actions(select())),
        (
            {"type": "input", "label": plain(1), "element": select()},
            {"type": "section", "text": plain(1), "accessory": select()},
        ),
        (
            {
                "type": "image",
                "image_url": "http://127.0.0.1/a.png",
                "alt_text": "a cat",
            },
            {"type": "image", "image_url": "http://127.0.0.1/a.png", "alt_text": " "},
        ),
    ],
)
def test_advice_on_blocks(good: Json, bad: Json) -> None:
    """What can be read aloud passes; what only shows a symbol lacks a label."""
    assert block_advice([good], "/blocks") == []
    assert len(block_advice([bad], "/blocks")) == 1


async def test_an_ephemeral_message_in_a_thread_needs_a_reply_there(
    slack: Slack, driver: Driver, client: AsyncWebClient
) -> None:
    """Under a message without replies it is accepted, recorded as wrong, and shown to nobody."""
    general = await driver.channel()
    aya = await driver.user()
    said = await driver.say("hello", channel=general)
    place = {"channel": general, "user": aya, "thread_ts": said["ts"]}
    await client.chat_postEphemeral(**place, text="lost")
    [kept] = slack.violations.since(0)
    assert (kept.where, kept.what) == ("chat.postEphemeral", UNSEEN)
    assert [message["text"] for message in await driver.messages(general)] == ["hello"]
    await client.chat_postEphemeral(channel=general, user=aya, text="beside it")
    await driver.say("a reply", name="Ben", channel=general, thread_ts=said["ts"])
    await client.chat_postEphemeral(**place, text="in the thread")
    texts = [message["text"] for message in await driver.messages(general)]
    assert texts == ["hello", "beside it", "a reply", "in the thread"]
    assert slack.violations.count == 1


async def test_what_fails_is_kept(
    slack: Slack, client: AsyncWebClient, driver: Driver
) -> None:
    """A call that Slack refuses is a failure with Slack's messages; an injected fault is none."""
    dm = direct_message(slack)
    with pytest.raises(SlackApiError, match="invalid_blocks"):
        await client.chat_postMessage(
            channel=dm, text="x", blocks=[{"type": "marquee"}]
        )
    await driver.post("faults", method="chat.postMessage", error="fatal_error")
    with pytest.raises(SlackApiError, match="fatal_error"):
        await client.chat_postMessage(channel=dm, text="x")
    await client.chat_postMessage(channel=dm, text="x")
    [kept] = (await driver.get("failures"))["failures"]
    assert (kept["number"], kept["method"], kept["error"]) == (
        1,
        "chat.postMessage",
        "invalid_blocks",
    )
    assert kept["messages"][0].startswith("[ERROR] unsupported type: marquee")
    assert (await driver.get("failures", since="1"))["failures"] == []


async def test_what_is_taken_is_looked_at(slack: Slack, client: AsyncWebClient) -> None:
    """A message without a text for notifications is posted and kept; a stream's end needs none."""
    dm = direct_message(slack)
    root = await wordless(client, dm)
    assert [one.what for one in slack.violations.since(0)] == [
        "a message with blocks needs a text for notifications [json-pointer:/text]"
    ]
    stream = await client.chat_startStream(
        channel=dm, thread_ts=root, markdown_text="hi"
    )
    await client.chat_stopStream(
        channel=dm, ts=stream["ts"], blocks=[actions(said("Edit"))]
    )
    assert slack.violations.count == 1
    assert slack.violations.since(1) == []


async def test_acks_and_response_urls_are_looked_at(
    app: AsyncApp, driver: Driver, connect: Connect
) -> None:
    """What an ack or a response URL carries counts as much as a call."""

    @app.command("/memories")
    async def listed(ack: AsyncAck, respond: AsyncRespond) -> None:
        await ack(blocks=[actions(said("Edit"))])
        await respond(text="x", blocks=[actions(said(":x:"))])

    await connect(app)
    user = await driver.user()
    await driver.post("commands", user=user, channel="dm", command="/memories")
    found = (await driver.get("violations"))["violations"]
    assert {one["where"] for one in found} == {"ack of /memories", "response_url"}
    assert (await driver.get("violations", since="2"))["violations"] == []
