"""The setup page's server: loopback only, with a code that is printed in the terminal."""

from __future__ import annotations

import asyncio
import hmac
import secrets
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from urllib.parse import urlencode

from aiohttp import web

from bot.config import Settings
from bot.runtime.setup.connect import NAMES, SlackSetup
from bot.runtime.setup.page import code_page, reader_language, setup_page, starting_page
from bot.runtime.startup import StartError

_LETTERS = "abcdefghjkmnpqrstuvwxyz23456789"
_MOST_BYTES = 64 * 1024
_HEADERS = {
    "Content-Security-Policy": "default-src 'none'; style-src 'self'; script-src 'self';"
    " connect-src 'self'; form-action 'self'; frame-ancestors 'none'; base-uri 'none'",
    "X-Content-Type-Options": "nosniff",
    # "no-referrer" would make the browser send "Origin: null" with the form.
    "Referrer-Policy": "same-origin",
    "Cache-Control": "no-store",
}
_Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


class SetupServer:
    """Shows the steps and takes the form; `connected` is set once all was checked and written.

    Then `settings` are those to start with. `code` is part of the address that the terminal prints
    and of every request that does anything.
    """

    def __init__(self, settings: Settings) -> None:
        self._setup = SlackSetup(settings)
        self.code = "-".join("".join(secrets.choice(_LETTERS) for _ in range(4)) for _ in range(3))
        self.url = ""
        self.settings = settings
        self.connected = asyncio.Event()
        self.ready = False

    @property
    def url_with_code(self) -> str:
        """The address for the terminal."""
        return f"{self.url}?{urlencode({'code': self.code})}"

    def application(self) -> web.Application:
        """Return the routes."""
        app = web.Application(middlewares=[self._this_machine_only], client_max_size=_MOST_BYTES)
        app.router.add_get("/", self._show)
        app.router.add_post("/", self._take)
        app.router.add_get("/status", self._status)
        for name, kind in (("setup.css", "text/css"), ("setup.js", "text/javascript")):
            app.router.add_get(f"/{name}", _file(name, kind))
        return app

    @web.middleware
    async def _this_machine_only(
        self, request: web.Request, handler: _Handler
    ) -> web.StreamResponse:
        """Refuse other hosts' names (DNS rebinding) and other sites' forms and scripts."""
        port = self.url.rpartition(":")[2].strip("/")
        own = [f"{host}:{port}" for host in ("127.0.0.1", "localhost")]
        origin = request.headers.get("Origin", "" if request.method == "POST" else None)
        if request.host not in own or origin not in (None, f"http://{request.host}"):
            return web.Response(status=403, text="Open this page at the address it was given.\n")
        response = await handler(request)
        response.headers.update(_HEADERS)
        return response

    def _knows(self, code: object) -> bool:
        return hmac.compare_digest(str(code).strip().lower().encode(), self.code.encode())

    async def _show(self, request: web.Request) -> web.Response:
        language = reader_language(request.headers.get("Accept-Language", ""))
        code = request.query.get("code", "")
        if not self._knows(code):
            return _html(code_page(language, wrong=bool(code)), 403 if code else 200)
        if self.connected.is_set():
            return _html(starting_page(language, self._setup, ready=self.ready))
        return _html(setup_page(language, self._setup, self.code))

    async def _take(self, request: web.Request) -> web.Response:
        language = reader_language(request.headers.get("Accept-Language", ""))
        form = await request.post()
        if not self._knows(form.get("code", "")):
            return _html(code_page(language, wrong=True), 403)
        problem = ""
        if not self.connected.is_set() and await self._setup.check_all(
            {name: str(form.get(name, "")) for name in NAMES}, language
        ):
            try:
                self.settings = self._setup.write(language)
                self.connected.set()
            except StartError as error:
                problem = str(error)
        if self.connected.is_set():
            back = {"Location": f"/?{urlencode({'code': self.code})}"}
            return web.Response(status=303, headers=back)
        return _html(setup_page(language, self._setup, self.code, problem), 422)

    async def _status(self, request: web.Request) -> web.Response:
        if not self._knows(request.query.get("code", "")):
            return web.Response(status=403)
        return web.json_response({"ready": self.ready})


@asynccontextmanager
async def setup_server(settings: Settings) -> AsyncIterator[SetupServer]:
    """Serve the setup page on a free port of 127.0.0.1 while this is open."""
    server = SetupServer(settings)
    runner = web.AppRunner(server.application(), access_log=None, shutdown_timeout=1.0)
    await runner.setup()
    try:
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        server.url = f"http://127.0.0.1:{runner.addresses[0][1]}/"
        yield server
    finally:
        await runner.cleanup()


def _html(text: str, status: int = 200) -> web.Response:
    return web.Response(text=text, status=status, content_type="text/html")


def _file(name: str, kind: str) -> _Handler:
    text = Path(__file__).with_name(name).read_text("utf-8")

    async def handler(_request: web.Request) -> web.StreamResponse:
        return web.Response(text=text, content_type=kind)

    return handler
