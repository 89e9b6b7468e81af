"""Markdown comes back as rich_text where a message is read, as from Slack."""

from __future__ import annotations

import pytest
from slack_sdk.web.async_client import AsyncWebClient

from slack_playground.rich_text import count_translated_blocks

from .driver import Driver, Json
from .test_interactions import FORGET


def kinds(message: Json) -> list[str]:
    """Return the types of a message's blocks."""
    return [block["type"] for block in message["blocks"]]


async def post(client: AsyncWebClient, said: Json, how: str) -> Json:
    """Answer a message with Markdown, in one of the three ways; return Slack's last answer."""
    place = {"channel": said["channel"], "thread_ts": said["ts"]}
    block = {"type": "markdown", "text": "**so**"}
    if how == "markdown_text":
        answer = await client.chat_postMessage(**place, markdown_text="**so**")
    elif how == "block":
        answer = await client.chat_postMessage(
            **place, text="so", blocks=[block, FORGET]
        )
    else:
        chunk = {"type": "markdown_text", "text": "**so**"}
        started = await client.chat_startStream(**place, chunks=[chunk])
        answer = await client.chat_stopStream(
            channel=said["channel"], ts=str(started["ts"]), blocks=[FORGET]
        )
    return {"message": answer["message"]}


@pytest.mark.parametrize("how", ["markdown_text", "block", "stream"])
async def test_posted_markdown_is_read_as_rich_text(
    driver: Driver, client: AsyncWebClient, how: str
) -> None:
    """In answers, events and conversations.* alike; the page goes on showing the Markdown."""
    said = await driver.say("hi")
    below = [] if how == "markdown_text" else ["actions"]
    answer = await post(client, said, how)
    assert kinds(answer["message"]) == ["rich_text", *below]
    replies = await client.conversations_replies(channel=said["channel"], ts=said["ts"])
    read_back = replies["messages"][-1]
    assert kinds(read_back) == ["rich_text", *below]
    [section] = read_back["blocks"][0]["elements"]
    assert section["elements"] == [{"type": "text", "text": "**so**"}]
    event = (await driver.events("message"))[-1]
    assert kinds(event.get("message", event)) == ["rich_text", *below]
    page = (await driver.messages())[-1]
    assert kinds(page) == ["markdown", *below]
    assert [b["block_id"] for b in page["blocks"]] == [
        b["block_id"] for b in read_back["blocks"]
    ]
    again = [
        {k: v for k, v in b.items() if k != "block_id"} for b in read_back["blocks"]
    ]
    await client.chat_update(
        channel=said["channel"], ts=read_back["ts"], text="so", blocks=again
    )


@pytest.mark.parametrize(
    ("markdown", "blocks"),
    [
        ("", 1),
        ("one\n\ntwo\n- three\n> four", 1),
        ("# one\ntwo\n\n## three\n### four\n\nfive", 5),
        ("one\n---\ntwo\n* * *", 4),
        ("one\n| a | b |\n|---|:-:|\n| 1 | 2 |\ntwo", 3),
        ("| a |\n|---|\n| 1 |\n\n| a |\n|---|\n| 1 |", 2),
        ("a | b\nc | d", 1),
        ("one\n```\n# no heading\n---\n```\ntwo", 1),
        ("~~~\n```\n# no\n~~~\n# yes", 2),
        ("```one line```\n# yes", 2),
        ("#nothing\n--\n**", 1),
    ],
)
def test_markdown_counts_as_the_blocks_it_becomes(markdown: str, blocks: int) -> None:
    """Headings, tables and rules are blocks of their own, as is each run of text between them."""
    assert count_translated_blocks(markdown) == blocks
