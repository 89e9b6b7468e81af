"""The HTTP server, to be run behind a TLS proxy: Slack's signed requests, and health."""

from __future__ import annotations

import asyncio
import logging
import resource
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

from aiohttp import web
from aiohttp.typedefs import Handler
from slack_bolt.adapter.aiohttp import to_aiohttp_response, to_bolt_request
from slack_bolt.async_app import AsyncApp

from bot.logs import StandingWarnings, fault
from bot.queue.pulse import Pulse
from bot.runtime.problems import cannot_open
from bot.runtime.signatures import SignatureCheck
from bot.slack.messages import UNREADABLE

log = logging.getLogger(__name__)

# Longer than the idle timeout of usual reverse proxies (60), so that the proxy closes first.
_KEEP_ALIVE_SECONDS = 75.0
_LAST_REQUESTS_SECONDS = 10.0
# Slack waits three seconds for an answer.
_BODY_SECONDS = 3.0
# How long data is still read after an answer, so that the client sees the answer.
_LINGERING_SECONDS = 1.0
# A body has at most a megabyte, and this many may be in memory before they are verified.
_MOST_WAITING = 128
# Connections accepted in one turn of the event loop, before the oldest can be closed.
_BACKLOG = 64
_READY_SECONDS = 2.0
READY = "ready"
WARNING = "Warning: "
"""The beginning of each further line of ``/readyz``."""


class Readiness:
    """Whether the process is ready, as found by a check in the last `seconds`.

    However many callers ask, checks run one at a time, and not within `seconds` of the last one.
    """

    def __init__(
        self,
        find_problem: Callable[[], Awaitable[str | None]],
        *,
        seconds: float = _READY_SECONDS,
    ) -> None:
        self._find_problem = find_problem
        self._seconds = seconds
        self._lock = asyncio.Lock()
        self._checked_at = float("-inf")
        self._problem: str | None = None

    async def problem(self) -> str | None:
        """Return one sentence about what keeps the process from being ready, or None."""
        async with self._lock:
            if time.monotonic() - self._checked_at >= self._seconds:
                self._problem = await self._find_problem()
                self._checked_at = time.monotonic()
            return self._problem


def create_web_app(
    readiness: Readiness,
    pulse: Pulse,
    app: AsyncApp,
    warnings: StandingWarnings,
    signing_secret: str | None = None,
) -> web.Application:
    """Return the application: ``/healthz``, ``/readyz``, and Slack's route if a secret is given.

    ``/healthz`` fails once the workers have neither sent a heartbeat nor begun again for two
    minutes. ``/readyz`` shows `warnings`, too, but they leave the process ready. Bolt's own web
    application is not used, because it logs the bodies of unsigned requests.
    """
    application = web.Application()

    async def healthz(_: web.Request) -> web.Response:
        if pulse.is_dead():
            return web.Response(text="The workers hang: restart Kioku.\n", status=503)
        return web.Response(text="alive\n")

    async def readyz(_: web.Request) -> web.Response:
        problem = await readiness.problem()
        text = f"{problem or READY}\n"
        for sentence in warnings.sentences:
            text += f"{WARNING}{sentence}\n"
        return web.Response(text=text, status=503 if problem else 200)

    application.router.add_get("/healthz", healthz)
    application.router.add_get("/readyz", readyz)
    if signing_secret is None:
        return application
    signatures = SignatureCheck(signing_secret, warnings)

    async def slack(request: web.Request) -> web.Response:
        """Let Bolt answer a request that Slack signed lately; acknowledge an unreadable one."""
        if not signatures.accept(await request.read(), request.headers):
            return web.Response(
                status=401, text="The request is not signed by Slack.\n"
            )
        try:
            answer = await app.async_dispatch(await to_bolt_request(request))
        except UNREADABLE as error:
            log.warning("a request from Slack could not be read: %s", fault(error))
            return web.Response()
        return await to_aiohttp_response(answer)

    application.router.add_post("/slack/events", slack)
    return application


class _Waiting:
    """The connections that wait for data from their clients, at most `most` of them.

    A connection waits until a whole request has come, and again after the answer. If too many wait,
    the one that has waited longest is closed, so a client that sends whole requests is served, and
    none can use up the descriptors or the memory of the process.
    """

    def __init__(self, most: int) -> None:
        self._most = most
        # A dict keeps the order in which they began to wait.
        self._connections: dict[web.RequestHandler, None] = {}

    def add(self, connection: web.RequestHandler) -> None:
        """Let a connection wait; if too many do, close the one that has waited longest."""
        self._connections[connection] = None
        if len(self._connections) > self._most:
            longest = next(iter(self._connections))
            self.discard(longest)
            longest.force_close()

    def discard(self, connection: web.RequestHandler) -> None:
        """Let a connection wait no longer."""
        self._connections.pop(connection, None)

    @web.middleware
    async def receive(
        self, request: web.Request, handler: Handler
    ) -> web.StreamResponse:
        """Let `handler` answer a request once all of it has come; a slow body is refused."""
        try:
            async with asyncio.timeout(_BODY_SECONDS):
                await request.read()
        except TimeoutError:
            raise web.HTTPRequestTimeout(
                text="The body did not come in time.\n"
            ) from None
        # The client has gone, or the connection was closed, which is no error of the app.
        except ConnectionError:
            raise web.HTTPBadRequest(text="The body did not come whole.\n") from None
        self.discard(request.protocol)
        try:
            return await handler(request)
        finally:
            if request.transport is not None:
                self.add(request.protocol)


class _Connection(web.RequestHandler):
    """A connection that counts as waiting, except while it is answered."""

    __slots__ = ("_waiting",)

    def __init__(self, server: web.Server, waiting: _Waiting) -> None:
        super().__init__(
            server,
            loop=asyncio.get_running_loop(),
            access_log=None,  # type: ignore[arg-type] # as `web.AppRunner` does by default
            # Inflating a megabyte can take seconds, and Slack compresses nothing.
            auto_decompress=False,
            keepalive_timeout=_KEEP_ALIVE_SECONDS,
            lingering_time=_LINGERING_SECONDS,
        )
        self._waiting = waiting

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        super().connection_made(transport)
        self._waiting.add(self)

    def connection_lost(self, exc: BaseException | None) -> None:
        self._waiting.discard(self)
        super().connection_lost(exc)


@asynccontextmanager
async def serving(
    application: web.Application, host: str, port: int, setting: str = "PORT"
) -> AsyncIterator[int]:
    """Serve `application` at `host` and `port`, set by `setting`; yield the port.

    Raises `Problem`.
    """
    most = _MOST_WAITING
    descriptors, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    if descriptors != resource.RLIM_INFINITY:  # a negative number, on Linux
        most = min(most, descriptors // 4)
    waiting = _Waiting(most)
    application.middlewares.append(waiting.receive)
    runner = web.AppRunner(application, shutdown_timeout=_LAST_REQUESTS_SECONDS)
    await runner.setup()
    server = runner.server
    assert server is not None  # noqa: S101 - `setup` has made it
    loop = asyncio.get_running_loop()
    try:
        try:
            listener = await loop.create_server(
                lambda: _Connection(server, waiting), host, port, backlog=_BACKLOG
            )
        except (OSError, UnicodeError) as error:
            raise cannot_open(host, port, error, setting) from None
        try:
            yield int(listener.sockets[0].getsockname()[1])
        finally:
            listener.close()
    finally:
        await runner.cleanup()
