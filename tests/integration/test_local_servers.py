"""Model servers on this machine: which are named, and what they are sent."""

from __future__ import annotations

import asyncio
from typing import Any
from urllib.parse import urlsplit

import pytest
from aiohttp import web

from bot.runtime.local_servers import local_model_servers
from tests.loopback import free_port, serving

OLLAMA = {
    "object": "list",
    "data": [{"id": "qwen3:8b", "object": "model", "owned_by": "library"}],
}
STAND_IN = {"object": "list", "data": [{"id": "kioku-stand-in", "object": "model"}]}


def application(answer: Any, seen: list[tuple[str, str]]) -> web.Application:
    """A server that answers every request so: with JSON, a text, a status, or never (None)."""

    async def respond(request: web.Request) -> web.StreamResponse:
        seen.append((request.method, request.path))
        if answer is None:
            await asyncio.Event().wait()
        if isinstance(answer, int):
            return web.json_response(OLLAMA, status=answer, headers={"Location": "/"})
        return (
            web.Response(text=answer)
            if isinstance(answer, str)
            else web.json_response(answer)
        )

    app = web.Application()
    app.router.add_route("*", "/{path:.*}", respond)
    return app


@pytest.mark.parametrize(
    ("answer", "is_named"),
    [
        (OLLAMA, True),
        (STAND_IN, False),
        ({"object": "list", "data": []}, False),
        ({"data": [{"name": "x"}]}, False),
        ("<html>A page of another program</html>", False),
        (404, False),
        (302, False),
        (None, False),
    ],
)
async def test_a_server_that_lists_models_is_named(answer: Any, is_named: bool) -> None:
    """It is asked for its models once, and nothing else; what does not answer holds nothing up."""
    seen: list[tuple[str, str]] = []
    async with serving(application(answer, seen), shutdown_timeout=0.1) as url:
        port = urlsplit(url).port
        assert port
        found = await local_model_servers([free_port(), port])
    assert found == ([f"{url}/v1"] if is_named else [])
    assert seen == [("GET", "/v1/models")]
