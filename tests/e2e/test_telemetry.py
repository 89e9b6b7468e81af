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
from tests.e2e.app import App, running
from tests.e2e.world import World
from tests.fork_server import SOURCES
from tests.kioku_process import fresh

pytestmark = pytest.mark.slow


@pytest.fixture
def collector() -> Iterator[Collector]:
    """A telemetry server."""
    with closing(Collector()) as served:
        yield served


@pytest.fixture(scope="module")
def workspace() -> Iterator[Server]:
    """A playground for this module's apps, one after the other."""
    with open_playground("--retry-delays", "0.2,1,3,5") as slack:
        yield slack


def live(app: App) -> None:
    """Let a person be answered, and a memory be formed."""
    world = World(app)
    ann = world.human()
    ann.ask("I love ramen")
    assert len(world.formed(ann)) == 1


def test_no_name_switches_tracing_on(
    workspace: Server,
    postgres: EmbeddedPostgres,
    collector: Collector,
    tmp_path: Path,
) -> None:
    """A turn and a formation send nothing to LangSmith, and work, with all names set."""
    more = ("LANGSMITH_OTEL_ENABLED", "LANGSMITH_OTEL_ONLY", "ANTHROPIC_OPEN_TELEMETRY")
    with fresh_database(postgres) as conninfo:
        settings = collector.settings(*TRUE_NAMES, *more)
        log = tmp_path / "log"
        with running(workspace, conninfo, "socket", log, **settings) as app:
            live(app)
            # LangSmith's client sends what is left when its process ends.
            assert app.terminate() == 0
    assert collector.requests == []


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
def recorded_app(slack: Server, conninfo: str, folder: Path, **settings: str) -> Iterator[App]:
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
    workspace: Server, postgres: EmbeddedPostgres, collector: Collector, tmp_path: Path
) -> None:
    """Every connection Python opens leads to Slack's or the model's address; nothing is looked up.

    libpq's connection to PostgreSQL is opened in C and not seen here; asyncio's own pairs of
    sockets have no address.
    """
    settings = collector.settings(*TRUE_NAMES, "LANGSMITH_OTEL_ENABLED", "LANGSMITH_GATEWAY")
    with (
        fresh_database(postgres) as conninfo,
        recorded_app(workspace, conninfo, tmp_path, **settings) as app,
    ):
        live(app)
    recorded = (tmp_path / "recorded").read_text().splitlines()
    allowed = {
        urlsplit(str(workspace.info[name])).port for name in ("slack_api_url", "openai_base_url")
    }
    connected = {line for line in recorded if line.startswith("connect ")}
    assert connected == {f"connect ('127.0.0.1', {port})" for port in allowed}
    assert {line for line in recorded if line.startswith("lookup ")} <= {
        "lookup '127.0.0.1'",
        "lookup '0.0.0.0'",
        "lookup b'127.0.0.1'",
    }
    assert collector.requests == []
