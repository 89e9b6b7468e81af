"""The real app in a real playground."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from memory import EmbeddedPostgres
from tests.e2e.app import App, own_app
from tests.e2e.world import World


@pytest.fixture(scope="session")
def app(
    postgres: EmbeddedPostgres, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[App]:
    """The session's app, by Socket Mode."""
    with own_app(postgres, tmp_path_factory.mktemp("app") / "log") as started:
        yield started


@contextmanager
def _lived_in(app: App) -> Iterator[World]:
    """A world that is calm before and after, and whose log quotes nobody."""
    world = World(app)
    world.calm()
    yield world
    world.calm()
    world.settled()
    assert world.leaks() == []


@pytest.fixture
def world(app: App) -> Iterator[World]:
    """A workspace with the app in it."""
    with _lived_in(app) as lived_in:
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
