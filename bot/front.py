"""The front: it receives what Slack delivers, stores it, and answers commands and clicks."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass

from slack_bolt.adapter.socket_mode.aiohttp import AsyncSocketModeHandler
from slack_bolt.async_app import AsyncApp

from bot.app import create_app
from bot.ask import Asks, ask_handler
from bot.changes import Changes
from bot.start import insistently
from bot.turn import create_turn
from bot.web import Handler
from bot.wiring import Wiring

_CONNECT_SECONDS = 30.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Front:
    """The Bolt app, and Slack's Socket Mode where that delivers; else ``/slack/events`` does."""

    app: AsyncApp
    socket: AsyncSocketModeHandler | None
    ask: Handler | None

    async def problem(self) -> str | None:
        """Return one sentence about what keeps Slack's messages away, if anything does."""
        if self.socket is not None and not await self.socket.client.is_connected():
            return "Slack's Socket Mode is not connected."
        return None


@asynccontextmanager
async def open_front(wiring: Wiring) -> AsyncIterator[Front]:
    """Build the front; with an app token, be connected by Socket Mode while it is open.

    Raises `StartError`.
    """
    settings = wiring.connections.settings
    app = _build(wiring)
    socket = None
    if settings.slack_app_token is not None:
        token = settings.slack_app_token.get_secret_value()
        socket = AsyncSocketModeHandler(app, token, web_client=wiring.connections.slack)
    try:
        if socket is not None:
            await _connect(socket)
        yield Front(app=app, socket=socket, ask=_ask(wiring))
    finally:
        if socket is not None:
            await socket.close_async()  # type: ignore[no-untyped-call]


def _build(wiring: Wiring) -> AsyncApp:
    identity = wiring.connections.identity
    return create_app(
        client=wiring.connections.slack,
        identity=identity,
        inbox=wiring.inbox,
        changes=Changes(
            inbox=wiring.inbox,
            turns=wiring.turns,
            audiences=wiring.audiences,
            people=wiring.people,
            bot_user_id=str(identity.bot_user_id),
        ),
        people=wiring.people,
        own=wiring.own,
    )


def _ask(wiring: Wiring) -> Handler | None:
    token = wiring.connections.settings.api_token
    if token is None:
        return None
    asks = Asks()
    return ask_handler(asks, create_turn(wiring.parts, asks.open_outlet), token.get_secret_value())


async def _connect(socket: AsyncSocketModeHandler) -> None:
    async def connect() -> None:
        # The SDK would ask for an address for ever, whatever Slack says of the token.
        opened = await socket.client.web_client.apps_connections_open(app_token=socket.app_token)
        socket.client.wss_uri = str(opened["url"])
        connecting = socket.client.connect()  # type: ignore[no-untyped-call]
        await asyncio.wait_for(connecting, _CONNECT_SECONDS)

    await insistently("SLACK_APP_TOKEN", connect)
