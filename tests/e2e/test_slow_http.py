"""Clients that never finish their requests: the app answers Slack meanwhile, and logs little."""

from __future__ import annotations

import json
import resource
import socket
import threading
from collections.abc import Iterator
from contextlib import ExitStack, closing, contextmanager

import psutil  # type: ignore[import-untyped]
import pytest

from memory import EmbeddedPostgres
from tests.e2e.app import App, own_app
from tests.e2e.signed import signed_headers
from tests.e2e.world import World

pytestmark = pytest.mark.slow

CONNECTIONS = 1_500
DESCRIPTORS = 1_024
LOGGED = 100_000  # bytes
HEADER = b"POST /slack/events HTTP/1.1\r\nHost: kioku.example\r\nX-Padding: "
BODY = b"POST /slack/events HTTP/1.1\r\nHost: kioku.example\r\nContent-Length: 100\r\n\r\n{"
SILENT = b""


@pytest.fixture(scope="module")
def served(postgres: EmbeddedPostgres, tmp_path_factory: pytest.TempPathFactory) -> Iterator[App]:
    """An app over HTTP with the usual limit of file descriptors."""
    log = tmp_path_factory.mktemp("slow") / "log"
    with own_app(postgres, log, "http") as app:
        _, most = resource.prlimit(app.process.pid, resource.RLIMIT_NOFILE)
        resource.prlimit(app.process.pid, resource.RLIMIT_NOFILE, (DESCRIPTORS, most))
        yield app


@pytest.fixture
def world(served: App) -> Iterator[World]:
    """The workspace of that app."""
    with closing(World(served)) as lived_in:
        lived_in.calm()
        yield lived_in


@contextmanager
def many_descriptors() -> Iterator[None]:
    """Let the test itself hold as many sockets as it needs."""
    before = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(4_096, before[1]), before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, before)


def opened(app: App, begin: bytes) -> socket.socket:
    """Open a connection and send a beginning."""
    connection = socket.create_connection(("127.0.0.1", app.port), timeout=20)
    connection.sendall(begin)
    return connection


def ended(connection: socket.socket) -> bool:
    """Return whether the app has closed a connection."""
    connection.setblocking(False)
    try:
        return connection.recv(4_096) == b""
    except BlockingIOError:
        return False
    except OSError:
        return True


def descriptors(app: App) -> int:
    """Return how many file descriptors the app holds."""
    return int(psutil.Process(app.process.pid).num_fds())


def test_half_open_connections_keep_nobody_waiting(world: World) -> None:
    """With 1,500 unfinished headers and bodies, people are answered and descriptors are left."""
    app, before = world.app, descriptors(world.app)
    logged = app.log.stat().st_size
    slow: list[socket.socket] = []
    stop = threading.Event()

    def trickle() -> None:
        """Send one byte a second on each connection that is open."""
        while not stop.wait(1.0):
            for connection in slow:
                try:
                    connection.send(b"a", socket.MSG_DONTWAIT)
                except OSError:
                    continue

    with many_descriptors(), ExitStack() as stack:
        for number in range(CONNECTIONS):
            connection = opened(app, (HEADER, BODY, SILENT)[number % 3])
            stack.enter_context(connection)
            if number % 2:
                slow.append(connection)
        trickling = threading.Thread(target=trickle)
        trickling.start()
        try:
            assert app.get("/healthz")[0] == 200
            assert "ramen" in world.ask(world.human(), "I love ramen").text
            assert descriptors(app) < DESCRIPTORS // 2
            assert app.get("/readyz")[0] == 200
            # Neither silence nor a byte a second keeps a connection open.
            world.until(lambda: descriptors(app) <= before + 20, "an end of the connections", 40)
        finally:
            stop.set()
            trickling.join()
    assert app.log.stat().st_size - logged < LOGGED
    assert "Traceback" not in app.said(logged)
    assert world.ask(world.human(), "I love tempura").text


@pytest.mark.parametrize(
    ("begin", "answer"), [(HEADER, b""), (SILENT, b""), (BODY, b"HTTP/1.1 408")]
)
def test_an_unfinished_request_is_ended(world: World, begin: bytes, answer: bytes) -> None:
    """A header that is not complete in ten seconds, or a body, ends its connection."""
    with closing(opened(world.app, begin)) as connection:
        connection.settimeout(30)
        try:
            received = connection.recv(4_096)
        except ConnectionResetError:
            received = b""
        assert received.startswith(answer)
        assert bool(received) == bool(answer)


def test_the_next_request_on_a_connection_has_a_deadline_too(world: World) -> None:
    """After a whole request an idle connection stays open; an unfinished next header does not."""
    whole = b"GET /healthz HTTP/1.1\r\nHost: kioku.example\r\n\r\n"
    with (
        closing(opened(world.app, whole)) as idle,
        closing(opened(world.app, whole)) as unfinished,
    ):
        for connection in (idle, unfinished):
            assert connection.recv(4_096).startswith(b"HTTP/1.1 200")
        unfinished.sendall(HEADER)
        world.until(lambda: ended(unfinished), "an end of the connection")
        idle.setblocking(True)
        idle.sendall(whole)
        assert idle.recv(4_096).startswith(b"HTTP/1.1 200")


def test_a_body_that_breaks_off_is_no_error(world: World) -> None:
    """A client that hangs up in the middle of its body leaves no traceback in the log."""
    begin = world.app.log.stat().st_size
    for _ in range(50):
        opened(world.app, BODY).close()
    body = json.dumps({"type": "url_verification", "challenge": "c"}).encode()
    headers = signed_headers(world, body)
    lines = [f"{name}: {value}" for name, value in headers.items()]
    head = "\r\n".join(["POST /slack/events HTTP/1.1", "Host: x", *lines])
    request = f"{head}\r\nContent-Length: {len(body)}\r\n\r\n".encode()
    with closing(opened(world.app, request + body[:5])) as connection:
        connection.sendall(body[5:])
        assert connection.recv(4_096).startswith(b"HTTP/1.1 200")
    with closing(opened(world.app, b"this is no HTTP\r\n\r\n")) as connection:
        assert connection.recv(4_096).startswith(b"HTTP/1.0 400")
    assert "error" not in world.app.said(begin)
