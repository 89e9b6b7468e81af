"""Ports, servers and requests of the loopback interface."""

from __future__ import annotations

import http.client
import io
import json
import random
import socket
import threading
import urllib.error
import urllib.request
from collections.abc import AsyncIterator, Mapping
from contextlib import ExitStack, asynccontextmanager, suppress
from email.message import Message
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from aiohttp import web

_idle: dict[str, list[http.client.HTTPConnection]] = {}


def free_port(neighbours: int = 1) -> int:
    """Return the first of so many neighbouring ports that nothing listens on just now.

    They are for later use: the kernel assigns none of this range to a process that asks for any
    free port, and tests that run at the same time choose at random.
    """
    for port in random.sample(range(20_000, 30_000, neighbours), 100):
        with suppress(OSError), ExitStack() as bound:
            for number in range(neighbours):
                bound.enter_context(socket.create_server(("127.0.0.1", port + number)))
            return port
    raise AssertionError("No port is free.")


def call(
    url: str, body: Any = None, method: str | None = None, *, token: str | None = None
) -> Any:
    """Send JSON, and return that of the answer; raises `urllib.error.HTTPError`.

    A connection that a server has kept open is used again.
    """
    address, slash, path = url.removeprefix("http://").partition("/")
    data = None if body is None else json.dumps(body).encode()
    headers = {"content-type": "application/json; charset=utf-8"}
    if token is not None:
        headers["authorization"] = f"Bearer {token}"
    method = method or ("GET" if data is None else "POST")
    idle = _idle.setdefault(address, [])
    while True:
        known = True
        try:
            connection = idle.pop()
        except IndexError:
            known = False
            connection = http.client.HTTPConnection(address, timeout=60)
        try:
            connection.request(method, slash + path, data, headers)
            answer = connection.getresponse()
            text = answer.read()
        except (OSError, http.client.HTTPException) as error:
            connection.close()
            if known and not isinstance(error, TimeoutError):
                continue  # the server closed it meanwhile, or another one has the port
            raise
        break
    if answer.will_close:
        connection.close()
    else:
        idle.append(connection)
    if answer.status >= 400:
        raise urllib.error.HTTPError(
            url, answer.status, answer.reason, answer.headers, io.BytesIO(text)
        )
    return json.loads(text) if text else None


def close_idle() -> None:
    """Close the connections that `call` has kept."""
    while _idle:
        for connection in _idle.popitem()[1]:
            connection.close()


def fetched(
    url: str,
    body: bytes | None = None,
    headers: Mapping[str, str] | None = None,
) -> tuple[int, Message, bytes]:
    """Return the status, the headers and the body of an answer, whatever its status."""
    request = urllib.request.Request(url, body, dict(headers or {}))
    try:
        with urllib.request.urlopen(request, timeout=60) as answer:
            return answer.status, answer.headers, answer.read()
    except urllib.error.HTTPError as refused:
        with refused:
            return refused.code, refused.headers, refused.read()


@asynccontextmanager
async def serving(application: web.Application, **options: Any) -> AsyncIterator[str]:
    """Serve `application` on a free port; yields its address, without a slash at the end.

    `options` are those of aiohttp's `AppRunner`.
    """
    runner = web.AppRunner(application, access_log=None, **options)
    await runner.setup()
    try:
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        yield f"http://127.0.0.1:{runner.addresses[0][1]}"
    finally:
        await runner.cleanup()


def pass_on(client: socket.socket, unix_socket: str) -> None:
    """Connect a client with a Unix socket, both ways, until one of them ends."""
    with socket.socket(socket.AF_UNIX) as server:
        server.connect(unix_socket)
        back = threading.Thread(target=_pump, args=(server, client), daemon=True)
        back.start()
        _pump(client, server)
        back.join()


def _pump(source: socket.socket, target: socket.socket) -> None:
    with suppress(OSError):
        while data := source.recv(65_536):
            target.sendall(data)
    with suppress(OSError):
        target.shutdown(socket.SHUT_WR)


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
        self._thread = threading.Thread(
            target=self.serve_forever, args=(0.05,), daemon=True
        )
        self._thread.start()

    def close(self) -> None:
        """Stop serving."""
        self.shutdown()
        self.server_close()
        self._thread.join()
