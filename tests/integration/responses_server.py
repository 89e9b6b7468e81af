"""A server of the Responses API whose streams a test writes event by event."""

from __future__ import annotations

import asyncio
import json
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Sequence
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, field
from typing import Any, Final, TypeAlias

import openai
from aiohttp import web

import memory
from bot.answering.prompt import Prompt
from bot.answering.reply import ask_model
from bot.answering.tools import Toolbox
from bot.config import STAND_IN_MODEL
from bot.delivery.reply_sink import CollectedReply
from bot.models.responses import ResponsesModel
from bot.types import Reply
from memory import Memory, Person
from memory.formation import TokenUse
from openai_double.conformance import recorded
from tests.conftest import Server
from tests.loopback import serving

Event: TypeAlias = str | dict[str, Any]
Send: TypeAlias = Callable[[Event], Awaitable[None]]
# Writes one stream with the function it gets; the number of the request counts from one.
Answer: TypeAlias = Callable[[Send, int], Awaitable[None]]

ALICE = Person("T1", "U1")
PROMPT = Prompt(question="What shall I eat?", user_id="U1")
POSITION: Final = {"item_id": "m1", "output_index": 0, "content_index": 0}
DONE: Final[dict[str, Any]] = {
    "type": "response.completed",
    "response": {"id": "r1", "output": []},
}


def delta(text: str) -> dict[str, Any]:
    """Return the event of a piece of text."""
    return {
        "type": "response.output_text.delta",
        "delta": text,
        "logprobs": [],
        **POSITION,
    }


def call(name: str, arguments: str, number: int = 0) -> dict[str, Any]:
    """Return the event of a tool call."""
    item = {
        "type": "function_call",
        "id": f"f{number}",
        "call_id": f"c{number}",
        "name": name,
    }
    return {
        "type": "response.output_item.done",
        "item": {**item, "arguments": arguments},
    }


@dataclass(slots=True)
class ResponsesServer:
    """What is answered and what was received.

    `answer` writes the stream of each request, or is the events of it; `found` answers a request
    without a stream, such as a web search; `refused` is the error for a request with the field
    `refuses`. `left` is set at the end of each stream, `connections` are the clients'
    addresses.
    """

    answer: Answer | Sequence[Event]
    found: dict[str, Any] = field(default_factory=dict)
    refused: dict[str, Any] | None = None
    refuses: str = "max_output_tokens"
    requests: list[dict[str, Any]] = field(default_factory=list)
    left: asyncio.Event = field(default_factory=asyncio.Event)
    connections: set[object] = field(default_factory=set)

    async def _serve(self, request: web.Request) -> web.StreamResponse:
        body = await request.json()
        self.requests.append(body)
        if request.transport is not None:
            self.connections.add(request.transport.get_extra_info("peername"))
        if not body.get("stream"):
            return web.json_response(self.found)
        if self.refused and self.refuses in body:
            return web.json_response({"error": self.refused}, status=400)
        response = web.StreamResponse(headers={"Content-Type": "text/event-stream"})
        await response.prepare(request)

        async def send(event: Event) -> None:
            data = event if isinstance(event, str) else json.dumps(event)
            await response.write(f"data: {data}\n\n".encode())

        try:
            if callable(self.answer):
                await self.answer(send, len(self.requests))
            else:
                for event in self.answer:
                    await send(event)
        finally:
            self.left.set()
        return response

    @asynccontextmanager
    async def client(self) -> AsyncIterator[openai.AsyncOpenAI]:
        """Serve on a free port of the loopback interface; yields a client of it."""
        application = web.Application(middlewares=[recorded])
        application.router.add_post("/v1/responses", self._serve)
        async with (
            serving(application, shutdown_timeout=0.1) as url,
            openai.AsyncOpenAI(
                api_key="x", base_url=f"{url}/v1", max_retries=1
            ) as client,
        ):
            yield client

    async def reply(
        self,
        prompt: Prompt = PROMPT,
        *,
        shown: Shown | None = None,
        tools: Toolbox | None = None,
        **how: Any,
    ) -> Reply:
        """Ask for a reply, of a replier that `create_replier` makes with `how`."""
        async with self.client() as client:
            return await create_replier(client, **how).reply(
                ALICE, prompt, shown or Shown(), tools
            )


class Shown(CollectedReply):
    """What a reply shows: the pieces of its text."""

    def __init__(self) -> None:
        super().__init__("")
        self.pieces: list[str] = []

    async def write(self, piece: str) -> None:
        """Take a piece of the text."""
        await super().write(piece)
        self.pieces.append(piece)

    def start_over(self) -> None:
        """Discard the text so far."""
        super().start_over()
        self.pieces.clear()


@dataclass(frozen=True)
class Replier:
    """A model that is asked for answers as the app asks it."""

    model: ResponsesModel
    may_search: bool

    async def is_away(self) -> bool:
        """Return whether the model is believed to answer no one."""
        return not await self.model.breaker.is_answering()

    async def reply(
        self,
        person: Person,
        prompt: Prompt,
        sink: Shown,
        toolbox: Toolbox | None = None,
    ) -> Reply:
        """Return the answer of the model."""
        return await ask_model(
            self.model,
            person,
            prompt,
            sink,
            toolbox,
            may_search=self.may_search,
        )


# What `ResponsesModel` is given if a test gives nothing else.
LIMITS: dict[str, Any] = {
    "max_output_tokens": 25_000,
    "first_event_seconds": 300.0,
    "answer_seconds": 300.0,
}


def create_replier(
    client: openai.AsyncOpenAI,
    *,
    model: str = STAND_IN_MODEL,
    web_search: bool = False,
    **how: Any,
) -> Replier:
    """Return a replier that may search the web, or may not; `how` is of `ResponsesModel`."""
    requests = ResponsesModel(client, model=model, **(LIMITS | how))
    return Replier(requests, may_search=web_search)


@contextmanager
def counted_tokens() -> Iterator[TokenUse]:
    """Yield the tokens that are counted within the block, by model and kind."""
    found: TokenUse = Counter()

    def note(name: str, amount: float, labels: dict[str, str]) -> None:
        if name == "model_tokens":
            found[labels["model"], labels["kind"]] += int(amount)

    with memory.metrics.recorded(lambda *_: None, note):
        yield found


class LookTool(Toolbox):
    """A toolbox with one tool, ``look``, that records the arguments of its calls."""

    def __init__(self) -> None:
        tool = {"type": "function", "name": "look", "parameters": {"type": "object"}}
        self.definitions = [{**tool, "strict": False}]
        self.calls: list[str] = []

    @property
    def looked_up(self) -> Sequence[Memory]:
        """The calls look up no memories."""
        return ()

    @property
    def suffice(self) -> bool:
        """The calls change nothing, and show the person nothing."""
        return False

    async def call(self, name: str, arguments: str) -> str:
        """Record a call and answer it."""
        self.calls.append(arguments)
        return json.dumps({"called": name})


def script(stand_in: Server, **output: Any) -> None:
    """Say what the model answers next."""
    stand_in.call("/_model/script", {"endpoint": "responses", "output": output})


def fault(stand_in: Server, **how: Any) -> None:
    """Say how the model fails next."""
    stand_in.call("/_model/faults", {"endpoint": "responses", **how})


def requests(stand_in: Server) -> list[dict[str, Any]]:
    """Return the bodies of all requests, in order."""
    return [entry["body"] for entry in stand_in.call("/_model/journal")["entries"]]
