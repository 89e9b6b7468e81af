"""The app is uninstalled from a workspace: killed in the middle of the purge, nothing is left."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from memory import EmbeddedPostgres
from tests.e2e.app import App, own_app
from tests.e2e.holding import Holding
from tests.e2e.world import World
from tests.kioku_process import ended

pytestmark = pytest.mark.slow
# The upkeep, which purges, runs each minute.
MINUTES = 120.0


@pytest.fixture
def app(postgres: EmbeddedPostgres, tmp_path: Path) -> Iterator[App]:
    """An app, a playground and a database of one test."""
    settings = {"KIOKU_UNINSTALL_GRACE_HOURS": "0"}
    with own_app(postgres, tmp_path / "log", "http", **settings) as started:
        yield started


def left_of(world: World, team: str) -> dict[str, int]:
    """Count the rows that name a workspace, by table, but its departure's and the queue's."""
    tables = world.rows(
        "SELECT table_name AS name FROM information_schema.tables WHERE table_schema = 'public'"
        " AND table_type = 'BASE TABLE' AND table_name NOT IN ('workspaces', 'procrastinate_jobs')"
    )
    counts = {}
    for table in tables:
        statement = f"SELECT count(*) AS n FROM {table['name']} t WHERE strpos(t::text, %s) > 0"
        [row] = world.rows(statement, team)
        counts[table["name"]] = int(row["n"])
    return {table: n for table, n in counts.items() if n}


def remembers(world: World) -> bool:
    """Return whether the app remembers what somebody tells it."""
    ann = world.human()
    world.ask(ann, "I love ramen")
    world.until(lambda: world.contents(ann), "the memory")
    return True


@pytest.mark.failed_calls(
    "auth.test: account_inactive",
    "chat.postMessage: account_inactive",
    because="The app is uninstalled.",
)
def test_uninstalled_killed_and_installed_again(app: App, tmp_path: Path) -> None:
    """Each row of the workspace is deleted though the app is killed; it can be installed again."""
    with closing(World(app)) as world:
        assert remembers(world)
        with Holding(app.conninfo) as holding:
            lock = holding.before("DELETE", "messages", f"OLD.team_id = '{world.team}'")
            world.playground("uninstall", {})
            world.until(lambda: holding.holds(lock) or None, "a purge that is half done", MINUTES)
            app.kill()
        assert left_of(world, world.team)
        # A start with a refused token fails, but finishes the purge.
        told = ended(tmp_path, "run", **app.settings())
        assert told.code == 1
        assert "SLACK_BOT_TOKEN (account_inactive)" in told.err
        assert left_of(world, world.team) == {}
        world.playground("install", {})
        app.start()
        assert app.get("/readyz")[0] == 200
        assert remembers(world)
