"""Socket Mode is connected in the end, whatever became of the address it was told."""

from __future__ import annotations

import logging
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from typing import Any

import pytest
from aiohttp import web
from pydantic import SecretStr
from slack_bolt.authorization import AuthorizeResult

from bot.config import Settings
from bot.listeners.app import BoltApp
from bot.logs import StandingWarnings
from bot.runtime.connections import ConnectionCount
from bot.runtime.service import socket_mode
from bot.slack.client import create_client
from memory import Pool
from memory.postgres import execute_statement
from tests.loopback import serving
from tests.waiting import until

NOWHERE = "ws://127.0.0.1:1/"


@dataclass
class Slack:
    """A Slack whose every address is good once; the first `dead` of them lead nowhere."""

    url: str = ""
    dead: int = 0
    given: int = 0
    counted: int = 1
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
        await line.send_json({"type": "hello", "num_connections": self.counted})
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


def bolt_app(slack: Slack) -> BoltApp:
    """Return an app that nothing is expected of."""
    return BoltApp(
        _nothing,
        client=create_client("xoxb-1", f"{slack.url}/api/"),
        authorize=_nobody,
        request_verification_enabled=False,
    )


def settings_of(slack: Slack) -> Settings:
    """Return the settings that lead to this Slack."""
    return Settings(slack_app_token=SecretStr("xapp-1"), slack_api_url=f"{slack.url}/api/")


async def _nobody() -> AuthorizeResult:
    return AuthorizeResult(enterprise_id=None, team_id="T1", bot_token="xoxb-1")


async def _nothing(_: dict[str, Any]) -> None:
    return


async def test_a_lost_connection_is_opened_again_at_another_address(slack: Slack) -> None:
    """An address that leads nowhere is dropped, at the start and after a connection was lost."""
    slack.dead = 1
    async with socket_mode(bolt_app(slack), settings_of(slack), ping_seconds=0.5) as connection:
        assert await connection.is_connected()
        assert slack.given >= 2
        [line] = slack.open
        slack.dead = 2
        await line.close()
        await until(lambda: slack.open and line not in slack.open)
        assert slack.given >= 5
    assert not await connection.is_connected()


async def test_another_installation_on_the_same_app_token_is_a_warning(
    slack: Slack, pool: Pool, caplog: pytest.LogCaptureFixture
) -> None:
    """Slack counts more connections than there are processes of this database, and says so once.

    Two processes of one database have two connections, and that is all right.
    """
    warnings = StandingWarnings(logging.getLogger("bot.test"))
    count = ConnectionCount(pool, warnings, settled_seconds=0.0)
    process = "INSERT INTO procrastinate_workers DEFAULT VALUES RETURNING id"
    await execute_statement(pool, process)
    slack.counted = 2
    async with socket_mode(bolt_app(slack), settings_of(slack), count.note):
        await until(lambda: warnings.sentences)
        [sentence] = warnings.sentences
        assert "Slack counted 2 connections of this app, but 1 process(es) share this" in sentence
        assert sentence in caplog.messages
        # Each process has two rows.
        await execute_statement(pool, process)
        await execute_statement(pool, process)
    async with socket_mode(bolt_app(slack), settings_of(slack), count.note):
        await until(lambda: not warnings.sentences)
    await count.close()
