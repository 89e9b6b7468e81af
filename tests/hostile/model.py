"""A hostile model: a proxy before the stand-in that adds attacks to what it answers.

``python -m tests.hostile.model URL`` prints one line of JSON, ``{"url": …, "openai_base_url": …}``.
``GET /seen`` returns how many requests it saw, how many attacks it added, and each request that
held the victim's words; ``GET /_model/traffic`` the requests, as the stand-in does.
"""

from __future__ import annotations

import asyncio
import json
import sys
from dataclasses import asdict, dataclass, field
from typing import Any

import aiohttp
from aiohttp import web

from openai_double.journal import Traffic
from openai_double.request_types import Endpoint
from tests.hostile import attacks
from tests.hostile.attacks import Json
from tests.loopback import serving

_ENDPOINTS: dict[str, Endpoint] = {
    "/v1/responses": "responses",
    "/v1/embeddings": "embeddings",
}
_MAX_BODY = 32 * 1024 * 1024


@dataclass
class ProxyCounts:
    """Counts of the requests through the proxy, and the leaks found in them."""

    requests: int = 0
    attacks: int = 0
    leaks: list[str] = field(default_factory=list)
    faults: int = 0


class Proxy:
    """Forwards each request to `upstream` and adds to its answer."""

    def __init__(self, upstream: str, http: aiohttp.ClientSession) -> None:
        self._upstream = upstream.rstrip("/")
        self._http = http
        self.seen = ProxyCounts()
        self.traffic = Traffic()

    async def forward(self, request: web.Request) -> web.StreamResponse:
        """Answer one request of the app; an error of the proxy itself is counted."""
        try:
            return await self._forward(request)
        except (ConnectionError, aiohttp.ClientError):
            raise
        except Exception:
            self.seen.faults += 1
            raise

    async def _forward(self, request: web.Request) -> web.StreamResponse:
        raw = await request.read()
        self.seen.requests += 1
        if attacks.CANARY in raw.decode(errors="replace"):
            self.seen.leaks.append(request.path)
        try:
            body = json.loads(raw)
        except ValueError:
            return await self._plain(request, raw)
        if endpoint := _ENDPOINTS.get(request.path):
            self.traffic.add("request", endpoint, json.dumps(body))
        if request.path.endswith("/responses") and body.get("stream"):
            return await self._reply(request, body)
        if tools := {tool.get("name", "") for tool in body.get("tools", [])}:
            return await self._formation(request, body, tools)
        return await self._plain(request, raw)

    async def _plain(self, request: web.Request, raw: bytes) -> web.Response:
        status, kind, answered = await self._ask(request, raw)
        return web.Response(status=status, body=answered, content_type=kind)

    async def _ask(self, request: web.Request, raw: bytes) -> tuple[int, str, bytes]:
        async with self._call(request, raw) as answer:
            return answer.status, answer.content_type, await answer.read()

    def _call(self, request: web.Request, raw: bytes) -> Any:
        path = request.path_qs.removeprefix("/v1")
        headers = {
            name: value
            for name, value in request.headers.items()
            if name.lower() in ("authorization", "content-type", "accept")
        }
        return self._http.request(
            request.method, self._upstream + path, data=raw or None, headers=headers
        )

    # A reply

    async def _reply(self, request: web.Request, body: Json) -> web.StreamResponse:
        if calls := attacks.tool_calls(body):
            self.seen.attacks += len(calls)
            return await self._calls(request, calls)
        tail = attacks.tail(body)
        raw = json.dumps(attacks.honest(body)).encode()
        async with self._call(request, raw) as answer:
            if answer.status != 200 or answer.content_type != "text/event-stream":
                return web.Response(
                    status=answer.status,
                    body=await answer.read(),
                    content_type=answer.content_type,
                    headers={k: v for k, v in answer.headers.items() if k == "retry-after"},
                )
            response = web.StreamResponse(headers={"content-type": "text/event-stream"})
            await response.prepare(request)
            async for event in _events(answer.content):
                for written in self._altered(event, tail):
                    await response.write(_sse(written))
            return response

    def _altered(self, event: Json, tail: str) -> list[Json]:
        match event.get("type"):
            case "response.output_text.done":
                self.seen.attacks += 1
                delta = {**event, "type": "response.output_text.delta", "delta": tail}
                delta.pop("text", None)
                return [delta, {**event, "text": event["text"] + tail}]
            case "response.output_item.done" if event["item"]["type"] == "message":
                for part in event["item"]["content"]:
                    if part["type"] == "output_text":
                        part["text"] += tail
        return [event]

    async def _calls(self, request: web.Request, calls: list[Json]) -> web.StreamResponse:
        response = web.StreamResponse(headers={"content-type": "text/event-stream"})
        await response.prepare(request)
        events: list[Json] = [
            {"type": "response.created", "response": {"id": "resp_1", "status": "in_progress"}}
        ]
        events += [
            {"type": "response.output_item.done", "output_index": number, "item": call}
            for number, call in enumerate(calls)
        ]
        done = {"id": "resp_1", "status": "completed", "output": calls}
        events.append({"type": "response.completed", "response": done})
        for number, event in enumerate(events):
            await response.write(_sse({**event, "sequence_number": number}))
        return response

    # Formation and verdicts

    async def _formation(self, request: web.Request, body: Json, tools: set[str]) -> web.Response:
        status, kind, answered = await self._ask(request, json.dumps(body).encode())
        if status != 200:
            return web.Response(status=status, body=answered, content_type=kind)
        answer = json.loads(answered)
        if "MemoryVerdicts" in str(body["input"][0]):
            self._approve(answer)
        else:
            self._propose(answer, attacks.proposals(body, tools))
        return web.json_response(answer)

    def _approve(self, answer: Json) -> None:
        for call in answer["output"]:
            if call["type"] == "function_call":
                given = json.loads(call["arguments"])
                call["arguments"] = json.dumps(attacks.approved(given))
                self.seen.attacks += 1

    def _propose(self, answer: Json, proposed: list[tuple[str, Json]]) -> None:
        self.seen.attacks += len(proposed)
        answer["output"] += [
            {"type": "function_call", "id": f"fc_h{number}", "call_id": f"h{number}"}
            | {"name": name, "arguments": json.dumps(arguments), "status": "completed"}
            for number, (name, arguments) in enumerate(proposed)
        ]


