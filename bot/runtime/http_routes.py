"""HTTP: Slack's signed requests, and health."""

from __future__ import annotations

import asyncio
import math
import time
from collections.abc import Awaitable, Callable
from functools import partial
from typing import TypeAlias

from aiohttp import web
from slack_bolt.adapter.aiohttp import to_aiohttp_response
from slack_bolt.async_app import AsyncBoltRequest
from slack_bolt.request.internals import parse_body
from slack_sdk.signature import SignatureVerifier

from bot.listeners.app import CheckedApp
from bot.runtime.ask import AskHandler, Refused, read_call
from bot.slack.signature import is_signed

Ready: TypeAlias = Callable[[], Awaitable[str | None]]
Handler: TypeAlias = Callable[[web.Request], Awaitable[web.Response]]
_CHECK_SECONDS = 2.0


def create_web_app(
    *,
    ready: Ready,
    app: CheckedApp | None = None,
    signing_secret: str | None = None,
    asks: AskHandler | None = None,
    api_token: str = "",
) -> web.Application:
    """Return the HTTP application: ``/healthz``, ``/readyz``, and what else is given.

    Slack's ``/slack/events`` needs `app` and `signing_secret`, ``/ask`` `asks` and `api_token`.

    `ready` returns None, or one sentence about what is missing. It is awaited once in two seconds
    at most, however many ask.
    """
    application = web.Application()

    async def healthz(_: web.Request) -> web.Response:
        return web.Response(text="alive\n")

    checking = asyncio.Lock()
    checked_at, problem = -math.inf, None

    async def readyz(_: web.Request) -> web.Response:
        nonlocal checked_at, problem
        async with checking:
            if time.monotonic() - checked_at > _CHECK_SECONDS:
                problem = await ready()
                checked_at = time.monotonic()
        return web.Response(text=f"{problem or 'ready'}\n", status=503 if problem else 200)

    application.router.add_get("/healthz", healthz)
    application.router.add_get("/readyz", readyz)
    if app is not None and signing_secret is not None:
        application.router.add_post("/slack/events", _slack(app, SignatureVerifier(signing_secret)))
    if asks is not None:
        application.router.add_post("/ask", _ask(asks, api_token))
    return application


def _slack(app: CheckedApp, verifier: SignatureVerifier) -> Handler:
    async def events(request: web.Request) -> web.Response:
        body = await request.read()
        if not is_signed(verifier, body, dict(request.headers)):
            return web.Response(status=401, text="The request is not signed by Slack.\n")
        try:
            sent: object = parse_body(body.decode(), request.content_type)
        except RecursionError:
            return web.Response()
        except ValueError:
            sent = None
        if not isinstance(sent, dict):
            return web.Response(status=400, text="Slack sends no such body.\n")
        make_request = partial(
            AsyncBoltRequest,
            body=body.decode(),
            query=request.query_string,
            headers=dict(request.headers),
        )
        return await to_aiohttp_response(await app.receive(sent, make_request))

    return events


def _ask(asks: AskHandler, token: str) -> Handler:
    async def ask(request: web.Request) -> web.Response:
        try:
            body = await request.text()
        except (ValueError, LookupError):  # no text, or in an encoding that there is not
            body = ""
        try:
            call = read_call(request.headers.get("authorization", ""), body, token)
            status, text = await asks.answer(*call)
        except Refused as refused:
            status, text = refused.args
        return web.Response(status=status, text=text)

    return ask
