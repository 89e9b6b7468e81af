"""The real app as a process, ``python -m bot run``, against a playground and a database."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Literal, TypeAlias

from memory import EmbeddedPostgres
from tests.conftest import Server, open_playground
from tests.databases import fresh_database, login_of
from tests.kioku_process import Running, Start, forked
from tests.loopback import fetched
from tests.waiting import wait_until

Mode: TypeAlias = Literal["socket", "http"]


class App(Running):
    """One ``python -m bot run``; what it prints and logs goes to `log`."""

    def __init__(self, slack: Server, conninfo: str, mode: Mode, log: Path) -> None:
        super().__init__(log)
        self.slack = slack
        self.conninfo = conninfo
        self.mode: Mode = mode

    def start(self, how: Start = forked, /, **settings: str) -> None:
        """Start it and return when it says that it is ready; `settings` override the usual."""
        self.run(how, self.log.parent, ["run"], {**self.settings(), **settings})
        try:
            wait_until(lambda: self.listens() or not self.runs(), "a ready app")
        finally:
            assert self.port, f"The app did not start: {self.errors}"
        if self.mode == "http":
            url = f"http://127.0.0.1:{self.port}/slack/events"
            self.slack.call("/_playground/delivery", {"mode": "http", "url": url})

    def settings(self) -> dict[str, str]:
        """Return what it is started with."""
        return {
            **(self.slack.socket_settings if self.mode == "socket" else self._signed()),
            **self.slack.model_settings,
            "KIOKU_FORMATION_DELAY": "0.05",
            "KIOKU_LOG_LEVEL": "DEBUG",
            "DATABASE_URL": login_of(self.conninfo),
            "PORT": "0",
        }

    def _signed(self) -> dict[str, str]:
        secret = self.slack.info["signing_secret"]
        return {**self.slack.slack_settings, "SLACK_SIGNING_SECRET": secret}

    def get(self, path: str) -> tuple[int, str]:
        """Return status and body of a page of its own HTTP server."""
        return self.post(path, None, {})

    def post(
        self, path: str, body: bytes | None, headers: Mapping[str, str]
    ) -> tuple[int, str]:
        """Send a body to its own HTTP server; return status and text."""
        status, _, text = fetched(f"http://127.0.0.1:{self.port}{path}", body, headers)
        return status, text.decode()


@contextmanager
def running(
    slack: Server, conninfo: str, mode: Mode, log: Path, **settings: str
) -> Iterator[App]:
    """Run the app; it ends cleanly afterwards unless the test ended it."""
    with closing(App(slack, conninfo, mode, log)) as app:
        app.start(**settings)
        yield app


@contextmanager
def own_app(
    postgres: EmbeddedPostgres,
    log: Path,
    mode: Mode = "socket",
    *,
    retry_delays: str = "0.2,1,3,5",
    **settings: str,
) -> Iterator[App]:
    """Run the app with a playground and a database of its own."""
    with (
        open_playground("--retry-delays", retry_delays) as slack,
        fresh_database(postgres) as conninfo,
        running(slack, conninfo, mode, log, **settings) as app,
    ):
        yield app
