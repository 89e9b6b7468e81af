"""Streamed messages: how they grow, end, and refuse."""

from __future__ import annotations

from itertools import product
from typing import Any

import pytest
from slack_sdk.models.messages.chunk import MarkdownTextChunk
from slack_sdk.web.async_client import AsyncWebClient

from slack_playground.journal import STREAMED
from slack_playground.slack import Slack

from .driver import Driver, Json
from .test_web_api import error_of


async def begin(client: AsyncWebClient, said: Json, **more: Any) -> Json:
    """Start a stream in answer to a message; the arguments of append and stop."""
    started = await client.chat_startStream(
        channel=said["channel"], thread_ts=said["ts"], **more
    )
    return {"channel": said["channel"], "ts": str(started["ts"])}


async def test_a_stream_can_be_watched(driver: Driver, client: AsyncWebClient) -> None:
    """A live stream shows its text so far; when stopped, its blocks and metadata too."""
    stream = await begin(
        client, await driver.say("hi"), chunks=[MarkdownTextChunk(text="one ")]
    )
    await client.chat_appendStream(**stream, chunks=[MarkdownTextChunk(text="two ")])
    live = (await driver.messages())[-1]
    assert (live["text"], live["streaming"]) == ("one two ", True)
    await client.chat_stopStream(
        **stream,
        chunks=[MarkdownTextChunk(text="three")],
        blocks=[{"type": "divider"}],
        metadata={"event_type": "turn", "event_payload": {"id": "1"}},
        session_status="active",
    )
    done = (await driver.messages())[-1]
    assert (done["text"], done["streaming"]) == ("one two three", False)
    assert [block["type"] for block in done["blocks"]] == ["markdown", "divider"]
    assert done["metadata"]["event_payload"] == {"id": "1"}
    last = (await driver.events("message"))[-1]
    assert (last["subtype"], last["message"]["text"]) == (
        "message_changed",
        "one two three",
    )


_CONTENT: dict[str, Json] = {
    "markdown_text": {"markdown_text": "words"},
    "text chunks": {"chunks": [{"type": "markdown_text", "text": "words"}]},
    "blocks": {"chunks": [{"type": "blocks", "blocks": [{"type": "divider"}]}]},
}


async def test_a_stream_keeps_the_mode_it_opened_in(
    subtests: pytest.Subtests, driver: Driver, client: AsyncWebClient
) -> None:
    """A stream takes its content in markdown_text or in chunks, as its first content came."""
    methods = ("chat.appendStream", "chat.stopStream")
    for opened, method, later, bare in product(
        _CONTENT, methods, _CONTENT, (False, True)
    ):
        with subtests.test(opened=opened, method=method, later=later, bare=bare):
            said = await driver.say("hi")
            stream = await begin(client, said, **({} if bare else _CONTENT[opened]))
            if bare:
                await client.chat_appendStream(**stream, **_CONTENT[opened])
            before = (await driver.messages())[-1]
            if (opened == "markdown_text") == (later == "markdown_text"):
                await client.api_call(method, json={**stream, **_CONTENT[later]})
                continue
            error = await error_of(client, method, {**stream, **_CONTENT[later]})
            assert error == "streaming_mode_mismatch"
            assert (await driver.messages())[-1] == before
            await client.chat_stopStream(**stream, blocks=[{"type": "divider"}])


@pytest.mark.parametrize(
    ("more", "error"),
    [
        ({"markdown_text": "x" * 12_001}, "msg_too_long"),
        ({"chunks": [{"type": "markdown_text", "text": "x" * 12_001}]}, "msg_too_long"),
        ({"chunks": [{"type": "confetti"}]}, "invalid_chunks"),
        ({"chunks": [{"type": "plan_update", "title": "x" * 257}]}, "invalid_chunks"),
        (
            {"chunks": [{"type": "blocks", "blocks": [{"type": "blink"}]}]},
            "invalid_chunks",
        ),
        ({"metadata": {"event_type": "a", "event_payload": {}}}, "invalid_arguments"),
        ({"unfurl_links": False}, "invalid_arguments"),
        ({"thread_ts": None}, "invalid_arguments"),
        ({"thread_ts": "1700000000.000001"}, "thread_not_found"),
        ({"icon_emoji": ":cat:"}, "missing_scope"),
    ],
)
async def test_a_stream_does_not_start_wrongly(
    driver: Driver, client: AsyncWebClient, more: Json, error: str
) -> None:
    """startStream refuses oversized text, bad chunks and arguments it does not have."""
    said = await driver.say("hi")
    arguments = {"channel": said["channel"], "thread_ts": said["ts"], **more}
    assert await error_of(client, "chat.startStream", arguments) == error
    assert len(await driver.messages()) == 1


