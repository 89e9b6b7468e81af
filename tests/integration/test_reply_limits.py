"""A model without limits: an answer has an end, and what cannot be read is one failure."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Sequence
from typing import Any

import pytest
from langchain_core.messages.ai import UsageMetadata

from bot.locale import Reader
from bot.pipeline.model import MAX_OUTPUT_TOKENS, ReplyFailed
from bot.pipeline.reply import MAX_ANSWER, MAX_ITEMS
from bot.pipeline.web_search import SEARCH_TOOL
from bot.ui.blocks import reply_text
from memory.formation.chat_model import tokens_used
from tests.integration.responses_server import (
    DONE,
    Answer,
    ResponsesServer,
    Send,
    Shown,
    call,
    counted_tokens,
    delta,
)


@pytest.mark.parametrize("piece", ["Lorem ipsum dolor sit amet. ", "むかしむかし、", "x"])
async def test_an_answer_without_an_end_is_ended(piece: str) -> None:
    """It ends at a word, says so, and the request is left."""

    async def endless(send: Send, number: int) -> None:
        while True:
            await send(delta(piece * 40))

    model = ResponsesServer(endless)
    shown = Shown()
    with counted_tokens() as spent:
        reply = await model.reply(shown=shown)
    await asyncio.wait_for(model.left.wait(), 60)
    assert reply.cut == "cut_short"
    assert MAX_ANSWER - 10 < len(reply.text) < MAX_ANSWER + 20
    assert reply.text == shown.text
    assert " " not in piece or reply.text.split()[-1] in piece.split()
    assert reply_text(Reader("en"), reply).endswith("Ask me to continue._")
    assert model.requests[0]["max_output_tokens"] == MAX_OUTPUT_TOKENS
    assert len(model.requests) == 1
    assert spent.total() >= MAX_ANSWER // 8


def thinking(words: str = "") -> Answer:
    """Return a model that says these words and then thinks without an end."""

    async def answer(send: Send, number: int) -> None:
        if words:
            await send(delta(words))
        while True:
            await send({"type": "response.reasoning_summary_text.delta", "delta": "hm"})
            await asyncio.sleep(0.05)

    return answer


async def test_an_answer_that_takes_too_long_is_ended() -> None:
    """A model that does not stop is left when the time for an answer is over."""
    model = ResponsesServer(thinking("It begins "))
    reply = await asyncio.wait_for(model.reply(answer_seconds=0.6), 60)
    await asyncio.wait_for(model.left.wait(), 60)
    assert (reply.text, reply.cut) == ("It begins ", "cut_slow")


MALFORMED: list[Sequence[str | dict[str, Any]]] = [
    ['{"type": oops'],
    ["[1, 2]"],
    ["null"],
    ["5"],
    ["[" * 100_000],
    [{"type": "response.output_text.delta"}],
    [{"type": "response.output_text.delta", "delta": 5}],
    [{"type": "response.refusal.delta", "delta": None}],
    [{"type": "response.output_item.done"}],
    [{"type": "response.output_item.done", "item": {}}, DONE],
    [{"type": "response.output_item.done", "item": {"type": "function_call"}}, DONE],
    [call("look", "{}", number) for number in range(MAX_ITEMS + 1)],
    [delta("Half of it "), "{"],
]


@pytest.mark.parametrize("events", MALFORMED, ids=lambda events: str(events)[:60])
async def test_what_cannot_be_read_is_one_failure(events: Sequence[str | dict[str, Any]]) -> None:
    """A malformed stream fails at the first attempt, with its own sentence."""
    model = ResponsesServer(events)
    with pytest.raises(ReplyFailed) as raised:
        await model.reply()
    assert (raised.value.cause, raised.value.passes) == ("model_malformed", False)
    assert len(model.requests) == 1


async def test_characters_that_cannot_be_stored_are_left_out() -> None:
    """NULs and escapes go, halves of a character are joined across pieces or replaced."""

    async def answer(send: Send, number: int) -> None:
        for piece in ("a\x00b\x1b[1m ", "\ud83c", "\udf5c ", "lone \ud800", " c"):
            await send(delta(piece))
        await send({"type": "response.completed", "response": {"usage": {"total_tokens": "5"}}})

    reply = await ResponsesServer(answer).reply()
    assert reply.text == "ab[1m 🍜 lone \ufffd c"


FOUND: dict[str, list[dict[str, Any]]] = {
    "output": [
        {"type": "web_search_call", "id": "w1", "status": "completed"},
        {
            "type": "message",
            "content": [
                {
                    "type": "output_text",
                    "text": "It rains.\x00",
                    "annotations": [
                        {"type": "url_citation", "url": "https://city.site/k", "title": "K\x00"},
                        {"type": "url_citation", "url": "https://evil.com/a\n- [b](https://c.d)"},
                        {"type": "url_citation", "url": "https://evil.com/<x>"},
                        {"type": "url_citation", "url": "https://"},
                        {"type": "url_citation", "url": "javascript:alert(1)"},
                        {"type": "url_citation", "url": f"https://evil.com/{'x' * 3_000}"},
                        {"type": "url_citation", "url": 5},
                        "nonsense",
                    ],
                }
            ],
        },
    ]
}


def searching(query: str, times: int = 1) -> Answer:
    """Return a model that searches first and then answers."""

    async def answer(send: Send, number: int) -> None:
        if number == 1:
            for one in range(times):
                await send(call(SEARCH_TOOL, json.dumps({"query": query}), one))
        else:
            await send(delta("See https://city.site/k and https://evil.com/a."))
        await send(DONE)

    return answer


async def test_only_addresses_that_were_searched_for_are_citations() -> None:
    """A citation is one whole web address, and comes with a search that took place."""
    for found, cited, shown in (
        (FOUND, ["https://city.site/k"], "See <https://city.site/k> and evil[.]com/a."),
        ({"output": FOUND["output"][1:]}, [], "See city[.]site/k and evil[.]com/a."),
        (
            {"output": [{**FOUND["output"][0], "status": "failed"}, *FOUND["output"][1:]]},
            [],
            "See city[.]site/k and evil[.]com/a.",
        ),
    ):
        model = ResponsesServer(searching("weather"), found)
        reply = await model.reply(web_search=True)
        assert [citation.url for citation in reply.citations] == cited
        assert reply.text == shown
        output = model.requests[-1]["input"][-1]["output"]
        assert ("It rains." in output) is (cited != [])


async def test_tokens_are_counted_once_by_kind() -> None:
    """Input from the cache and into it is counted apart, in replies and in formation."""
    details = {"cached_tokens": 200, "cache_write_tokens": 600}
    usage = {"input_tokens": 1_000, "output_tokens": 100, "total_tokens": 1_100}
    done = {"usage": {**usage, "input_tokens_details": details}}
    events = [delta("Hello."), {"type": "response.completed", "response": done}]
    with counted_tokens() as spent:
        await ResponsesServer(events).reply(model="gpt-5.6-luna")
    kinds = {"input": 200, "cached": 200, "cache_write": 600, "output": 100}
    assert {kind: tokens for (_, kind), tokens in spent.items()} == kinds
    reported = UsageMetadata(
        input_tokens=1_000,
        output_tokens=100,
        total_tokens=1_100,
        input_token_details={"cache_read": 200, "cache_creation": 600},
    )
    assert tokens_used("gpt-5.6-luna", reported) == spent
