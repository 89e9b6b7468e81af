"""A Slack that is the playground but for one thing: its clock, or what it answers."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from typing import Any, TypeAlias

from tests.conftest import Server
from tests.loopback import Handler, ThreadServer, fetched

Change: TypeAlias = Callable[[str, dict[str, Any]], None]


def _nothing(method: str, answer: dict[str, Any]) -> None:
    """Leave an answer as it is."""


@contextmanager
def relay(slack: Server, *, behind: int = 0, change: Change = _nothing) -> Iterator[str]:
    """Serve the playground with a clock `behind` by so many seconds; yields its API's address.

    `change` gets each method and its answer, and may alter the answer.
    """

    class Relay(Handler):
        def respond(self) -> None:
            body = None if self.command == "GET" else self.body()
            kept = ("authorization", "content-type")
            headers = {k: v for k, v in self.headers.items() if k.lower() in kept}
            _, answered, told = fetched(f"{slack.url}{self.path}", body, headers, self.command)
            content, scopes = json.loads(told), answered["x-oauth-scopes"]
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

    with closing(ThreadServer(Relay)) as server:
        yield f"{server.url}/api/"
