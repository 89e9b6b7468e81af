"""A proxy before a model server: it notes what is asked, and answers some requests itself."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import Any, TypeAlias

import aiohttp
from aiohttp import web

from openai_double.conformance import recorded
from tests.loopback import serving

Body: TypeAlias = dict[str, Any]

_CALL = "fc_abcdefghi"
_THOUGHT = "Let me look."


class Tap:
    """The proxy; `requests` are the bodies that came, in order, `statuses` what was answered.

    A model of 135 million parameters calls no tools: `script_call` lets the next request for a
    reply be answered with a call, as a thinking model of llama.cpp makes it.
    """

    def __init__(self, server: str) -> None:
        self.requests: list[Body] = []
        self.statuses: list[int] = []
        self._server = server
        self._scripted: list[tuple[str, str]] = []

    def script_call(self, name: str, arguments: Body) -> None:
        """Answer the next request with a call of a tool."""
        self._scripted.append((name, json.dumps(arguments)))

    @asynccontextmanager
    async def serving(self) -> AsyncIterator[str]:
        """Serve meanwhile; yields the address."""
        application = web.Application(
            middlewares=[recorded], client_max_size=64_000_000
        )
        application.router.add_route("*", "/v1/{path:.*}", self._handle)
        # A client that goes away ends the request to the server, too.
        served = serving(application, handler_cancellation=True)
        async with aiohttp.ClientSession() as self._session, served as url:
            yield f"{url}/v1"

    async def _handle(self, request: web.Request) -> web.StreamResponse:
        body = await request.json()
        self.requests.append(body)
        if self._scripted and body.get("tools"):
            if not body.get("stream"):
                self.statuses.append(200)
                return web.json_response(called_completion(*self._scripted.pop(0)))
            events = call_events if request.path.endswith("/responses") else call_chunks
            return await self._stream(request, events(*self._scripted.pop(0)))
        headers = {"authorization": request.headers.get("authorization", "")}
        url = f"{self._server}/{request.match_info['path']}"
        async with self._session.post(url, json=body, headers=headers) as answer:
            self.statuses.append(answer.status)
            response = web.StreamResponse(
                status=answer.status,
                headers={"content-type": answer.headers["content-type"]},
            )
            await response.prepare(request)
            async for piece in answer.content.iter_any():
                await response.write(piece)
        await _close(request, response)
        return response

    async def _stream(
        self, request: web.Request, events: Sequence[Body]
    ) -> web.StreamResponse:
        self.statuses.append(200)
        response = web.StreamResponse(headers={"content-type": "text/event-stream"})
        await response.prepare(request)
        for event in events:
            await response.write(f"data: {json.dumps(event)}\n\n".encode())
        await _close(request, response)
        return response


async def _close(request: web.Request, response: web.StreamResponse) -> None:
    """End a connection, unannounced, as llama.cpp's server does after each stream."""
    await response.write_eof()
    if request.transport is not None:
        request.transport.close()


def call_events(name: str, arguments: str) -> list[Body]:
    """Return the events of ``/responses`` in which llama.cpp makes a call, after a thought."""
    thought = [{"type": "reasoning_text", "text": _THOUGHT}]
    reasoning = {
        "type": "reasoning",
        "id": "rs_abcdefghi",
        "summary": [],
        "content": thought,
        "encrypted_content": "",
        "status": "completed",
    }
    call = {
        "type": "function_call",
        "id": _CALL,
        "call_id": _CALL,
        "name": name,
        "arguments": arguments,
        "status": "completed",
    }
    done = [
        {"type": "response.output_item.done", "item": item}
        for item in (reasoning, call)
    ]
    response = {"id": "resp_1", "object": "response", "output": [reasoning, call]}
    return [*done, {"type": "response.completed", "response": response}]


def called_completion(name: str, arguments: str) -> Body:
    """Return a completion of ``/chat/completions`` that makes a call."""
    call = {
        "id": _CALL,
        "type": "function",
        "function": {"name": name, "arguments": arguments},
    }
    message = {"role": "assistant", "content": None, "tool_calls": [call]}
    choice = {"index": 0, "finish_reason": "tool_calls", "message": message}
    usage = {"prompt_tokens": 9, "completion_tokens": 9, "total_tokens": 18}
    return {
        "id": "chatcmpl-1",
        "object": "chat.completion",
        "created": 1,
        "model": "smollm2",
        "choices": [choice],
        "usage": usage,
    }


def call_chunks(name: str, arguments: str) -> list[Body]:
    """Return the same as chunks of ``/chat/completions``."""
    function = {"name": name, "arguments": arguments}
    call = {"index": 0, "id": _CALL, "type": "function", "function": function}
    thought = {
        "index": 0,
        "delta": {"reasoning_content": _THOUGHT},
        "finish_reason": None,
    }
    called = {
        "index": 0,
        "delta": {"tool_calls": [call]},
        "finish_reason": "tool_calls",
    }
    return [{"choices": [thought]}, {"choices": [called]}]
