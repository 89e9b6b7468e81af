"""Ports and servers of the loopback interface."""

from __future__ import annotations

import socket
import threading
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, cast

from aiohttp import web

from bot.runtime.http_server import listening


def free_port() -> int:
    """Return a port that nothing listens on just now."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        return int(server.getsockname()[1])


@asynccontextmanager
async def serving(application: web.Application, **options: Any) -> AsyncIterator[str]:
    """Serve `application` on a free port; yields its address, without a slash at the end.

    `options` are those of aiohttp's `AppRunner`.
    """
    runner = web.AppRunner(application, access_log=None, **options)
    await runner.setup()
    try:
        factory = cast(Callable[[], web.RequestHandler], runner.server)
        async with listening(factory, "127.0.0.1", 0) as port:
            yield f"http://127.0.0.1:{port}"
    finally:
        await runner.cleanup()


class Handler(BaseHTTPRequestHandler):
    """A request of any method to a `ThreadServer`; logs nothing."""

    def respond(self) -> None:
        """Answer the request."""
        raise NotImplementedError

    def do_POST(self) -> None:
        self.respond()

    do_GET = do_HEAD = do_PATCH = do_PUT = do_POST  # noqa: N815

    def body(self) -> bytes:
        """Return the request's body."""
        return self.rfile.read(int(self.headers.get("content-length") or 0))

    def answer(self, status: int, kind: str, body: bytes) -> None:
        """Send a response of the content type `kind`."""
        self.send_response(status)
        self.send_header("content-type", kind)
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        """Say nothing."""


class ThreadServer(ThreadingHTTPServer):
    """Serves on a free port until `close`; `url` is its address, without a slash at the end."""

    def __init__(self, handler: type[Handler]) -> None:
        super().__init__(("127.0.0.1", 0), handler)
        self.url = f"http://127.0.0.1:{self.server_port}"
        self._thread = threading.Thread(target=self.serve_forever, args=(0.05,), daemon=True)
        self._thread.start()

    def close(self) -> None:
        """Stop serving."""
        self.shutdown()
        self.server_close()
        self._thread.join()
