"""The real app in a real playground, by Socket Mode and by signed HTTP."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing, contextmanager
from pathlib import Path

import pytest

from memory import EmbeddedPostgres
from tests.conftest import Server
from tests.e2e.app import App, Mode, own_app
from tests.e2e.world import World
from tests.hostile.invariants import plant, violations

AppOf = Callable[[Mode], App]


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
def _lived_in(app: App) -> Iterator[World]:
    """A world that is calm before and after, and whose log quotes nobody."""
    with closing(World(app)) as world:
        world.calm()
        if app.hostile:
            yield from _attacked(world, app.hostile)
            return
        yield world
        world.calm()
        world.settled()
        assert world.leaks() == []


def _attacked(world: World, hostile: Server) -> Iterator[World]:
    """A workspace whose model is hostile; at the end it checks that no attack succeeded."""
    plant(world)
    before = hostile.call("/seen")
    yield world
    world.calm()
    world.settled()
    after = hostile.call("/seen")
    assert after["faults"] == 0
    assert violations(world, after["leaks"][len(before["leaks"]) :]) == []


@pytest.fixture
def world(app_of: AppOf) -> Iterator[World]:
    """A workspace with the app in it, by Socket Mode."""
    with _lived_in(app_of("socket")) as lived_in:
        yield lived_in


@pytest.fixture
def http_world(app_of: AppOf) -> Iterator[World]:
    """A workspace with the app in it, by signed HTTP and with one database connection."""
    with _lived_in(app_of("http")) as lived_in:
        yield lived_in


@pytest.fixture
def own_world(
    postgres: EmbeddedPostgres,
    tmp_path: Path,
    request: pytest.FixtureRequest,
) -> Iterator[World]:
    """An app, a playground and a database to be broken; the parameter holds the app's settings."""
    settings: dict[str, str] = getattr(request, "param", {})
    with (
        own_app(postgres, tmp_path / "log", "socket", **settings) as app,
        _lived_in(app) as lived_in,
    ):
        yield lived_in
