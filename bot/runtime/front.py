"""The front: it receives what Slack delivers, stores it, and answers commands and clicks."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass

from slack_sdk.socket_mode.aiohttp import SocketModeClient
from slack_sdk.web.async_client import AsyncWebClient

from bot.cancellation import cancel_until_done
from bot.listeners.app import CheckedApp, SocketModeHandler, create_app
from bot.pipeline.backfill.window import BackfillWindow
from bot.runtime.connections import retry_until_connected
from bot.runtime.problem import APP_TOKEN
from bot.runtime.wiring import Application

_ANSWER_SECONDS = 5.0
# Four of these without an answer and the SDK opens a new connection.
PING_SECONDS = 5.0
_CONNECT_SECONDS = 30.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Front:
    """The Bolt app, and Slack's Socket Mode where that delivers; else ``/slack/events`` does."""

    app: CheckedApp
    socket: SocketModeClient | None

    async def problem(self) -> str | None:
        """Return one sentence about what keeps Slack's messages away, if anything does."""
        if self.socket is not None and not await self.socket.is_connected():
            return "Slack's Socket Mode is not connected."
        return None


@asynccontextmanager
async def open_front(wiring: Application) -> AsyncIterator[Front]:
    """Build the front; with an app token, be connected by Socket Mode while it is open.

    Raises `Problem`.
    """
    token = wiring.connections.settings.slack_app_token
    app = build_app(wiring)
    async with AsyncExitStack() as stack:
        stack.push_async_callback(wiring.interactions.wait_until_idle, _ANSWER_SECONDS)
        socket = None
        if token is not None:
            socket = await stack.enter_async_context(
                socket_mode(app, token.get_secret_value(), wiring.connections.slack.tokenless())
            )
        front = Front(app=app, socket=socket)
        await stack.enter_async_context(_backfill_window(wiring, front).marked())
        yield front


def build_app(wiring: Application) -> CheckedApp:
    """Return the Bolt app."""
    return create_app(
        slack=wiring.connections.slack,
        inbox=wiring.inbox,
        changes=wiring.change_events,
        workspaces=wiring.workspaces,
        interactions=wiring.interactions,
    )


def _backfill_window(wiring: Application, front: Front) -> BackfillWindow:
    connections = wiring.connections

    async def teams() -> list[str]:
        if await front.problem() is not None:
            return []
        # Messages written while a workspace is not served are read when it is served again.
        installed = await connections.teams()
        return [team for team in installed if await wiring.workspaces.serves(team)]

    return BackfillWindow(connections.pool, wiring.queue, teams=teams)


@asynccontextmanager
async def socket_mode(
    app: CheckedApp, token: str, slack: AsyncWebClient, *, ping_seconds: float = PING_SECONDS
) -> AsyncIterator[SocketModeClient]:
    """Let Slack deliver to `app` while this is open. Raises `bot.runtime.problem.Problem`."""
    handler = SocketModeHandler(app, token, web_client=slack, ping_interval=ping_seconds)
    client = handler.client
    keeper = asyncio.create_task(_keep_fresh(client, ping_seconds / 2), name="socket mode")

    async def connect() -> None:
        # The SDK would ask for an address for ever, whatever Slack says of the token.
        opened = await slack.apps_connections_open(app_token=token)
        client.wss_uri = str(opened["url"])
        connecting = client.connect()  # type: ignore[no-untyped-call]
        await asyncio.wait_for(connecting, _CONNECT_SECONDS)

    try:
        await retry_until_connected(APP_TOKEN, slack.base_url, connect)
        yield client
    finally:
        await cancel_until_done(keeper)
        await handler.close_async()  # type: ignore[no-untyped-call]


async def _keep_fresh(client: SocketModeClient, seconds: float) -> None:
    """Drop the address of a connection that is not there.

    Slack's addresses are good once, for half a minute. The SDK would try the same one for ever.
    """
    while True:
        await asyncio.sleep(seconds)
        if not await client.is_connected():
            client.wss_uri = None
