"""Other servers of the Responses API: the stand-in behind a proxy that changes what differs.

`STRICT` refuses all that some server refuses: fields it does not know, as pydantic's
``extra="forbid"`` does, and what a chat template does not take. It sends of the events only the
pieces of text and the last one. `LOOSE` sends all that some server sends otherwise. What each does
is written after the source of vLLM (``vllm/entrypoints/openai`` of
https://github.com/vllm-project/vllm), of Ollama (``openai/responses.go`` of
https://github.com/ollama/ollama), and what llama.cpp's server answered.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Callable, Iterable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Any, TypeAlias

import aiohttp
from aiohttp import web

from tests.loopback import serving

Body: TypeAlias = dict[str, Any]
Refusal: TypeAlias = tuple[int, Body]


def _nothing(body: Body) -> None:
    """Refuse no request."""


def _unchanged(event: Body) -> Iterable[Body]:
    return [event]


def _whole(body: Body) -> Body:
    return body


@dataclass(frozen=True, kw_only=True)
class Dialect:
    """How a server differs from OpenAI's.

    `refuse` returns the error for a request, `reads` what of it the model is given, `event` the
    events in place of one, `searches` whether it has a web search.
    """

    name: str
    refuse: Callable[[Body], Refusal | None] = _nothing
    reads: Callable[[Body], Body] = _whole
    event: Callable[[Body], Iterable[Body]] = _unchanged
    searches: bool = True


def _refusal(status: int, message: str) -> Refusal:
    return status, {"error": {"message": message, "type": "server_error"}}


_KNOWN = {
    "model",
    "input",
    "tools",
    "stream",
    "store",
    "tool_choice",
    "parallel_tool_calls",
}


def _strict_refuses(body: Body) -> Refusal | None:
    """Refuse unknown fields, a developer, a second system message, neighbours of one role."""
    found = [name for name in body if name not in _KNOWN]
    if found:
        return 422, {"detail": [{"loc": ["body", name]} for name in found]}
    messages = [one for one in body["input"] if one.get("type", "message") == "message"]
    roles = [one["role"] for one in messages]
    if "developer" in roles or "system" in roles[1:]:
        return _refusal(400, "System message must be at the beginning.")
    if any(one == other for one, other in pairwise(roles)):
        return _refusal(500, "Conversation roles must alternate.")
    return None


def _strict_event(event: Body) -> Iterable[Body]:
    ends = ("response.completed", "response.incomplete", "response.failed", "error")
    if event["type"] in ("response.output_text.delta", *ends):
        yield event


def _loose_refuses(body: Body) -> Refusal | None:
    """Refuse what llama.cpp cannot read of a conversation, and break at a picture."""
    for item in body["input"] if isinstance(body["input"], list) else []:
        if item.get("role") == "assistant" and item.get("type") != "message":
            return _refusal(400, "Cannot determine type of 'item'")
        if item.get("type") == "reasoning" and not isinstance(
            item.get("content"), list
        ):
            return _refusal(400, "item['content'] is not an array")
    if "input_image" in json.dumps(body["input"]):
        return _refusal(500, "Something broke.")
    return None


def _loose_event(event: Body) -> Iterable[Body]:
    """Leave out positions, encryption, and that a limit cut it; in the end ids are other ones."""
    event.pop("output_index", None)
    event.pop("content_index", None)
    item = event.get("item", {})
    if item.get("type") == "reasoning":
        item["content"] = [{"type": "reasoning_text", "text": "Let me look."}]
        item["encrypted_content"] = ""
    for one in event.get("response", {}).get("output", []):
        one["id"] = f"again_{one['id']}"
        if "call_id" in one:
            one["call_id"] = f"again_{one['call_id']}"
    if event["type"] == "response.incomplete":
        event["type"] = "response.completed"
        response = event["response"]
        response["usage"]["output_tokens"] = response["max_output_tokens"]
    return [event]


def _reads_reasoning(body: Body) -> Body:
    """Leave out reasoning items: the stand-in takes none that it has not encrypted."""
    items = body.get("input")
    if not isinstance(items, list):
        return body
    return {**body, "input": [one for one in items if one.get("type") != "reasoning"]}


STRICT = Dialect(name="strict", refuse=_strict_refuses, event=_strict_event)
LOOSE = Dialect(
    name="loose",
    refuse=_loose_refuses,
    reads=_reads_reasoning,
    event=_loose_event,
    searches=False,
)


@dataclass(slots=True)
class ModelServer:
    """A proxy in front of the stand-in at `upstream`.

    `requests` are the bodies that came. With `together`, requests for a response are answered once
    as many have come.
    """

    dialect: Dialect
    upstream: str
    url: str = ""
    requests: list[Body] = field(default_factory=list)
    together: asyncio.Barrier | None = None

    async def answer(self, request: web.Request) -> web.StreamResponse:
        """Pass a request on, and its answer back."""
        body = await request.json() if request.can_read_body else {}
        if request.path.endswith("/responses"):
            self.requests.append(body)
            if self.together is not None:
                await self.together.wait()
            if (refusal := self.dialect.refuse(body)) is not None:
                return web.json_response(refusal[1], status=refusal[0])
            body = self.dialect.reads(body)
        url = self.upstream + request.path.removeprefix("/v1")
        kept = {"Authorization": request.headers.get("Authorization", "")}
        async with (
            aiohttp.ClientSession() as session,
            session.request(
                request.method, url, json=body or None, headers=kept
            ) as given,
        ):
            if given.status >= 400 or not body.get("stream"):
                whole = await given.json()
                if not self.dialect.searches and "output" in whole:
                    whole["output"] = [
                        one
                        for one in whole["output"]
                        if one["type"] != "web_search_call"
                    ]
                return web.json_response(whole, status=given.status)
            response = web.StreamResponse(headers={"Content-Type": "text/event-stream"})
            await response.prepare(request)
            async for line in given.content:
                if line.startswith(b"data: {"):
                    for event in self.dialect.event(json.loads(line[6:])):
                        data = json.dumps(event)
                        text = f"event: {event['type']}\ndata: {data}\n\n"
                        await response.write(text.encode())
            return response


@asynccontextmanager
async def model_server(dialect: Dialect, upstream: str) -> AsyncIterator[ModelServer]:
    """Serve `dialect` on a free port of the loopback interface."""
    server = ModelServer(dialect, upstream)
    application = web.Application()
    application.router.add_route("*", "/{path:.*}", server.answer)
    async with serving(application, handler_cancellation=True) as url:
        server.url = f"{url}/v1"
        yield server
