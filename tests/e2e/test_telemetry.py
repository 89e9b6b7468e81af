"""No process of the app sends telemetry, whatever the environment says: only configured hosts."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from memory import EmbeddedPostgres
from tests.collector import TRUE_NAMES, Collector
from tests.conftest import Server, open_playground
from tests.databases import fresh_database
from tests.e2e.app import App
from tests.e2e.world import World
from tests.fork_server import SOURCES
from tests.kioku_process import fresh

pytestmark = pytest.mark.slow


@pytest.fixture
def collector() -> Iterator[Collector]:
    """A telemetry server."""
    with closing(Collector()) as served:
        yield served


HOOK = """
import os, sys

def _hook(event, arguments):
    if event == "socket.connect":
        line = f"connect {arguments[1]!r}"
    elif event == "socket.getaddrinfo":
        line = f"lookup {arguments[0]!r}"
    else:
        return
    with open(os.environ["RECORDED_CONNECTIONS"], "a") as file:
        file.write(line + "\\n")

sys.addaudithook(_hook)
"""


@contextmanager
def recorded_app(
    slack: Server, conninfo: str, folder: Path, **settings: str
) -> Iterator[App]:
    """Run the app by its true command line, with an audit hook that records its connections."""
    (folder / "hook").mkdir()
    (folder / "hook" / "sitecustomize.py").write_text(HOOK)
    given = {
        **settings,
        "PYTHONPATH": f"{folder / 'hook'}{os.pathsep}{SOURCES}",
        "RECORDED_CONNECTIONS": str(folder / "recorded"),
    }
    with closing(App(slack, conninfo, "socket", folder / "log")) as app:
        app.start(fresh, **given)
        yield app
        assert app.terminate() == 0


def test_the_app_connects_to_configured_hosts_only(
    postgres: EmbeddedPostgres, collector: Collector, tmp_path: Path
) -> None:
    """No name switches tracing on: a turn and a formation connect to Slack and the model alone.

    libpq's connection to PostgreSQL is opened in C and not seen here; asyncio's own pairs of
    sockets have no address.
    """
    more = ("LANGSMITH_OTEL_ENABLED", "LANGSMITH_OTEL_ONLY", "LANGSMITH_GATEWAY")
    settings = collector.settings(*TRUE_NAMES, *more, "ANTHROPIC_OPEN_TELEMETRY")
    with (
        open_playground("--retry-delays", "0.2,1,3,5") as slack,
        fresh_database(postgres) as conninfo,
        recorded_app(slack, conninfo, tmp_path, **settings) as app,
    ):
        world = World(app)
        ann = world.human()
        ann.ask("I love ramen")
        assert len(world.formed(ann)) == 1
    recorded = (tmp_path / "recorded").read_text().splitlines()
    allowed = {
        urlsplit(str(slack.info[name])).port
        for name in ("slack_api_url", "openai_base_url")
    }
    connected = {line for line in recorded if line.startswith("connect ")}
    assert connected == {f"connect ('127.0.0.1', {port})" for port in allowed}
    assert {line for line in recorded if line.startswith("lookup ")} <= {
        "lookup '127.0.0.1'",
        "lookup '0.0.0.0'",
        "lookup b'127.0.0.1'",
    }
    # LangSmith's client sends what is left when its process ends.
    assert collector.requests == []
