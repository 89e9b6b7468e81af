"""A Slack that is the playground but for one thing: its clock, or what it answers."""

from __future__ import annotations

import json
import threading
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, TypeAlias

from tests.conftest import Server

Change: TypeAlias = Callable[[str, dict[str, Any]], None]


def _nothing(method: str, answer: dict[str, Any]) -> None:
    """Leave an answer as it is."""


@contextmanager
def relay(slack: Server, *, behind: int = 0, change: Change = _nothing) -> Iterator[str]:
    """Serve the playground with a clock `behind` by so many seconds; yields its API's address.

    `change` gets each method and its answer, and may alter the answer.
    """

    class Relay(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers.get("content-length") or 0))
            self._relay(body)

        def do_GET(self) -> None:
            self._relay(None)

        def _relay(self, body: bytes | None) -> None:
            kept = ("authorization", "content-type")
            headers = {k: v for k, v in self.headers.items() if k.lower() in kept}
            request = urllib.request.Request(
                f"{slack.url}{self.path}", data=body, headers=headers, method=self.command
            )
            with urllib.request.urlopen(request, timeout=20) as answer:
                content = json.load(answer)
                scopes = answer.headers["x-oauth-scopes"]
            change(self.path.removeprefix("/api/").partition("?")[0], content)
            text = json.dumps(content).encode()
            self.send_response_only(200)
            date = datetime.now(UTC) - timedelta(seconds=behind)
            for name, value in {
                "Date": format_datetime(date, usegmt=True),
                "Content-Type": "application/json",
                "Content-Length": str(len(text)),
                "X-OAuth-Scopes": scopes,
            }.items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(text)

        def log_message(self, *_: Any) -> None:
            return None

    with ThreadingHTTPServer(("127.0.0.1", 0), Relay) as server:
        threading.Thread(target=server.serve_forever, args=(0.05,)).start()
        try:
            yield f"http://127.0.0.1:{server.server_port}/api/"
        finally:
            server.shutdown()
