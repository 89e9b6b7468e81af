"""The setup page's server: loopback only, with a code that is printed in the terminal."""

from __future__ import annotations

import asyncio
import hmac
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from urllib.parse import urlencode, urlsplit

from aiohttp import web

from bot.locale import Language, say
from bot.runtime.output import tell
from bot.runtime.setup.connect import STEPS, SetupPage
from bot.runtime.setup.page import (
    closed_page,
    code_page,
    reader_language,
    setup_page,
    starting_page,
)
from bot.runtime.startup import StartError

_MOST_BYTES = 64 * 1024
_MOST_WRONG_CODES = 10
_HEADERS = {
    "Content-Security-Policy": "default-src 'none'; style-src 'self'; script-src 'self';"
    " connect-src 'self'; form-action 'self'; frame-ancestors 'none'; base-uri 'none'",
    "X-Content-Type-Options": "nosniff",
    # "no-referrer" would make the browser send "Origin: null" with the form.
    "Referrer-Policy": "same-origin",
    "Cache-Control": "no-store",
}
_Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


@asynccontextmanager
async def serving(page: SetupPage) -> AsyncIterator[None]:
    """Serve the setup page while this is open; after ten wrong codes it only says that."""
    handlers = _Handlers(page)
    app = web.Application(middlewares=[handlers.guard], client_max_size=_MOST_BYTES)
    app.router.add_get("/", handlers.show)
    app.router.add_post("/", handlers.take)
    app.router.add_get("/status", handlers.status)
    for name, kind in (("setup.css", "text/css"), ("setup.js", "text/javascript")):
        app.router.add_get(f"/{name}", _file(name, kind))
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=1.0)
    await runner.setup()
    try:
        await web.SockSite(runner, page.listener).start()
        yield
    finally:
        await runner.cleanup()


class _Handlers:
    def __init__(self, page: SetupPage) -> None:
        self._page = page
        self._setup = page.setup
        self._hosts = [f"{host}:{urlsplit(page.url).port}" for host in ("127.0.0.1", "localhost")]

    @web.middleware
    async def guard(self, request: web.Request, handler: _Handler) -> web.StreamResponse:
        """Refuse other hosts' names (DNS rebinding), other sites' forms, and all once closed."""
        origin = request.headers.get("Origin", "" if request.method == "POST" else None)
        if request.host not in self._hosts or origin not in (None, f"http://{request.host}"):
            return web.Response(status=403, text="Open this page at the address it was given.\n")
        response = await handler(request)
        if self._page.wrong_codes >= _MOST_WRONG_CODES and not request.path.startswith("/setup."):
            response = _html(closed_page(_language(request)), 403)
        response.headers.update(_HEADERS)
        return response

    def _knows(self, request: web.Request, given: object) -> bool:
        code = str(given).strip().lower()
        if self._page.wrong_codes >= _MOST_WRONG_CODES:
            return False
        right = hmac.compare_digest(code.encode(), self._page.code.encode())
        # Otherwise an image in a page of another site could use up the attempts.
        counted = request.headers.get("Sec-Fetch-Site") != "cross-site"
        if code and not right and counted:
            self._page.wrong_codes += 1
            if self._page.wrong_codes == _MOST_WRONG_CODES:
                tell(f"  {say('en', 'setup_closed')}")
        return right

    async def show(self, request: web.Request) -> web.Response:
        language = _language(request)
        code = request.query.get("code", "")
        if not self._knows(request, code):
            return _html(code_page(language, wrong=bool(code)), 403 if code else 200)
        if self._page.connected.is_set():
            return _html(starting_page(language, self._setup, ready=self._page.ready))
        return _html(setup_page(language, self._setup, self._page.code))

    async def take(self, request: web.Request) -> web.Response:
        language = _language(request)
        form = await request.post()
        if not self._knows(request, form.get("code", "")):
            return _html(code_page(language, wrong=True), 403)
        if not self._page.connected.is_set():
            await asyncio.gather(
                *(self._setup.check(step, str(form.get(step.name, "")), language) for step in STEPS)
            )
            problem = ""
            try:
                if not self._setup.wrong:
                    self._setup.write(language)
                    self._page.connected.set()
            except StartError as error:
                problem = str(error)
            if not self._page.connected.is_set():
                return _html(setup_page(language, self._setup, self._page.code, problem), 422)
        return web.Response(
            status=303, headers={"Location": f"/?{urlencode({'code': self._page.code})}"}
        )

    async def status(self, request: web.Request) -> web.Response:
        if not self._knows(request, request.query.get("code", "")):
            return web.Response(status=403)
        return web.json_response({"ready": self._page.ready})


def _language(request: web.Request) -> Language:
    return reader_language(request.headers.get("Accept-Language", ""))


def _html(text: str, status: int = 200) -> web.Response:
    return web.Response(text=text, status=status, content_type="text/html")


def _file(name: str, kind: str) -> _Handler:
    text = Path(__file__).with_name(name).read_text("utf-8")

    async def handler(_request: web.Request) -> web.StreamResponse:
        return web.Response(text=text, content_type=kind)

    return handler
