"""Socket Mode is connected in the end, whatever became of the address it was told."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from typing import Any

import pytest
from aiohttp import web
from pydantic import SecretStr
from slack_bolt.authorization import AuthorizeResult

from bot.config import Settings
from bot.listeners.app import BoltApp
from bot.runtime.service import socket_mode
from bot.slack.client import create_client
from tests.loopback import serving
from tests.waiting import until

NOWHERE = "ws://127.0.0.1:1/"


@dataclass
class Slack:
    """A Slack whose every address is good once; the first `dead` of them lead nowhere."""

    url: str = ""
    dead: int = 0
    given: int = 0
    open: list[web.WebSocketResponse] = field(default_factory=list)

    async def connections_open(self, request: web.Request) -> web.Response:
        """Answer ``apps.connections.open``."""
        del request
        self.given += 1
        dead, self.dead = self.dead, max(self.dead - 1, 0)
        url = NOWHERE if dead else f"{self.url}/link?ticket={self.given}"
        return web.json_response({"ok": True, "url": url})

    async def link(self, request: web.Request) -> web.WebSocketResponse:
        """Be connected until the client goes, or `cut`; an old ticket is of no use."""
        if request.query["ticket"] != str(self.given):
            raise web.HTTPForbidden
        line = web.WebSocketResponse()
        await line.prepare(request)
        self.open.append(line)
        async for _ in line:
            continue
        self.open.remove(line)
        return line


@pytest.fixture
async def slack() -> AsyncIterator[Slack]:
    """Such a Slack, served."""
    made = Slack()
    application = web.Application()
    application.router.add_post("/api/apps.connections.open", made.connections_open)
    application.router.add_get("/link", made.link)
    async with serving(application, shutdown_timeout=0.1) as made.url:
        yield made


async def _nobody() -> AuthorizeResult:
    return AuthorizeResult(enterprise_id=None, team_id="T1", bot_token="xoxb-1")


async def _nothing(_: dict[str, Any]) -> None:
    return


async def test_a_lost_connection_is_opened_again_at_another_address(slack: Slack) -> None:
    """An address that leads nowhere is dropped, at the start and after a connection was lost."""
    client = create_client("xoxb-1", f"{slack.url}/api/")
    app = BoltApp(
        _nothing,
        client=client,
        authorize=_nobody,
        request_verification_enabled=False,
    )
    slack.dead = 1
    settings = Settings(slack_app_token=SecretStr("xapp-1"), slack_api_url=client.base_url)
    async with socket_mode(app, settings, ping_seconds=0.5) as connection:
        assert await connection.is_connected()
        assert slack.given >= 2
        [line] = slack.open
        slack.dead = 2
        await line.close()
        await until(lambda: slack.open and line not in slack.open)
        assert slack.given >= 5
    assert not await connection.is_connected()
