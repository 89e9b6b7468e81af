"""The real app as a process, ``python -m bot run``, against a playground and a database."""

from __future__ import annotations

import os
import re
import signal
import subprocess
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Literal, TypeAlias

from memory import EmbeddedPostgres
from tests import fork_server
from tests.conftest import (
    HOSTILE,
    ROOT,
    Server,
    fresh_database,
    json_server,
    login_of,
    open_playground,
)
from tests.fork_server import Process
from tests.loopback import fetched

Mode: TypeAlias = Literal["socket", "http"]

_READY = re.compile(r"Kioku is ready on port (\d+)\.")
_READY_TRIES = 1_500


class App:
    """One ``python -m bot run``; what it prints and logs goes to `log`."""

    def __init__(self, slack: Server, conninfo: str, mode: Mode, log: Path) -> None:
        self.slack = slack
        self.conninfo = conninfo
        self.mode: Mode = mode
        self.log = log
        self.port = 0
        self.hostile: Server | None = None
        self.process: Process

    def start(self, **settings: str) -> None:
        """Start it and return when it says that it is ready; `settings` override the usual."""
        begin = self.log.stat().st_size if self.log.exists() else 0
        with self.log.open("ab") as log:
            self.process = fork_server.start(
                "bot",
                "run",
                cwd=self.log.parent,
                env={**os.environ, "PYTHONPATH": str(ROOT), **self.settings(), **settings},
                stdout=log,
                stderr=log,
            )
        for _ in range(_READY_TRIES):
            if found := _READY.search(self.said(begin)):
                self.port = int(found[1])
                break
            assert self.pause(), f"The app ended instead of starting: {self.said(begin)}"
        else:
            raise AssertionError(f"The app was not ready in time: {self.said(begin)}")
        if self.mode == "http":
            url = f"http://127.0.0.1:{self.port}/slack/events"
            self.slack.call("/_playground/delivery", {"mode": "http", "url": url, "verify": True})

    def settings(self) -> dict[str, str]:
        """Return what it is started with."""
        return {
            **(self.slack.socket_settings if self.mode == "socket" else self._signed()),
            **(self.hostile or self.slack).model_settings,
            "KIOKU_FORMATION_DELAY": "0.05",
            "KIOKU_LOG_LEVEL": "DEBUG",
            "DATABASE_URL": login_of(self.conninfo),
            "PORT": "0",
        }

    def _signed(self) -> dict[str, str]:
        secret = self.slack.info["signing_secret"]
        return {**self.slack.slack_settings, "SLACK_SIGNING_SECRET": secret}

    def pause(self) -> bool:
        """Wait for its end, a moment at most; True while it runs."""
        try:
            self.process.wait(0.02)
        except subprocess.TimeoutExpired:
            return True
        return False

    def said(self, begin: int = 0) -> str:
        """Return what it has printed and logged from byte `begin` on."""
        with self.log.open("rb") as log:
            log.seek(begin)
            return log.read().decode(errors="replace")

    def get(self, path: str) -> tuple[int, str]:
        """Return status and body of a page of its own HTTP server."""
        return self.post(path, None, {})

    def post(self, path: str, body: bytes | None, headers: Mapping[str, str]) -> tuple[int, str]:
        """Send a body to its own HTTP server; return status and text."""
        status, _, text = fetched(f"http://127.0.0.1:{self.port}{path}", body, headers)
        return status, text.decode()

    def kill(self) -> None:
        """End it as a crash would: it cannot finish anything."""
        self.process.kill()
        self.process.wait(20)

    def terminate(self) -> int:
        """End it as a server manager would; returns its exit code."""
        self.process.send_signal(signal.SIGTERM)
        return self.process.wait(60)


@contextmanager
def running(slack: Server, conninfo: str, mode: Mode, log: Path, **settings: str) -> Iterator[App]:
    """Run the app; it ends cleanly afterwards unless the test ended it.

    With `HOSTILE` in the environment its model is `tests.hostile.model`, a proxy of the stand-in.
    """
    with ExitStack() as stack:
        app = App(slack, conninfo, mode, log)
        if os.environ.get(HOSTILE):
            proxy = json_server("tests.hostile.model", slack.openai_base_url)
            app.hostile = stack.enter_context(proxy)
        yield from _started(app, settings)


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


def _started(app: App, settings: dict[str, str]) -> Iterator[App]:
    try:
        app.start(**settings)
        yield app
    finally:
        if app.process.poll() is None:
            app.terminate()
