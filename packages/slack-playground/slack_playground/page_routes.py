"""Serves the page: its files as they are, under a policy that lets nothing foreign in."""

import asyncio
from collections.abc import Awaitable, Callable
from functools import partial
from pathlib import Path

from aiohttp import web

from slack_playground.installing import authorize
from slack_playground.slack import Slack

AUTHORIZE = "/oauth/v2/authorize"
_HEADERS = {
    "Content-Security-Policy": (
        "default-src 'self'; object-src 'none'; frame-ancestors 'none'; base-uri 'none'"
    ),
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "same-origin",
    "Cache-Control": "no-store",
}
_TYPES = {
    ".html": "text/html",
    ".css": "text/css",
    ".js": "text/javascript",
    ".svg": "image/svg+xml",
    ".txt": "text/plain",
}
Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


def add_page_routes(app: web.Application, slack: Slack) -> None:
    """Add `/`, the page of consent, and every file of the page's folder below `/page/`."""
    folder = Path(__file__).parent / "page"
    consent = _guarded(partial(authorize, slack))
    app.router.add_get(AUTHORIZE, consent)
    app.router.add_post(AUTHORIZE, consent)
    app.router.add_get("/", _guarded(_served(folder / "index.html")))
    app.router.add_get("/favicon.ico", _guarded(_served(folder / "icon.svg")))
    for file in folder.rglob("*"):
        if file.suffix in _TYPES:
            path = f"/page/{file.relative_to(folder).as_posix()}"
            app.router.add_get(path, _guarded(_served(file)))


def _served(file: Path) -> Handler:
    async def handler(_request: web.Request) -> web.StreamResponse:
        body = await asyncio.to_thread(file.read_bytes)
        return web.Response(body=body, content_type=_TYPES[file.suffix], charset="utf-8")

    return handler


def _guarded(handler: Handler) -> Handler:
    async def guarded(request: web.Request) -> web.StreamResponse:
        response = await handler(request)
        response.headers.update(_HEADERS)
        return response

    return guarded
