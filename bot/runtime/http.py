"""The HTTP server: Slack's signed requests, and health; behind a proxy with TLS."""

from __future__ import annotations

import logging
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

from aiohttp import web
from slack_bolt.adapter.aiohttp import to_aiohttp_response, to_bolt_request
from slack_bolt.async_app import AsyncApp
from slack_sdk.signature import SignatureVerifier

from bot.logs import fault
from bot.runtime.problems import cannot_open
from bot.slack.messages import UNREADABLE

log = logging.getLogger(__name__)

# Longer than the idle timeout of usual reverse proxies (60), so that the proxy closes first.
_KEEP_ALIVE_SECONDS = 75.0
_LAST_REQUESTS_SECONDS = 10.0


def create_web_app(
    unready: Callable[[], Awaitable[str | None]],
    app: AsyncApp,
    signing_secret: str | None = None,
) -> web.Application:
    """Return the application: ``/healthz``, ``/readyz``, and Slack's route if a secret is given.

    `unready` returns None, or one sentence about what is missing. Bolt's own web application would
    also serve an installation of its own, with tokens in files, wherever SLACK_CLIENT_ID is in the
    environment, and write the body of an unsigned request into the log.
    """
    application = web.Application()

    async def healthz(_: web.Request) -> web.Response:
        return web.Response(text="alive\n")

    async def readyz(_: web.Request) -> web.Response:
        problem = await unready()
        return web.Response(text=f"{problem or 'ready'}\n", status=503 if problem else 200)

    async def slack(request: web.Request) -> web.Response:
        """Dispatch what Slack signed within five minutes.

        Source: https://docs.slack.dev/authentication/verifying-requests-from-slack
        """
        try:
            signed = verifier.is_valid_request(await request.read(), dict(request.headers))
        # A timestamp that is no number, a body that is no text, a signature that is not ASCII.
        except (ValueError, TypeError):
            signed = False
        if not signed:
            return web.Response(status=401, text="The request is not signed by Slack.\n")
        try:
            sent = await to_bolt_request(request)
        except UNREADABLE as error:
            log.warning("a request from Slack could not be read: %s", fault(error))
            return web.Response()
        return await to_aiohttp_response(await app.async_dispatch(sent))

    application.router.add_get("/healthz", healthz)
    application.router.add_get("/readyz", readyz)
    if signing_secret is not None:
        verifier = SignatureVerifier(signing_secret)
        application.router.add_post("/slack/events", slack)
    return application


@asynccontextmanager
async def serving(
    application: web.Application, host: str, port: int, setting: str = "PORT"
) -> AsyncIterator[int]:
    """Serve `application` at `host` and `port`, of `setting`; yield the port. Raises `Problem`."""
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
        except (OSError, OverflowError) as error:
            raise cannot_open(port, error, setting) from None
        yield int(runner.addresses[0][1])
    finally:
        await runner.cleanup()
