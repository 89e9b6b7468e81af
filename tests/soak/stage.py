"""A workspace with two processes of the app in it: one by Socket Mode, one by HTTP."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path

from memory import EmbeddedPostgres
from tests.conftest import open_playground
from tests.kioku_process import Start
from tests.loopback import free_port
from tests.playground import Playground
from tests.soak.replicas import Fleet, Replica

RETRY_DELAYS = "0.2,1,2,4,6,8,10,15,20,30"


@dataclass(frozen=True)
class Stage:
    """Everything of one run."""

    workspace: Playground
    fleet: Fleet
    postgres: EmbeddedPostgres
    conninfo: str


@contextmanager
def stage(
    postgres: EmbeddedPostgres,
    conninfo: str,
    folder: Path,
    start: Start,
    **settings: str,
) -> Iterator[Stage]:
    """Open a playground for an app that has not been started: `Fleet.begin` does it."""
    folder.mkdir(exist_ok=True)
    with open_playground("--retry-delays", RETRY_DELAYS) as slack:
        usual = {
            **slack.slack_settings,
            **slack.model_settings,
            "KIOKU_LOG_LEVEL": "INFO",
            "DATABASE_URL": conninfo,
            "PORT": "0",
            **settings,
        }
        by_socket = {**usual, **slack.socket_settings}
        secret = slack.info["signing_secret"]
        port = free_port()
        by_http = {**usual, "SLACK_SIGNING_SECRET": secret, "PORT": str(port)}
        replicas = [
            Replica("http", ("run",), by_http, folder),
            Replica("socket", ("run",), by_socket, folder),
        ]
        url = f"http://127.0.0.1:{port}/slack/events"
        with closing(Fleet(replicas, start)) as fleet:
            workspace = Playground(slack.url, slack.info)
            workspace.control("delivery", {"mode": "both", "url": url})
            yield Stage(workspace, fleet, postgres, conninfo)
