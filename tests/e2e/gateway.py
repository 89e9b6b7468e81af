"""A gateway to the model that can hold requests, and records which process asked what."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from email.message import Message

from tests.loopback import Handler, ThreadServer, fetched


class Gateway:
    """Passes requests on to `upstream`, when `open` is set; `seen` is called with each first."""

    def __init__(self, upstream: str) -> None:
        self.upstream = upstream
        self.open = threading.Event()
        self.open.set()
        self.seen: Callable[[str], None] = lambda body: None
        self.base_url = ""

    def answer(
        self, path: str, body: bytes, headers: Message
    ) -> tuple[int, str, bytes]:
        """Return status, content type and body of what the model answers."""
        self.seen(body.decode())
        self.open.wait()
        passed = {name: headers[name] for name in ("content-type", "authorization")}
        status, answered, text = fetched(
            f"{self.upstream.removesuffix('/v1')}{path}", body, passed
        )
        return status, answered["content-type"], text


@contextmanager
def gateway(upstream: str) -> Iterator[Gateway]:
    """Serve a gateway on a free port of the loopback interface."""
    passing = Gateway(upstream)

    class Passing(Handler):
        def respond(self) -> None:
            try:
                self.answer(*passing.answer(self.path, self.body(), self.headers))
            except (ConnectionError, TimeoutError):
                # The process that asked has ended.
                self.close_connection = True

    with closing(ThreadServer(Passing)) as server:
        passing.base_url = f"{server.url}/v1"
        try:
            yield passing
        finally:
            passing.seen = lambda body: None
            passing.open.set()
