"""One process of the app: what it opens at the start and closes at the end."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass

from aiohttp import web
from slack_bolt.adapter.socket_mode.aiohttp import AsyncSocketModeHandler
from slack_bolt.async_app import AsyncApp
from slack_sdk.socket_mode.aiohttp import SocketModeClient
from slack_sdk.socket_mode.async_client import AsyncBaseSocketModeClient
from slack_sdk.socket_mode.request import SocketModeRequest
from slack_sdk.socket_mode.response import SocketModeResponse

from bot.app import App
from bot.cancellation import in_background, stopped_by_signal
from bot.config import Settings
from bot.conversation.backfill import keep_heard
from bot.listeners.bolt_app import create_bolt_app
from bot.listeners.interactions import Interactions
from bot.logs import fault
from bot.network import proxy_for
from bot.queue.pulse import BEGIN_AGAIN_SECONDS
from bot.runtime.ask import add_ask
from bot.runtime.database_addresses import database
from bot.runtime.http import Readiness, create_web_app, serving
from bot.runtime.problems import (
    APP_TOKEN,
    NO_EVENTS,
    NO_MODEL,
    Problem,
    slack_unreachable,
    token,
)
from bot.runtime.prometheus import serving_metrics
from bot.runtime.refused_token import while_token_accepted
from bot.runtime.settings_check import check_settings
from bot.runtime.slack_calls import call_slack
from bot.runtime.wiring import database_problem, open_app
from bot.runtime.worker import open_worker
from bot.slack.messages import UNREADABLE

log = logging.getLogger(__name__)

_ANSWER_SECONDS = 5.0
# After four of these without an answer the SDK opens a new connection.
_PING_SECONDS = 5.0
_CONNECT_SECONDS = 30.0


async def run(settings: Settings) -> None:
    """Serve Slack until SIGINT or SIGTERM: by Socket Mode with an app token, else over HTTP.

    Any number of processes share a database. Raises what `bot.runtime.problems.explained` explains.
    """
    stop = stopped_by_signal()
    await check_settings(settings)
    if not settings.has_model:
        raise Problem(NO_MODEL)
    if settings.slack_app_token is None and settings.slack_signing_secret is None:
        raise Problem(NO_EVENTS)
    async with (
        database(settings) as addresses,
        open_service(settings, addresses.login, host=settings.listens_on) as port,
    ):
        print(f"Kioku is ready on port {port}.")
        try:
            await stop.wait()
        finally:
            print("Kioku is finishing what it has begun …")


@asynccontextmanager
async def open_service(
    settings: Settings, conninfo: str, *, host: str | None = None
) -> AsyncIterator[int]:
    """Receive, answer and remember; with `host` serve HTTP there, on `PORT`. Yields the port.

    On leaving, what runs is finished, and everything is closed. Raises `Problem` in the block once
    Slack refuses the token.
    """
    async with AsyncExitStack() as stack:
        enter = stack.enter_async_context
        app = await enter(open_app(settings, conninfo))
        if settings.metrics_port:
            await enter(
                serving_metrics(app.pool, settings.listens_on, settings.metrics_port)
            )
        await app.queue.open()
        await enter(open_worker(app))
        interactions = Interactions(app)
        bolt = create_bolt_app(app, interactions)
        stack.push_async_callback(interactions.wait_until_idle, _ANSWER_SECONDS)
        socket = None
        if settings.slack_app_token is not None:
            socket = await enter(socket_mode(bolt, settings))
        reception = _Reception(app, socket)
        await enter(in_background(keep_heard(app, reception.receives), "heard"))
        port = settings.port
        if host is not None:
            application = _create_web_app(app, bolt, reception)
            port = await enter(serving(application, host, port))
        try:
            async with while_token_accepted(app):
                yield port
        finally:
            # At once: other processes take what is stored from now on.
            app.queue.begin_to_stop()


@dataclass(frozen=True, slots=True)
class _Reception:
    """Whether Slack's events come in; `socket` is Socket Mode's connection, None with HTTP."""

    app: App
    socket: SocketModeClient | None

    async def receives(self) -> bool:
        """Return whether Slack's events come in."""
        return await self._socket_problem() is None

    async def problem(self) -> str | None:
        """Return one sentence about what keeps the process from being ready, or None."""
        problem = await self._socket_problem() or await database_problem(self.app)
        silence = self.app.queue.pulse.silence()
        if problem is None and silence > BEGIN_AGAIN_SECONDS:
            problem = f"PostgreSQL has taken no heartbeat of the workers for {silence:.0f} seconds."
        return problem or self.app.presence.problem

    async def _socket_problem(self) -> str | None:
        if self.socket is not None and not await self.socket.is_connected():
            return "Slack's Socket Mode is not connected."
        return None


def _create_web_app(app: App, bolt: AsyncApp, reception: _Reception) -> web.Application:
    """Return what is served over HTTP; Slack's route only without Socket Mode."""
    settings = app.settings
    secret = None
    if settings.slack_app_token is None and settings.slack_signing_secret is not None:
        secret = settings.slack_signing_secret.get_secret_value()
    readiness = Readiness(reception.problem)
    application = create_web_app(
        readiness, app.queue.pulse, bolt, app.slack.warnings, secret
    )
    if settings.api_token is not None:
        add_ask(application, app, settings.api_token.get_secret_value())
    return application


@asynccontextmanager
async def socket_mode(
    app: AsyncApp,
    settings: Settings,
    *,
    ping_seconds: float = _PING_SECONDS,
) -> AsyncIterator[SocketModeClient]:
    """Let Slack deliver to `app` while this is open. Raises `bot.runtime.problems.Problem`."""
    handler = AsyncSocketModeHandler(
        app, token(settings, APP_TOKEN), ping_interval=ping_seconds
    )
    client = handler.client

    async def dispatch(
        client: AsyncBaseSocketModeClient, request: SocketModeRequest
    ) -> None:
        """Let Bolt answer a request; acknowledge what it cannot read."""
        try:
            await handler.handle(client, request)  # type: ignore[arg-type] # it is this client
        except UNREADABLE as error:
            log.warning("a request from Slack could not be read: %s", fault(error))
            await client.send_socket_mode_response(
                SocketModeResponse(request.envelope_id)
            )

    client.socket_mode_request_listeners = [dispatch]
    try:
        async with in_background(_keep_fresh(client, ping_seconds / 2), "socket mode"):
            # The SDK would ask for an address for ever, even if Slack refuses the token.
            opened = await call_slack(settings, APP_TOKEN, "apps.connections.open")
            client.wss_uri = str(opened["url"])
            client.proxy = proxy_for(client.wss_uri)
            connecting = client.connect()  # type: ignore[no-untyped-call]
            try:
                await asyncio.wait_for(connecting, _CONNECT_SECONDS)
            except TimeoutError:
                raise slack_unreachable(settings.slack_api_url) from None
            yield client
    finally:
        await handler.close_async()  # type: ignore[no-untyped-call]


async def _keep_fresh(client: SocketModeClient, seconds: float) -> None:
    """Drop the address of a lost connection, so that the SDK asks for a new one.

    Slack's addresses work once, for half a minute. The SDK would try the same one for ever.
    """
    while True:
        await asyncio.sleep(seconds)
        if not await client.is_connected():
            client.wss_uri = None
