"""Serves the page: its files as they are, under a policy that lets nothing foreign in."""

from functools import partial
from pathlib import Path

from aiohttp import web

from slack_playground.installing import authorize
from slack_playground.slack import Slack

AUTHORIZE = "/oauth/v2/authorize"
_FOLDER = Path(__file__).parent / "page"
_HEADERS = {
    "Content-Security-Policy": (
        "default-src 'self'; object-src 'none'; frame-ancestors 'none'; base-uri 'none'"
    ),
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "same-origin",
    "Cache-Control": "no-store",
}


def add_page_routes(app: web.Application, slack: Slack) -> None:
    """Add `/`, the address of consent, and every file of the page's folder below `/page/`."""

    async def index(_request: web.Request) -> web.FileResponse:
        return web.FileResponse(_FOLDER / "index.html")

    async def guard(request: web.Request, response: web.StreamResponse) -> None:
        if request.path == "/" or request.path.startswith("/page/"):
            response.headers.update(_HEADERS)

    app.router.add_get("/", index)
    app.router.add_get(AUTHORIZE, partial(authorize, slack))
    app.router.add_static("/page", _FOLDER)
    app.on_response_prepare.append(guard)
