"""A model without limits: an answer has an end, and what cannot be read is one failure."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any, TypeAlias, cast

import openai
import pytest
from aiohttp import web

from bot.conversation.turns import Exchange
from bot.pipeline.prompt import HISTORY_TOKENS, compose, estimated_tokens
from bot.pipeline.reply import MAX_ROUNDS, MAX_SEARCHES, Replier
from bot.pipeline.responses.answer import MAX_ANSWER
from bot.pipeline.responses.errors import ReplyFailed
from bot.pipeline.responses.events import MAX_ITEMS
from bot.pipeline.responses.request import MAX_OUTPUT_TOKENS
from bot.pipeline.responses.web_search import DEFINITION, QUERY_CHARACTERS, SEARCH_TOOL, query_in
from bot.pipeline.tools.toolbox import Toolbox
from bot.views.reply import reply_text
from bot.views.tasks import task_chunk
from memory import Person
from tests.conformance.traffic import recorded

ALICE = Person("T1", "U1")
PROMPT = compose(question="Tell me everything", user_id="U1", memories=[])
PLACE = {"item_id": "m1", "output_index": 0, "content_index": 0}
DONE = {"type": "response.completed", "response": {"id": "r1", "output": []}}

Send: TypeAlias = Callable[[str | dict[str, Any]], Awaitable[None]]


@dataclass(slots=True)
class Model:
    """A server of the Responses API; `answer` writes each stream, `found` answers a search.

    `refused` is the error for a request with ``max_output_tokens``.
    """

    answer: Callable[[Send, int], Awaitable[None]]
    found: dict[str, Any] = field(default_factory=dict)
    refused: dict[str, Any] | None = None
    requests: list[dict[str, Any]] = field(default_factory=list)
    left: asyncio.Event = field(default_factory=asyncio.Event)

    async def serve(self, request: web.Request) -> web.StreamResponse:
        """Answer one request."""
        body = await request.json()
        self.requests.append(body)
        if not body.get("stream"):
            return web.json_response(self.found)
        if self.refused and "max_output_tokens" in body:
            return web.json_response({"error": self.refused}, status=400)
        response = web.StreamResponse(headers={"Content-Type": "text/event-stream"})
        await response.prepare(request)

        async def send(event: str | dict[str, Any]) -> None:
            data = event if isinstance(event, str) else json.dumps(event)
            await response.write(f"data: {data}\n\n".encode())

        try:
            await self.answer(send, len(self.requests))
        finally:
            self.left.set()
        return response


@asynccontextmanager
async def served(model: Model) -> AsyncIterator[openai.AsyncOpenAI]:
    """Serve the model on loopback and yield a client of it."""
    app = web.Application(middlewares=[recorded])
    app.router.add_post("/v1/responses", model.serve)
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    url = f"http://127.0.0.1:{runner.addresses[0][1]}/v1"
    try:
        async with openai.AsyncOpenAI(api_key="x", base_url=url, max_retries=1) as client:
            yield client
    finally:
        await runner.cleanup()


def delta(text: str) -> dict[str, Any]:
    """Return the event of a piece of text."""
    return {"type": "response.output_text.delta", "delta": text, **PLACE}


def call(name: str, arguments: str, number: int = 0) -> dict[str, Any]:
    """Return the event of a tool call."""
    item = {"type": "function_call", "id": f"f{number}", "call_id": f"c{number}", "name": name}
    return {"type": "response.output_item.done", "item": {**item, "arguments": arguments}}


async def silent(piece: str) -> None:
    """Show nothing."""
    del piece


@pytest.mark.parametrize(
    ("piece", "ending"),
    [
        ("Lorem ipsum dolor sit amet. ", "sit amet."),
        ("むかしむかし、あるところにおじいさんがいました。", "いました。"),
        ("| a | b |\n", "| b |"),
        ("lorem ", "lorem"),
        ("x", "x"),
    ],
)
async def test_an_answer_without_an_end_is_ended(piece: str, ending: str) -> None:
    """It ends at a sentence, a line or a word, says so, and the request is left."""

    async def endless(send: Send, number: int) -> None:
        while True:
            await send(delta(piece * 40))

    spent: list[int] = []

    async def spend(team: str, tokens: int) -> None:
        spent.append(tokens)

    model = Model(endless)
    async with served(model) as client:
        replier = Replier(client, model="m", web_search=False, spend=spend)
        shown: list[str] = []

        async def show(text: str) -> None:
            shown.append(text)

        reply = await replier.reply(ALICE, PROMPT, show)
        await asyncio.wait_for(model.left.wait(), 10)
    assert reply.cut == "cut_short"
    assert MAX_ANSWER - 2_100 < len(reply.text) <= MAX_ANSWER
    assert reply.text == "".join(shown)
    assert reply.text.rstrip().endswith(ending)
    assert reply_text("en", reply).endswith("Ask me to continue._")
    assert model.requests[0]["max_output_tokens"] == MAX_OUTPUT_TOKENS
    assert len(model.requests) == len(spent) == 1
    assert spent[0] >= MAX_ANSWER // 8


@pytest.mark.parametrize(
    "problem",
    [
        {
            "message": "Invalid 'max_output_tokens': integer above maximum value.",
            "type": "invalid_request_error",
            "param": "max_output_tokens",
            "code": "integer_above_max_value",
        },
        {"message": "Unsupported parameter: max_output_tokens", "param": None},
    ],
)
async def test_a_model_that_does_not_take_the_limit_answers(problem: dict[str, Any]) -> None:
    """One whose own limit is lower is asked without it, once more for the first answer only."""

    async def answer(send: Send, number: int) -> None:
        await send(delta("Hello."))
        await send(DONE)

    model = Model(answer, refused=problem)
    async with served(model) as client:
        replier = Replier(client, model="m", web_search=False)
        replies = [await replier.reply(ALICE, PROMPT, silent) for _ in range(2)]
    assert [reply.text for reply in replies] == ["Hello."] * 2
    limits = [request.get("max_output_tokens") for request in model.requests]
    assert limits == [MAX_OUTPUT_TOKENS, None, None]


async def test_a_code_block_that_is_cut_is_closed() -> None:
    """The sentence after it is not part of the code."""

    async def endless(send: Send, number: int) -> None:
        await send(delta("```py\n"))
        while True:
            await send(delta("value = self.user.name\n" * 20))

    async with served(Model(endless)) as client:
        reply = await Replier(client, model="m", web_search=False).reply(ALICE, PROMPT, silent)
    assert reply.text.endswith("value = self.user.name\n```")


async def test_an_answer_that_takes_too_long_is_ended() -> None:
    """A model that does not stop is left when the time for an answer is over."""

    async def slow(send: Send, number: int) -> None:
        await send(delta("It begins "))
        while True:
            await send({"type": "response.reasoning_summary_text.delta", "delta": "hm"})
            await asyncio.sleep(0.05)

    model = Model(slow)
    async with served(model) as client:
        replier = Replier(client, model="m", web_search=False, answer_seconds=0.6)
        reply = await asyncio.wait_for(replier.reply(ALICE, PROMPT, silent), 20)
        await asyncio.wait_for(model.left.wait(), 10)
    assert (reply.text, reply.cut) == ("It begins ", "cut_slow")


async def test_thinking_for_ever_is_one_failure() -> None:
    """If no text comes until the time is over, there is no answer and no second request."""

    async def slow(send: Send, number: int) -> None:
        while True:
            await send({"type": "response.reasoning_summary_text.delta", "delta": "hm"})
            await asyncio.sleep(0.05)

    model = Model(slow)
    async with served(model) as client:
        replier = Replier(client, model="m", web_search=False, answer_seconds=0.6)
        with pytest.raises(ReplyFailed) as raised:
            await asyncio.wait_for(replier.reply(ALICE, PROMPT, silent), 20)
    assert (raised.value.cause, raised.value.passes) == ("model_slow", False)
    assert len(model.requests) == 1


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
    [{"type": "response.output_item.done", "item": {"type": "message", "content": [1]}}, DONE],
    [call("look", "{}", number) for number in range(MAX_ITEMS + 1)],
    [delta("Half of it "), "{"],
]


@pytest.mark.parametrize("events", MALFORMED, ids=lambda events: str(events)[:60])
async def test_what_cannot_be_read_is_one_failure(events: Sequence[str | dict[str, Any]]) -> None:
    """A malformed stream fails at the first attempt, with its own sentence."""

    async def answer(send: Send, number: int) -> None:
        for event in events:
            await send(event)

    model = Model(answer)
    async with served(model) as client:
        with pytest.raises(ReplyFailed) as raised:
            await Replier(client, model="m", web_search=False).reply(ALICE, PROMPT, silent)
    assert (raised.value.cause, raised.value.passes) == ("model_malformed", False)
    assert len(model.requests) == 1


@pytest.mark.parametrize(
    "events",
    [
        [{"type": "response.failed"}],
        [{"type": "response.failed", "response": 5}],
        [{"type": "error", "code": ["a"]}],
    ],
    ids=str,
)
async def test_a_failure_without_its_details_is_a_failure(events: list[dict[str, Any]]) -> None:
    """An error event does not need to say more."""

    async def answer(send: Send, number: int) -> None:
        for event in events:
            await send(event)

    async with served(Model(answer)) as client:
        with pytest.raises(ReplyFailed) as raised:
            await Replier(client, model="m", web_search=False).reply(ALICE, PROMPT, silent)
    assert raised.value.cause == "model_failed"


async def test_characters_that_cannot_be_stored_are_left_out() -> None:
    """NULs and escapes go, halves of a character are joined across pieces or replaced."""

    async def answer(send: Send, number: int) -> None:
        for piece in ("a\x00b\x1b[1m ", "\ud83c", "\udf5c ", "lone \ud800", " c"):
            await send(delta(piece))
        await send({"type": "response.completed", "response": {"usage": {"total_tokens": "5"}}})

    async with served(Model(answer)) as client:
        reply = await Replier(client, model="m", web_search=False).reply(ALICE, PROMPT, silent)
    assert reply.text == "ab[1m 🍜 lone \ufffd c"


class Looks:
    """A toolbox that records its calls."""

    own_words = ()

    def __init__(self) -> None:
        self.calls: list[str] = []

    def definitions(self) -> list[dict[str, Any]]:
        tool = {"type": "function", "name": "look", "parameters": {"type": "object"}}
        return [{**tool, "strict": False}]

    async def call(self, name: str, arguments: str) -> str:
        self.calls.append(arguments)
        return json.dumps({"called": name})


async def test_calls_without_an_end_are_ended() -> None:
    """A model that only ever calls tools is asked `MAX_ROUNDS` times."""

    async def answer(send: Send, number: int) -> None:
        await send(delta(f"Round {number}. "))
        await send(call("look", '{"a": "\ud800"}', number))
        await send(DONE)

    model, looks = Model(answer), Looks()
    async with served(model) as client:
        replier = Replier(client, model="m", web_search=False)
        reply = await replier.reply(ALICE, PROMPT, silent, cast("Toolbox", looks))
    assert len(model.requests) == MAX_ROUNDS
    assert reply.cut == "cut_short"
    assert len(looks.calls) == MAX_ROUNDS


FOUND = {
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


def searching(query: str, times: int = 1) -> Callable[[Send, int], Awaitable[None]]:
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
        (FOUND, ["https://city.site/k"], "See https://city.site/k and evil[.]com/a."),
        ({"output": FOUND["output"][1:]}, [], "See city[.]site/k and evil[.]com/a."),
    ):
        async with served(Model(searching("weather"), found)) as client:
            reply = await Replier(client, model="m", web_search=True).reply(ALICE, PROMPT, silent)
        assert [citation.url for citation in reply.citations] == cited
        assert reply.text == shown


@pytest.mark.parametrize(
    "found", [{}, {"output": 5}, {"output": [1, {"type": "message"}]}, {"usage": [1]}], ids=str
)
async def test_a_search_that_answers_nonsense_has_failed(found: dict[str, Any]) -> None:
    """The model is told that nothing was found, and answers."""
    model = Model(searching("weather"), found)
    async with served(model) as client:
        reply = await Replier(client, model="m", web_search=True).reply(ALICE, PROMPT, silent)
    assert reply.citations == ()
    assert "error" in json.loads(model.requests[-1]["input"][-1]["output"])


async def test_the_query_that_is_sent_is_the_one_that_is_shown() -> None:
    """The search request holds the query alone, and its task shows all of it."""
    details: list[str] = []

    async def told(task: Any) -> None:
        details.append(task_chunk("en", task)["details"])

    model = Model(searching("weather\nin  Kyoto " + "x" * 500), FOUND)
    async with served(model) as client:
        replier = Replier(client, model="m", web_search=True)
        await replier.reply(ALICE, PROMPT, silent, cast("Toolbox", Looks()), on_task=told)
    asked, search, answered = model.requests
    assert DEFINITION in asked["tools"]
    assert len(asked["tools"]) == 2
    assert search["tools"] == [{"type": "web_search"}]
    assert set(details) == {search["input"]}
    assert search["input"].startswith("weather in Kyoto x")
    assert len(search["input"]) == QUERY_CHARACTERS
    output = answered["input"][-1]["output"]
    assert json.loads(output)["sources"] == [{"title": "K", "url": "https://city.site/k"}]


async def test_searches_are_limited() -> None:
    """A model that searches again and again gets an error for what is too many."""
    model = Model(searching("weather", times=MAX_SEARCHES + 3), FOUND)
    async with served(model) as client:
        await Replier(client, model="m", web_search=True).reply(ALICE, PROMPT, silent)
    assert sum(not one.get("stream") for one in model.requests) == MAX_SEARCHES
    outputs = [one["output"] for one in model.requests[-1]["input"] if "output" in one]
    assert sum("Too many searches" in one for one in outputs) == 3


@pytest.mark.parametrize(
    "arguments", ["[" * 100_000, '{"query": ' * 40 + "1" + "}" * 40, '{"query": NaN}', "5", "{"]
)
def test_a_query_that_cannot_be_read_is_none(arguments: str) -> None:
    """Malformed or deeply nested arguments contain no query."""
    assert query_in(arguments) == ""


def test_a_long_answer_can_be_continued() -> None:
    """The newest answer is in the prompt even if it is longer than the room for the history."""
    told = Exchange(
        user_id="U1",
        thread="D1:1",
        ts="1.0",
        question="Tell me everything",
        reply="Line of an answer. " * 2_000 + "The last words. _Ask me to go on._",
    )
    prompt = compose(question="Go on", user_id="U1", memories=[], exchanges=[told])
    asked, answered, question = prompt.input[1:]
    assert (asked["content"], question["content"]) == ("Tell me everything", "Go on")
    assert str(answered["content"]).endswith("The last words. _Ask me to go on._")
    assert estimated_tokens(str(answered["content"])) <= HISTORY_TOKENS + 50
