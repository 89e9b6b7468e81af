"""The HTTP server: a limited number of connections, each with deadlines for its header and body.

aiohttp limits neither. Each connection holds a file descriptor: without limits, clients that send
nothing, or one byte a second, use up those that PostgreSQL's and Slack's connections need.
"""

from __future__ import annotations

import asyncio
import logging
import resource
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import cast

from aiohttp import ClientError, web
from aiohttp.http_exceptions import HttpProcessingError

from bot.runtime.problem import cannot_open

log = logging.getLogger(__name__)

HEADER_SECONDS = 10.0
BODY_SECONDS = 10.0
# Longer than the idle timeout of usual reverse proxies (60), so that the proxy closes first.
_KEEP_ALIVE_SECONDS = 75.0
_LINGERING_SECONDS = 1.0
_LAST_REQUESTS_SECONDS = 10.0
_MAX_CONNECTIONS = 256
_BACKLOG = 128
_STEPS_TO_OPEN = 5

_BROKEN_BODY = (ConnectionError, ClientError, HttpProcessingError, web.RequestPayloadError)
_Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


@asynccontextmanager
async def serving(
    application: web.Application, host: str, port: int, setting: str = "PORT"
) -> AsyncIterator[int]:
    """Serve `application` at `host`; yield the port.

    Raises `Problem`, which names the port's `setting`, if it is taken.
    """
    limit = ConnectionLimit(max_connections())
    application.middlewares.append(limit.middleware)
    runner = web.AppRunner(
        application,
        access_log=None,
        shutdown_timeout=_LAST_REQUESTS_SECONDS,
        keepalive_timeout=_KEEP_ALIVE_SECONDS,
        lingering_time=_LINGERING_SECONDS,
    )
    await runner.setup()
    try:
        factory = cast(Callable[[], web.RequestHandler], runner.server)
        connections = listening(lambda: _Connection(limit, factory()), host, port, setting)
        async with connections as bound:
            yield bound
    finally:
        await runner.cleanup()


@asynccontextmanager
async def listening(
    factory: Callable[[], asyncio.BaseProtocol], host: str, port: int, setting: str = "PORT"
) -> AsyncIterator[int]:
    """Accept connections at `host`; yield the port. Raises `Problem` if it is taken.

    The listening sockets are closed when the connections that were accepted are open. A connection
    takes asyncio a few steps to open. One that is accepted in the last of them before
    `Server.close` is never closed (Python 3.11), and one that opens while aiohttp shuts down is
    waited for as if it had sent a request.
    """
    loop = asyncio.get_running_loop()
    try:
        server = await loop.create_server(factory, host, port, backlog=_BACKLOG)
    except OSError as error:
        raise cannot_open(port, error, setting) from None
    try:
        yield server.sockets[0].getsockname()[1]
    finally:
        for one in server.sockets:
            loop.remove_reader(one.fileno())
        try:
            for _ in range(_STEPS_TO_OPEN):
                await asyncio.sleep(0)
        finally:
            server.close()


def max_connections() -> int:
    """Return how many connections are served at a time: a quarter of the file descriptors.

    At least 16, and 256 at most. Up to a backlog more can be open briefly, until they are refused.
    """
    descriptors, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    if descriptors == resource.RLIM_INFINITY:
        return _MAX_CONNECTIONS
    return max(16, min(_MAX_CONNECTIONS, descriptors // 4))


class ConnectionLimit:
    """The open connections, oldest first.

    If there are too many, the oldest one without a complete request is closed in favour of the new
    one. If all of them are being answered, the new one is closed.
    """

    def __init__(self, most: int) -> None:
        self._most = most
        self._open: dict[asyncio.BaseProtocol, _Connection] = {}

    def admit(self, connection: _Connection) -> bool:
        """Add a connection, closing another one if necessary; False at the limit."""
        if len(self._open) >= self._most:
            oldest = self._oldest_without_request()
            if oldest is None:
                log.warning("a connection was refused: all %d are being answered", self._most)
                return False
            log.warning("an incomplete connection was closed: there are %d", self._most)
            oldest.abort()
        self._open[connection.handler] = connection
        return True

    def _oldest_without_request(self) -> _Connection | None:
        waiting = [one for one in self._open.values() if not one.answering]
        # An idle connection of a proxy is worth more than one that never sent a whole request.
        return min(waiting, key=lambda one: one.idle, default=None)

    def remove(self, connection: _Connection) -> None:
        """Remove a connection that is closed."""
        self._open.pop(connection.handler, None)

    @web.middleware
    async def middleware(self, request: web.Request, handler: _Handler) -> web.StreamResponse:
        """Read the body within its deadline; then call the handler, which finds it read."""
        connection = self._open.get(request.protocol)
        if connection is None:  # closed meanwhile
            return web.Response(status=400)
        connection.begin()
        try:
            if request.can_read_body and request.match_info.http_exception is None:
                try:
                    async with asyncio.timeout(BODY_SECONDS):
                        await request.read()
                except TimeoutError:
                    return _closing(408, "The body of the request did not come in time.\n")
                except _BROKEN_BODY:
                    return _closing(400, "The body of the request is broken off.\n")
            connection.answering = True
            return await handler(request)
        finally:
            connection.end()


def _closing(status: int, text: str) -> web.Response:
    response = web.Response(status=status, text=text)
    response.force_close()
    return response


class _Connection(asyncio.Protocol):
    """aiohttp's protocol for one connection, with a deadline for each header."""

    def __init__(self, limit: ConnectionLimit, handler: web.RequestHandler) -> None:
        self.handler = handler
        self.answering = False
        self.idle = False
        self._limit = limit
        self._in_request = False
        self._admitted = False
        self._transport: asyncio.Transport | None = None
        self._deadline: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)
        self._admitted = self._limit.admit(self)
        if not self._admitted:
            self._transport.abort()
            return
        self._await_header()
        self.handler.connection_made(transport)

    def data_received(self, data: bytes) -> None:
        if not self._admitted:
            return
        if not self._in_request and self._deadline is None:
            self._await_header()
        self.handler.data_received(data)

    def eof_received(self) -> None:
        if self._admitted:
            self.handler.eof_received()

    def pause_writing(self) -> None:
        self.handler.pause_writing()

    def resume_writing(self) -> None:
        self.handler.resume_writing()

    def connection_lost(self, exc: Exception | None) -> None:
        self._cancel_deadline()
        if self._admitted:
            self._limit.remove(self)
            self.handler.connection_lost(exc)

    def begin(self) -> None:
        """A request's header is complete."""
        self._in_request, self.idle = True, False
        self._cancel_deadline()

    def end(self) -> None:
        """The request is answered; another may follow."""
        self._in_request = self.answering = False
        self.idle = True

    def abort(self) -> None:
        """Close the connection at once, whatever is in progress."""
        self._limit.remove(self)
        if self._transport is not None:
            self._transport.abort()

    def _await_header(self) -> None:
        self.idle = False
        loop = asyncio.get_running_loop()
        self._deadline = loop.call_later(HEADER_SECONDS, self.abort)

    def _cancel_deadline(self) -> None:
        if self._deadline is not None:
            self._deadline.cancel()
            self._deadline = None
