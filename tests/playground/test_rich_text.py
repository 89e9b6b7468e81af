"""Markdown comes back as rich_text where a message is read, as from Slack."""

from __future__ import annotations

import pytest
from slack_sdk.web.async_client import AsyncWebClient

from slack_playground.blocks import block_errors
from slack_playground.rich_text import as_read, translated
from tests.playground.driver import Driver, Json
from tests.playground.test_interactions import FORGET

_STYLES = {"bold": "*", "italic": "_", "strike": "~", "code": "`"}


def shown(element: Json) -> str:
    """Return an element in short: styles as marks, links as text and address."""
    if element["type"] == "text":
        marks = "".join(_STYLES[name] for name in element.get("style", {}))
        return f"{marks}{element['text']}{marks[::-1]}"
    if element["type"] == "link":
        return f"<{element['url']}|{element.get('text', '')}>"
    if element["type"] in ("user", "channel"):
        return f"<{element[element['type'] + '_id']}>"
    return "".join(map(shown, element["elements"]))


def read(markdown: str) -> list[Json]:
    """Return the elements that Markdown becomes."""
    block = {"type": "markdown", "block_id": "b1", "text": markdown}
    [found] = as_read({"blocks": [block]})["blocks"]
    assert (found["type"], found["block_id"]) == ("rich_text", "b1")
    assert block_errors([found]) == []
    elements: list[Json] = found["elements"]
    return elements


@pytest.mark.parametrize(
    ("markdown", "text"),
    [
        ("plain", "plain"),
        ("**bold** and __bold__", "*bold* and *bold*"),
        ("*slanted* and _slanted_", "_slanted_ and _slanted_"),
        ("~~struck~~ `code *no*`", "~struck~ `code *no*`"),
        ("**bold _both_**", "*bold **_both_*"),
        (
            "[docs](https://a.test/b) https://c.test/d.",
            "<https://a.test/b|docs> <https://c.test/d|>.",
        ),
        ("<@U123> in <#C123>", "<U123> in <C123>"),
        (r"snake_case 2 * 3 * 4 \*no\*", "snake_case 2 * 3 * 4 *no*"),
        ("# Heading\nand more", "*Heading\n*and more"),
        ("| a |\n|---|\n| 1 |", "| a |\n|---|\n| 1 |"),
    ],
)
def test_marks_become_styles(markdown: str, text: str) -> None:
    """Text keeps its words; its marks become styles and links."""
    [section] = read(markdown)
    assert section["type"] == "rich_text_section"
    assert shown(section) == text


def test_blocks_become_elements_of_their_own() -> None:
    """Lists, quotations and code are elements beside the paragraphs."""
    elements = read(
        "One:\n\n- a\n- **b**\n  - c\n1. d\n\n> e\n> f\n```python\ng = 1\n\nh = 2\n```\nTwo."
    )
    assert [(one["type"].removeprefix("rich_text_"), shown(one)) for one in elements] == [
        ("section", "One:"),
        ("list", "a*b*"),
        ("list", "c"),
        ("list", "d"),
        ("quote", "e\nf"),
        ("preformatted", "g = 1\n\nh = 2"),
        ("section", "Two."),
    ]
    lists = [(one["style"], one["indent"]) for one in elements if "style" in one]
    assert lists == [("bullet", 0), ("bullet", 1), ("ordered", 0)]


def test_a_message_without_markdown_stays_as_it_is() -> None:
    """Only markdown blocks change."""
    body = {"text": "**x**", "blocks": [{"type": "divider", "block_id": "d"}]}
    assert as_read(body) == body
    assert as_read({"text": "**x**"}) == {"text": "**x**"}


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
        answer = await client.chat_postMessage(**place, text="so", blocks=[block, FORGET])
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
    assert section["elements"] == [{"type": "text", "text": "so", "style": {"bold": True}}]
    event = (await driver.events("message"))[-1]
    assert kinds(event.get("message", event)) == ["rich_text", *below]
    page = (await driver.messages())[-1]
    assert kinds(page) == ["markdown", *below]
    assert [b["block_id"] for b in page["blocks"]] == [b["block_id"] for b in read_back["blocks"]]
    again = [{k: v for k, v in b.items() if k != "block_id"} for b in read_back["blocks"]]
    await client.chat_update(channel=said["channel"], ts=read_back["ts"], text="so", blocks=again)


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
    assert translated(markdown) == blocks
