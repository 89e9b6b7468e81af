"""The real app in a real playground, by Socket Mode and by signed HTTP."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing, contextmanager
from pathlib import Path
from typing import Any

import pytest

from memory import EmbeddedPostgres
from tests.conftest import HOSTILE, Server
from tests.e2e.app import App, Mode, own_app
from tests.e2e.world import World
from tests.hostile.invariants import plant, violations

_HOSTILE_RUN = bool(os.environ.get(HOSTILE))

AppOf = Callable[[Mode], App]
Record = Callable[[str, object], None]


@pytest.fixture(scope="session")
def app_of(postgres: EmbeddedPostgres, tmp_path_factory: pytest.TempPathFactory) -> Iterator[AppOf]:
    """The session's app for each mode, started when it is first asked for.

    By HTTP it has one database connection for all its work.
    """
    with ExitStack() as stack:
        apps: dict[Mode, App] = {}

        def get(mode: Mode) -> App:
            if mode not in apps:
                log = tmp_path_factory.mktemp(f"app-{mode}") / "log"
                apps[mode] = stack.enter_context(own_app(postgres, log, mode))
            return apps[mode]

        yield get


@contextmanager
def _lived_in(app: App, record: Record) -> Iterator[World]:
    """A world that is calm before and after, and whose log quotes nobody."""
    with closing(World(app)) as world:
        world.calm()
        if app.hostile:
            yield from _attacked(world, app.hostile, record)
            return
        yield world
        world.calm()
        world.settled()
        assert world.leaks() == []


def _attacked(world: World, hostile: Server, record: Record) -> Iterator[World]:
    """A workspace whose model is hostile; at the end it checks that no attack succeeded."""
    plant(world)
    before = hostile.call("/seen")
    yield world
    # A test that ended otherwise may have ended its app: what was stored and sent is judged anyway.
    if world.app.runs():
        world.calm()
        world.settled()
    after = hostile.call("/seen")
    record("attacks", after["attacks"] - before["attacks"])
    assert after["faults"] == 0
    assert violations(world, after["leaks"][len(before["leaks"]) :]) == []


def pytest_terminal_summary(terminalreporter: Any) -> None:
    """Report what a hostile model did, if there was one."""
    if not _HOSTILE_RUN:
        return
    ended = Counter[str]()
    for reports in terminalreporter.stats.values():
        for report in reports:
            for name, value in getattr(report, "user_properties", ()):
                # A report holds what the earlier phases of its test recorded, too.
                if report.when == "teardown":
                    ended[name] += int(value)
    terminalreporter.write_line(
        f"hostile model: {ended['attacks']} attacks, {ended['otherwise']} tests ended otherwise"
    )


@pytest.hookimpl(wrapper=True)
def pytest_runtest_call(item: pytest.Item) -> Iterator[None]:
    """Under a hostile model a test may end otherwise: only what is checked afterwards counts."""
    try:
        yield
    except (Exception, pytest.fail.Exception) as error:
        if not _HOSTILE_RUN:
            raise
        item.add_report_section("call", "hostile", f"It ended otherwise: {error!r}")
        item.user_properties.append(("otherwise", 1))


@pytest.fixture
def world(app_of: AppOf, record_property: Record) -> Iterator[World]:
    """A workspace with the app in it, by Socket Mode."""
    with _lived_in(app_of("socket"), record_property) as lived_in:
        yield lived_in


@pytest.fixture
def http_world(app_of: AppOf, record_property: Record) -> Iterator[World]:
    """A workspace with the app in it, by signed HTTP and with one database connection."""
    with _lived_in(app_of("http"), record_property) as lived_in:
        yield lived_in


@pytest.fixture
def own_world(
    postgres: EmbeddedPostgres,
    tmp_path: Path,
    request: pytest.FixtureRequest,
    record_property: Record,
) -> Iterator[World]:
    """An app, a playground and a database to be broken; the parameter holds the app's settings."""
    settings: dict[str, str] = getattr(request, "param", {})
    with (
        own_app(postgres, tmp_path / "log", "socket", **settings) as app,
        _lived_in(app, record_property) as lived_in,
    ):
        yield lived_in
