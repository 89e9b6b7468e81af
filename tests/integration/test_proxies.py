"""Every client goes through the proxy that the environment names, and directly to this machine."""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import suppress
from dataclasses import dataclass, field
from typing import TypeAlias

import openai
import pytest
from aiohttp import web
from pydantic import SecretStr

from bot.config import Settings
from bot.listeners import responses
from bot.runtime.checks import CHECKS
from bot.runtime.problems import Problem
from bot.runtime.service import socket_mode
from bot.runtime.wiring import create_openai_client
from bot.slack.client import SLACK_FAULTS, SlackApi, SlackClient
from bot.slack.files import FileUnreadable, read_file
from bot.slack.messages import Installation
from tests.integration.test_socket_mode import Slack, bolt_app
from tests.loopback import serving

TEAM = "T1"
INSTALLATION = Installation(team_id=TEAM, bot_user_id="UBOT", bot_token="xoxb-1")
SLACK_API = "https://slack.com/api/"


@dataclass
class Network:
    """A proxy that notes where it is to connect to, and refuses; a Slack on this machine."""

    asked: asyncio.Queue[str] = field(default_factory=asyncio.Queue)
    slack_here: str = ""

    async def refuse(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        """Note the address of a request, and refuse it."""
        line = await reader.readline()
        self.asked.put_nowait(line.decode().split()[1])
        with suppress(asyncio.IncompleteReadError):
            await reader.readuntil(b"\r\n\r\n")
        writer.write(
            b"HTTP/1.1 403 Forbidden\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"
        )
        writer.close()

    def api(self, base_url: str) -> SlackApi:
        """Return how the app calls Slack at an address."""
        return SlackApi(INSTALLATION, base_url=base_url)

    def settings(self, **more: str) -> Settings:
        """Return settings with tokens and a key."""
        return Settings(
            slack_bot_token=SecretStr("xoxb-1"),
            slack_app_token=SecretStr("xapp-1"),
            openai_api_key=SecretStr("sk-1"),
            **more,
        )


async def _method(request: web.Request) -> web.Response:
    url = "wss://wss-primary.slack.com/link/?ticket=1"
    return web.json_response({"ok": True, "url": url})


@pytest.fixture
async def network(monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Network]:
    """A machine with a proxy, as on a company laptop."""
    made = Network()
    proxy = await asyncio.start_server(made.refuse, "127.0.0.1", 0)
    port = proxy.sockets[0].getsockname()[1]
    for name in ("https_proxy", "HTTPS_PROXY", "http_proxy", "HTTP_PROXY"):
        monkeypatch.setenv(name, f"http://127.0.0.1:{port}")
    application = web.Application()
    application.router.add_post("/api/{method}", _method)
    async with proxy, serving(application) as url:
        made.slack_here = f"{url}/api/"
        yield made


async def _web_api(network: Network) -> None:
    await SlackClient(token="xoxb-1", base_url=SLACK_API).auth_test()


async def _team_client(network: Network) -> None:
    await network.api(SLACK_API).client(TEAM).auth_test()


async def _check(network: Network) -> None:
    await CHECKS["Bot token"](network.settings())


async def _file(network: Network) -> None:
    url = "https://files.slack.com/files-pri/T1-F1/a.txt"
    await read_file(network.api(SLACK_API), TEAM, url, most=10)


async def _response_url(network: Network) -> None:
    url = "https://hooks.slack.com/actions/T1/1/A"
    await responses.respond(url, {"text": "Done.", "blocks": []}, replace=False)


async def _socket_mode(network: Network) -> None:
    app = bolt_app(Slack(network.slack_here.removesuffix("/api/")))
    async with socket_mode(app, network.settings(slack_api_url=network.slack_here)):
        pass


async def _model(network: Network) -> None:
    async with create_openai_client(
        network.settings().reply_server, seconds=9
    ) as client:
        await client.responses.create(model="gpt-6-luna", input="Hello")


async def _model_with_a_password(network: Network) -> None:
    settings = network.settings(openai_base_url="https://me:secret@model.example/v1")
    async with create_openai_client(settings.reply_server, seconds=9) as client:
        await client.embeddings.create(model="text-embedding-3-small", input="Hello")


async def _memory_model(network: Network) -> None:
    await CHECKS["Remembering"](network.settings())


Act: TypeAlias = Callable[[Network], Awaitable[None]]
CLIENTS: list[tuple[Act, str]] = [
    (_web_api, "slack.com:443"),
    (_team_client, "slack.com:443"),
    (_check, "slack.com:443"),
    (_file, "files.slack.com:443"),
    (_response_url, "hooks.slack.com:443"),
    (_socket_mode, "wss-primary.slack.com:443"),
    (_model, "api.openai.com:443"),
    (_model_with_a_password, "model.example:443"),
    (_memory_model, "api.openai.com:443"),
]


@pytest.mark.parametrize(("act", "address"), CLIENTS)
async def test_a_client_goes_through_the_proxy(
    network: Network, act: Act, address: str
) -> None:
    """The proxy is asked for the address; what Slack here was asked before went directly."""

    async def attempt() -> None:
        with suppress(*SLACK_FAULTS, openai.APIError, FileUnreadable, Problem):
            await act(network)

    attempts = asyncio.create_task(attempt())
    assert await network.asked.get() == address
    attempts.cancel()
    await asyncio.wait({attempts})


@pytest.mark.parametrize(
    ("check", "address"),
    [("Bot token", SLACK_API), ("Model", "https://api.openai.com/v1")],
)
async def test_a_proxy_that_refuses_is_named(
    network: Network, check: str, address: str
) -> None:
    """What does not answer through a proxy is not said to need one."""
    with pytest.raises(Problem) as raised:
        await CHECKS[check](network.settings())
    host = address.split("/")[2]
    proxy = r"http://127\.0\.0\.1:\d+ \(HTTPS_PROXY, HTTP_PROXY\)"
    way = (
        rf"check the proxy {proxy}, whether {host} belongs into NO_PROXY, and [A-Z_]+\."
    )
    assert re.fullmatch(rf".* {address}: {way}", str(raised.value)), raised.value


async def test_this_machine_is_reached_directly(network: Network) -> None:
    """HTTPS_PROXY and HTTP_PROXY do not count for the playground, without NO_PROXY as well."""
    answer = await network.api(network.slack_here).client(TEAM).auth_test()
    assert answer["ok"]
    assert network.asked.empty()
