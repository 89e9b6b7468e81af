"""Serves the page: its files as they are, under a policy that lets nothing foreign in."""

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path

from aiohttp import web

POLICY = (
    "default-src 'self'; object-src 'none'; frame-ancestors 'none'; base-uri 'none'; "
    "form-action 'none'"
)
_TYPES = {
    ".html": "text/html",
    ".css": "text/css",
    ".js": "text/javascript",
    ".svg": "image/svg+xml",
    ".txt": "text/plain",
}

AUTHORIZE = "/oauth/v2/authorize"

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


def add_page_routes(app: web.Application) -> None:
    """Add `/`, the page of consent, and every file of the page's folder below `/page/`."""
    folder = Path(__file__).parent / "page"
    app.router.add_get(AUTHORIZE, _served(folder / "authorize.html"))
    app.router.add_get("/", _served(folder / "index.html"))
    app.router.add_get("/favicon.ico", _served(folder / "icon.svg"))
    for file in folder.rglob("*"):
        if file.suffix in _TYPES:
            app.router.add_get(f"/page/{file.relative_to(folder).as_posix()}", _served(file))


def _served(file: Path) -> Handler:
    async def handler(_request: web.Request) -> web.StreamResponse:
        return web.Response(
            body=await asyncio.to_thread(file.read_bytes),
            content_type=_TYPES[file.suffix],
            charset="utf-8",
            headers={
                "Content-Security-Policy": POLICY,
                "X-Content-Type-Options": "nosniff",
                "Referrer-Policy": "no-referrer",
                "Cache-Control": "no-store",
            },
        )

    return handler
