"""Serves the page: its files as they are, under a policy that lets nothing foreign in."""

import asyncio
from collections.abc import Awaitable, Callable
from importlib.resources import files
from importlib.resources.abc import Traversable

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
    folder = files("playground").joinpath("page")
    app.router.add_get(AUTHORIZE, _served(folder.joinpath("authorize.html")))
    app.router.add_get("/", _served(folder.joinpath("index.html")))
    app.router.add_get("/favicon.ico", _served(folder.joinpath("icon.svg")))
    for path, file in _files(folder, "/page"):
        app.router.add_get(path, _served(file))


def _files(folder: Traversable, path: str) -> list[tuple[str, Traversable]]:
    found: list[tuple[str, Traversable]] = []
    for entry in folder.iterdir():
        if entry.is_dir():
            found += _files(entry, f"{path}/{entry.name}")
        elif _type(entry.name):
            found.append((f"{path}/{entry.name}", entry))
    return found


def _type(name: str) -> str:
    return _TYPES.get(name[name.rfind(".") :], "")


def _served(file: Traversable) -> Handler:
    async def handler(_request: web.Request) -> web.StreamResponse:
        return web.Response(
            body=await asyncio.to_thread(file.read_bytes),
            content_type=_type(file.name),
            charset="utf-8",
            headers={
                "Content-Security-Policy": POLICY,
                "X-Content-Type-Options": "nosniff",
                "Referrer-Policy": "no-referrer",
                "Cache-Control": "no-store",
            },
        )

    return handler
