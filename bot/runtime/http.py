"""The HTTP server: Slack's signed requests, and health; behind a proxy with TLS."""

from __future__ import annotations

import asyncio
import logging
import math
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from functools import partial
from typing import TypeAlias

from aiohttp import web
from aiohttp.typedefs import Middleware
from slack_bolt.adapter.aiohttp import to_aiohttp_response, to_bolt_request
from slack_bolt.async_app import AsyncApp
from slack_sdk.signature import SignatureVerifier

from bot.logs import fault
from bot.runtime.problem import cannot_open
from bot.slack.payloads import UNREADABLE

log = logging.getLogger(__name__)

Ready: TypeAlias = Callable[[], Awaitable[str | None]]
EVENTS_PATH = "/slack/events"
# Longer than the idle timeout of usual reverse proxies (60), so that the proxy closes first.
_KEEP_ALIVE_SECONDS = 75.0
_LAST_REQUESTS_SECONDS = 10.0
_CHECK_SECONDS = 2.0


def create_web_app(
    *, ready: Ready, app: AsyncApp | None = None, signing_secret: str | None = None
) -> web.Application:
    """Return the application: ``/healthz``, ``/readyz``, and Slack's route if a secret is given.

    `ready` returns None, or one sentence about what is missing. It is awaited once in two seconds
    at most, however many ask. Bolt's own web application would also serve an installation of its
    own, with tokens in files, wherever SLACK_CLIENT_ID is in the environment.
    """
    application = web.Application()
    if app is not None and signing_secret is not None:
        application.middlewares.append(_signed(SignatureVerifier(signing_secret)))
        application.router.add_post(EVENTS_PATH, partial(_dispatched, app))
    checking = asyncio.Lock()
    checked_at, problem = -math.inf, None

    async def healthz(_: web.Request) -> web.Response:
        return web.Response(text="alive\n")

    async def readyz(_: web.Request) -> web.Response:
        nonlocal checked_at, problem
        async with checking:
            if time.monotonic() - checked_at > _CHECK_SECONDS:
                problem = await ready()
                checked_at = time.monotonic()
        return web.Response(text=f"{problem or 'ready'}\n", status=503 if problem else 200)

    application.router.add_get("/healthz", healthz)
    application.router.add_get("/readyz", readyz)
    return application


async def _dispatched(app: AsyncApp, request: web.Request) -> web.Response:
    return await to_aiohttp_response(await app.async_dispatch(await to_bolt_request(request)))


def _signed(verifier: SignatureVerifier) -> Middleware:
    """Return a middleware that lets requests through which Slack signed within five minutes.

    Bolt's own writes the body of an unsigned request into the log.
    Source: https://docs.slack.dev/authentication/verifying-requests-from-slack
    """

    @web.middleware
    async def verified(
        request: web.Request, handler: Callable[[web.Request], Awaitable[web.StreamResponse]]
    ) -> web.StreamResponse:
        if request.path != EVENTS_PATH:
            return await handler(request)
        try:
            signed = verifier.is_valid_request(await request.read(), dict(request.headers))
        # A timestamp that is no number, a body that is no text, a signature that is not ASCII.
        except (ValueError, TypeError):
            signed = False
        if not signed:
            return web.Response(status=401, text="The request is not signed by Slack.\n")
        try:
            return await handler(request)
        except UNREADABLE as error:
            log.warning("a request from Slack could not be read: %s", fault(error))
            return web.Response()

    return verified


@asynccontextmanager
async def serving(application: web.Application, host: str, port: int) -> AsyncIterator[int]:
    """Serve `application` at `host`; yield the port. Raises `Problem` if it is taken."""
    runner = web.AppRunner(
        application,
        access_log=None,
        shutdown_timeout=_LAST_REQUESTS_SECONDS,
        keepalive_timeout=_KEEP_ALIVE_SECONDS,
    )
    await runner.setup()
    try:
        try:
            await web.TCPSite(runner, host, port).start()
        except OSError as error:
            raise cannot_open(port, error) from None
        yield int(runner.addresses[0][1])
    finally:
        await runner.cleanup()