async def test_a_stream_in_a_channel_needs_its_recipient(
    slack: Slack, driver: Driver, client: AsyncWebClient
) -> None:
    """In a channel the person and their own team must be named, and belong together."""
    aya = await driver.user()
    team = slack.workspace.identity.team_id
    guest = await driver.post("users", name="Dora", external=True)
    general = await driver.channel()
    await driver.post("channels/update", channel=general, add=[guest["id"]])
    said = await driver.say("@Memo hi", channel=general)
    target = {"channel": general, "thread_ts": said["ts"]}
    refused = [
        ({}, "missing_recipient_user_id"),
        ({"recipient_user_id": aya}, "missing_recipient_team_id"),
        ({"recipient_user_id": aya, "recipient_team_id": "TNONE"}, "team_not_found"),
        (
            {"recipient_user_id": guest["id"], "recipient_team_id": team},
            "user_not_found",
        ),
    ]
    for more, error in refused:
        assert await error_of(client, "chat.startStream", {**target, **more}) == error
    for user, home in ((aya, team), (guest["id"], guest["team"])):
        await client.chat_startStream(
            **target, recipient_user_id=user, recipient_team_id=home
        )


async def test_a_stream_ends_once(driver: Driver, client: AsyncWebClient) -> None:
    """A stopped stream takes nothing more, and a plain message never did."""
    said = await driver.say("hi")
    stream = await begin(client, said, markdown_text="all")
    await client.chat_stopStream(**stream)
    text = {"markdown_text": "more"}
    for method in ("chat.appendStream", "chat.stopStream"):
        error = await error_of(client, method, {**stream, **text})
        assert error == "message_not_in_streaming_state"
    posted = await client.chat_postMessage(channel=said["channel"], text="plain")
    plain = {"channel": said["channel"], "ts": posted["ts"], **text}
    assert (
        await error_of(client, "chat.appendStream", plain)
        == "message_not_in_streaming_state"
    )
    theirs = {"channel": said["channel"], "ts": said["ts"], **text}
    assert (
        await error_of(client, "chat.appendStream", theirs)
        == "message_not_owned_by_app"
    )


async def test_a_live_stream_is_neither_updated_nor_deleted(
    driver: Driver, client: AsyncWebClient, slack: Slack
) -> None:
    """Later chat.delete works; an update is added to what was streamed, which is a violation."""
    stream = await begin(client, await driver.say("hi"), markdown_text="half")
    change = {**stream, "text": "whole"}
    assert await error_of(client, "chat.update", change) == "streaming_state_conflict"
    assert await error_of(client, "chat.delete", stream) == "cant_delete_message"
    await client.chat_stopStream(**stream)
    await client.chat_update(**change)
    [violation] = slack.violations.since(0)
    assert (violation.where, violation.what) == ("chat.update", STREAMED)
    assert (await driver.messages())[-1]["text"] == "halfwhole"
    await client.chat_delete(**stream)
    assert [message["text"] for message in await driver.messages()] == ["hi"]


async def test_one_message_holds_12000_characters(
    driver: Driver, client: AsyncWebClient
) -> None:
    """All appends of one stream together have the limit too."""
    stream = await begin(client, await driver.say("hi"), markdown_text="x" * 8_000)
    more = {**stream, "markdown_text": "x" * 4_001}
    assert await error_of(client, "chat.appendStream", more) == "msg_too_long"
    await client.chat_appendStream(**stream, markdown_text="x" * 4_000)
    assert len((await driver.messages())[-1]["text"]) == 12_000
