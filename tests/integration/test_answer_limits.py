"""An answer of Slack or of a model server that is too large is not read, and that is logged."""

from __future__ import annotations

import gzip
import json
from collections.abc import AsyncIterator

import aiohttp
import openai
import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer

from bot.answer_limits import EVENT_BYTES, PAGE_BYTES
from bot.config import ModelServer
from bot.runtime.wiring import create_openai_client
from bot.slack.client import SlackClient, create_session

METHODS = [
    *("agents.sessions.setStatus", "chat.appendStream", "chat.delete"),
    *(
        "chat.getPermalink",
        "chat.postEphemeral",
        "chat.postMessage",
        "chat.startStream",
    ),
    *("chat.stopStream", "chat.update", "conversations.history", "conversations.info"),
    *("conversations.open", "conversations.replies", "files.getUploadURLExternal"),
    *("users.info", "views.open", "views.publish", "views.push", "views.update"),
]
MEGABYTE = b"a" * 1_000_000
MESSAGES = [{"ts": str(number), "text": "x" * 100} for number in range(20_000)]


class Server:
    """Answers of all sizes; `sent` counts the megabytes that were taken of the last large one."""

    def __init__(self) -> None:
        self.sent = 0
        self.url = ""

    async def large(self, request: web.Request) -> web.StreamResponse:
        """Send 50 MB of JSON, or as one event of a stream."""
        self.sent = 0
        kind = "text/event-stream" if "stream" in request.path else "application/json"
        answer = web.StreamResponse(headers={"Content-Type": kind})
        await answer.prepare(request)
        await answer.write(b'data: {"text": "')
        for _ in range(50):
            await answer.write(MEGABYTE)
            self.sent += 1
        return answer

    async def small(self, request: web.Request) -> web.StreamResponse:
        """Send more than a large answer, in events of half a megabyte."""
        answer = web.StreamResponse(headers={"Content-Type": "text/event-stream"})
        await answer.prepare(request)
        for _ in range(10):
            text = "b" * (EVENT_BYTES // 2)
            await answer.write(f"data: {json.dumps(text)}\r\n\r\n".encode())
        return answer


async def page(_: web.Request) -> web.Response:
    """Send a page of more than a megabyte."""
    return web.json_response({"ok": True, "messages": MESSAGES})


async def compressed(_: web.Request) -> web.Response:
    """Send an answer that is compressed, although none was asked for."""
    headers = {"Content-Type": "application/json", "Content-Encoding": "gzip"}
    return web.Response(body=gzip.compress(b"{}"), headers=headers)


@pytest.fixture
async def server() -> AsyncIterator[Server]:
    """Run a server that answers so."""
    answers = Server()
    app = web.Application()
    app.router.add_route("*", "/page/{method}", page)
    app.router.add_route("*", "/compressed/{path:.*}", compressed)
    app.router.add_route("*", "/small/{path:.*}", answers.small)
    app.router.add_route("*", "/{path:.*}", answers.large)
    async with TestServer(app) as running:
        answers.url = str(running.make_url("/")).removesuffix("/")
        yield answers


async def test_no_method_of_slacks_is_read_beyond_its_limit(
    server: Server, caplog: pytest.LogCaptureFixture
) -> None:
    """The connection is closed after eight megabytes, whatever was called."""
    async with create_session() as session:
        slack = SlackClient(base_url=f"{server.url}/api/", session=session)
        for method in METHODS:
            caplog.clear()
            with pytest.raises(aiohttp.ClientPayloadError, match="too large"):
                await slack.api_call(method)
            assert server.sent < 3 * PAGE_BYTES / len(MEGABYTE)
            assert f"/api/{method} is too large" in caplog.text


async def test_a_page_within_the_limit_is_read_whole(server: Server) -> None:
    """One that is parsed in a thread is the same."""
    async with create_session() as session:
        slack = SlackClient(base_url=f"{server.url}/page/", session=session)
        answer = await slack.api_call("conversations.replies")
    assert answer["messages"] == MESSAGES


async def test_no_answer_of_a_model_server_is_read_beyond_its_limit(
    server: Server, caplog: pytest.LogCaptureFixture
) -> None:
    """Neither an event nor a whole answer nor vectors; a stream of small events has no limit."""

    async def ask(path: str, *, stream: bool = False) -> list[object]:
        url = f"{server.url}/{path}"
        found = ModelServer(base_url=url, key="k")
        async with create_openai_client(found, seconds=30.0) as client:
            client = client.with_options(max_retries=0)
            if "vectors" in path:
                return [await client.embeddings.create(model="m", input=["a"])]
            if not stream:
                whole = client.post("/responses", body={}, cast_to=object)
                return [await whole]
            events = await client.post(
                "/responses",
                body={},
                cast_to=object,
                stream=True,
                stream_cls=openai.AsyncStream[object],
            )
            return [event async for event in events]

    assert len(await ask("small", stream=True)) == 10
    for path, is_stream in (("stream", True), ("whole", False), ("vectors", False)):
        with pytest.raises(openai.APIConnectionError):
            await ask(path, stream=is_stream)
        assert server.sent < 3 * PAGE_BYTES / len(MEGABYTE)
        assert "too large" in caplog.text
        caplog.clear()
    with pytest.raises(openai.APIConnectionError):
        await ask("compressed")
    assert "compressed" in caplog.text