async def _events(content: aiohttp.StreamReader) -> Any:
    async for line in content:
        if line.startswith(b"data:") and line[5:].strip() != b"[DONE]":
            yield json.loads(line[5:])


def _sse(event: Json) -> bytes:
    return f"event: {event['type']}\ndata: {json.dumps(event)}\n\n".encode()


async def serve(upstream: str) -> None:
    """Serve until the process is ended."""
    async with aiohttp.ClientSession() as http:
        proxy = Proxy(upstream, http)

        async def seen(_: web.Request) -> web.Response:
            return web.json_response(asdict(proxy.seen))

        async def settings(_: web.Request) -> web.Response:
            return web.json_response({})

        async def traffic(asked: web.Request) -> web.Response:
            text = proxy.traffic.after(int(asked.query["since"]))
            return web.Response(text=text, content_type="application/json")

        application = web.Application(client_max_size=_MAX_BODY)
        application.router.add_get("/seen", seen)
        application.router.add_post("/_model/settings", settings)
        application.router.add_get("/_model/traffic", traffic)
        application.router.add_route("*", "/v1/{path:.*}", proxy.forward)
        async with serving(application) as url:
            print(json.dumps({"url": url, "openai_base_url": f"{url}/v1"}), flush=True)  # noqa: T201
            await asyncio.Event().wait()


if __name__ == "__main__":
    asyncio.run(serve(sys.argv[1]))
