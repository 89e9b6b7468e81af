"""Slack's Socket Mode: connects at the start, and again whenever the connection is lost."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import partial
from http import HTTPStatus
from typing import Any

from slack_bolt.adapter.socket_mode.aiohttp import AsyncSocketModeHandler
from slack_bolt.adapter.socket_mode.async_internals import send_async_response
from slack_bolt.adapter.socket_mode.internals import build_headers
from slack_bolt.async_app import AsyncBoltRequest
from slack_bolt.response import BoltResponse
from slack_sdk.socket_mode.aiohttp import SocketModeClient
from slack_sdk.socket_mode.request import SocketModeRequest
from slack_sdk.web.async_client import AsyncWebClient

from bot.cancellation import ended
from bot.listeners.app import CheckedApp
from bot.runtime.connections import retry_until_connected

# Four of these without an answer and the SDK opens a new connection.
PING_SECONDS = 5.0
_CONNECT_SECONDS = 30.0


class _Handler(AsyncSocketModeHandler):
    """Acknowledges also what Bolt cannot read: Bolt's own handler leaves it without an answer."""

    def __init__(self, app: CheckedApp, *arguments: Any, **more: Any) -> None:
        super().__init__(app, *arguments, **more)
        self._checked = app

    async def handle(  # type: ignore[override]
        self, client: SocketModeClient, req: SocketModeRequest
    ) -> None:
        begin, payload = time.time(), req.payload
        make_request = partial(
            AsyncBoltRequest, mode="socket_mode", body=payload, headers=build_headers(req)
        )
        response = await self._checked.receive(payload, make_request)
        if response.status == HTTPStatus.BAD_REQUEST:
            response = BoltResponse(status=HTTPStatus.OK)
        await send_async_response(client, req, response, begin)


@asynccontextmanager
async def socket_mode(
    app: CheckedApp, token: str, slack: AsyncWebClient, *, ping_seconds: float = PING_SECONDS
) -> AsyncIterator[SocketModeClient]:
    """Let Slack deliver to `app` while this is open. Raises `bot.runtime.startup.StartError`."""
    handler = _Handler(app, token, web_client=slack, ping_interval=ping_seconds)
    client = handler.client
    keeper = asyncio.create_task(_keep_fresh(client, ping_seconds / 2), name="socket mode")

    async def connect() -> None:
        # The SDK would ask for an address for ever, whatever Slack says of the token.
        opened = await slack.apps_connections_open(app_token=token)
        client.wss_uri = str(opened["url"])
        connecting = client.connect()  # type: ignore[no-untyped-call]
        await asyncio.wait_for(connecting, _CONNECT_SECONDS)

    try:
        await retry_until_connected("SLACK_APP_TOKEN", connect)
        yield client
    finally:
        await ended(keeper)
        await handler.close_async()  # type: ignore[no-untyped-call]


async def _keep_fresh(client: SocketModeClient, seconds: float) -> None:
    """Drop the address of a connection that is not there.

    Slack's addresses are good once, for half a minute. The SDK would try the same one for ever.
    """
    while True:
        await asyncio.sleep(seconds)
        if not await client.is_connected():
            client.wss_uri = None
