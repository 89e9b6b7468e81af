"""What a stranger can send to the port: nobody waits for it, and nothing is used up."""

from __future__ import annotations

import asyncio
import gzip
import resource
from collections.abc import AsyncIterator

import pytest
from aiohttp import web

from bot.runtime.http import serving

LENGTH = 900_000
HALF_HEADERS = b"GET /healthz HTTP/1.1\r\nHost: x\r\nX-A: "
HALF_BODY = (
    f"POST /length HTTP/1.1\r\nHost: x\r\nContent-Length: {LENGTH}\r\n\r\n".encode()
    + b"{"
)
WHOLE = b"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n"
MOST_WAITING = 4


class Client:
    """One connection, as bytes."""

    def __init__(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        self.reader = reader
        self.writer = writer

    def send(self, sent: bytes) -> None:
        """Send some bytes."""
        self.writer.write(sent)

    async def status(self) -> int:
        """Return the status of the answer."""
        line = await self.reader.readline()
        await self.reader.readuntil(b"\r\n\r\n")
        return int(line.split()[1])

    async def is_closed(self) -> bool:
        """Wait until the server has closed; return whether it said nothing."""
        try:
            return await self.reader.read() == b""
        except ConnectionError:
            return True


class Server:
    """A server of the app's, with routes that say how long a body is, and that answer when told."""

    def __init__(self) -> None:
        self.port = 0
        self.clients: list[Client] = []
        self.begun = asyncio.Event()
        self.may_answer = asyncio.Event()
        self.application = web.Application()
        self.application.router.add_get("/healthz", self.healthz)
        self.application.router.add_post("/length", self.length)
        self.application.router.add_get("/patient", self.patient)

    async def healthz(self, _: web.Request) -> web.Response:
        """Answer at once."""
        return web.Response(text="alive\n")

    async def length(self, request: web.Request) -> web.Response:
        """Return the number of bytes in the body."""
        return web.Response(text=str(len(await request.read())))

    async def patient(self, _: web.Request) -> web.Response:
        """Answer when the test says so."""
        self.begun.set()
        await self.may_answer.wait()
        return web.Response(text="at last\n")

    async def connect(self, sent: bytes) -> Client:
        """Connect, and send something."""
        client = Client(*await asyncio.open_connection("127.0.0.1", self.port))
        client.send(sent)
        self.clients.append(client)
        return client


@pytest.fixture
async def server(monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Server]:
    """A server with small limits."""
    monkeypatch.setattr("bot.runtime.http._BODY_SECONDS", 0.2)
    monkeypatch.setattr("bot.runtime.http._MOST_WAITING", MOST_WAITING)
    made = Server()
    async with serving(made.application, "127.0.0.1", 0) as made.port:
        yield made
        made.may_answer.set()
        for client in made.clients:
            client.writer.close()


async def test_a_compressed_body_is_taken_as_it_came(server: Server) -> None:
    """Nothing is inflated: what is read, limited and verified is what was sent."""
    body = gzip.compress(b"\0" * 16 * 1024 * 1024)
    head = (
        "POST /length HTTP/1.1\r\nHost: x\r\nContent-Encoding: gzip\r\n"
        f"Content-Length: {len(body)}\r\n\r\n"
    )
    client = await server.connect(head.encode() + body)
    assert await client.status() == 200
    assert (
        await client.reader.readexactly(len(str(len(body)))) == str(len(body)).encode()
    )


async def test_a_body_that_does_not_come_is_not_waited_for(server: Server) -> None:
    """The client is told, and the connection is closed, whichever path it asked for."""
    for path in (b"/length", b"/healthz", b"/nothing"):
        client = await server.connect(HALF_BODY.replace(b"/length", path))
        assert await client.status() == 408
        await client.reader.read()


async def test_half_sent_requests_give_way_to_newer_ones(
    server: Server, caplog: pytest.LogCaptureFixture
) -> None:
    """Of the connections that wait for their client a few are kept, those that came last.

    Nothing is logged: whoever sends half requests would write the log.
    """
    patient = await server.connect(b"GET /patient HTTP/1.1\r\nHost: x\r\n\r\n")
    await server.begun.wait()
    held = []
    for number in range(MOST_WAITING + 3):
        client = await server.connect(HALF_HEADERS if number % 2 else HALF_BODY)
        held.append(client)
    for client in held[:3]:
        assert await client.is_closed()
    whole = await server.connect(WHOLE)
    assert await whole.status() == 200
    # What is being answered does not wait for its client, however old it is.
    server.may_answer.set()
    assert await patient.status() == 200
    assert caplog.records == []


@pytest.mark.parametrize("descriptors", [resource.RLIM_INFINITY, 8])
async def test_the_limit_of_descriptors_is_minded(
    monkeypatch: pytest.MonkeyPatch, descriptors: int
) -> None:
    """A quarter of them waits at most; without a limit a fixed number does."""
    monkeypatch.setattr(resource, "getrlimit", lambda _: (descriptors, descriptors))
    server = Server()
    async with serving(server.application, "127.0.0.1", 0) as server.port:
        held = [await server.connect(HALF_HEADERS) for _ in range(3)]
        whole = await server.connect(WHOLE)
        assert await whole.status() == 200
        if descriptors == 8:
            assert await held[0].is_closed()
        else:
            held[0].send(b"b\r\n\r\n")
            assert await held[0].status() == 200
        for client in server.clients:
            client.writer.close()


async def test_a_connection_that_was_used_waits_again(server: Server) -> None:
    """A connection that is kept alive can be used again, until it has waited longest."""
    client = await server.connect(WHOLE)
    for _ in range(3):
        assert await client.status() == 200
        await client.reader.readline()
        client.send(WHOLE)
    await client.status()
    await client.reader.readline()
    for _ in range(MOST_WAITING):
        await server.connect(HALF_HEADERS)
    assert await client.is_closed()
