"""What the app sends against Slack's rules or guidance is kept, whatever the app makes of it."""

from __future__ import annotations

import asyncio

import pytest
from slack_bolt.async_app import AsyncAck, AsyncApp, AsyncRespond
from slack_sdk.errors import SlackApiError
from slack_sdk.web.async_client import AsyncWebClient

from playground.guidance import MOST_INPUTS, block_advice, message_advice, view_advice
from playground.slack import Slack
from tests.payloads import Payloads
from tests.playground.conftest import Connect
from tests.playground.driver import Driver, Json
from tests.playground.test_blocks import INPUT, actions, button, modal, plain, select


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
            {"type": "image", "image_url": "http://127.0.0.1/a.png", "alt_text": "a cat"},
            {"type": "image", "image_url": "http://127.0.0.1/a.png", "alt_text": " "},
        ),
    ],
)
def test_advice_on_blocks(good: Json, bad: Json) -> None:
    """What can be read aloud is well; what only shows a sign lacks a label."""
    assert block_advice([good], "/blocks") == []
    assert len(block_advice([bad], "/blocks")) == 1


def test_advice_on_the_whole() -> None:
    """A message with blocks has a text beside them, a modal asks six things at most."""
    block = {"type": "section", "text": plain(1)}
    assert message_advice({"text": "hello", "blocks": [block]}) == []
    assert message_advice({"text": "", "blocks": []}) == []
    assert len(message_advice({"text": " ", "blocks": [block]})) == 1
    assert view_advice(modal(blocks=[INPUT] * MOST_INPUTS)) == []
    assert len(view_advice(modal(blocks=[INPUT] * (MOST_INPUTS + 1)))) == 1
    assert view_advice({"type": "home", "blocks": [INPUT] * (MOST_INPUTS + 1)}) == []


async def test_what_is_refused_is_kept(slack: Slack, client: AsyncWebClient) -> None:
    """A call with blocks Slack refuses fails, and stays known when the app swallows the error."""
    dm = direct_message(slack)
    with pytest.raises(SlackApiError, match="invalid_blocks"):
        await client.chat_postMessage(channel=dm, text="x", blocks=[{"type": "marquee"}])
    [kept] = slack.violations.since(0)
    assert (kept.number, kept.where) == (1, "chat.postMessage")
    assert kept.what.startswith("unsupported type: marquee")


async def test_what_is_taken_is_looked_at(slack: Slack, client: AsyncWebClient) -> None:
    """A message without a text for notifications is posted and kept; a stream's end needs none."""
    dm = direct_message(slack)
    root = await wordless(client, dm)
    assert [one.what for one in slack.violations.since(0)] == [
        "a message with blocks needs a text for notifications [json-pointer:/text]"
    ]
    stream = await client.chat_startStream(channel=dm, thread_ts=root, markdown_text="hi")
    await client.chat_stopStream(channel=dm, ts=stream["ts"], blocks=[actions(said("Edit"))])
    assert slack.violations.count == 1
    assert slack.violations.since(1) == []


async def test_acks_and_response_urls_are_looked_at(
    slack: Slack, app: AsyncApp, driver: Driver, connect: Connect
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


async def test_the_suite_asks_for_violations(slack: Slack, client: AsyncWebClient) -> None:
    """What the suite's check returns is what came since it last asked, of playgrounds that run."""
    alive = [True]
    watch = Payloads()
    dm = direct_message(slack)
    with watch.watched(slack.url, lambda: alive[0]):
        await wordless(client, dm)
        [told] = await asyncio.to_thread(watch.violations)
        assert told.startswith("chat.postMessage: a message with blocks needs a text")
        assert await asyncio.to_thread(watch.violations) == []
        await wordless(client, dm)
        alive[0] = False
        assert await asyncio.to_thread(watch.violations) == []
