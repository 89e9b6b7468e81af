"""During an upgrade two versions work on one database: every message is answered once."""

from __future__ import annotations

import os
import shutil
import signal
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import pytest
from psycopg.conninfo import make_conninfo

from bot.queue.migrations import migrations
from memory import EmbeddedPostgres, Migration, migrate
from tests.conftest import ROOT, SPACE, fresh_database, open_playground
from tests.e2e.app import running
from tests.e2e.world import World
from tests.fork_server import SOURCES
from tests.kioku_process import ready, running_fresh, wait_for

pytestmark = pytest.mark.slow

PEOPLE = 5
# What stored an event, and what began a turn, is told by the name of its connection.
STEP = "bot/9999_next"
NEXT_STEP = """
ALTER TABLE inbox_events ADD COLUMN stored_by text DEFAULT current_setting('application_name');
ALTER TABLE turns ADD COLUMN begun_by text DEFAULT current_setting('application_name');
"""


@pytest.fixture
def next_version(tmp_path: Path) -> Path:
    """The next version's source: this one's, and a step more."""
    folder = tmp_path / "next"
    for package in ("bot", "memory"):
        shutil.copytree(ROOT / package, folder / package)
    (folder / "bot/migrations").mkdir()
    (folder / f"{STEP.replace('/', '/migrations/')}.sql").write_text(NEXT_STEP)
    return folder


@contextmanager
def upgrading(world: World, folder: Path) -> Iterator[None]:
    """Migrate to the next version and run it too, while this one works on."""
    settings = {
        **world.app.settings(),
        "PYTHONPATH": f"{folder}{os.pathsep}{SOURCES}",
        "DATABASE_URL": make_conninfo(world.app.conninfo, application_name="next"),
    }
    migrate(world.app.conninfo, SPACE, [*migrations(), Migration(STEP, NEXT_STEP)])
    world.close()  # its prepared statements are of the old tables
    with running_fresh(folder, "run", **settings) as kioku:
        ready(kioku)
        world.until(lambda: world.playground("state")["connections"] == 2, "two connections")
        yield
        assert kioku.stop(signal.SIGTERM).code == 0


def taken_by(world: World) -> list[set[str]]:
    """Return the versions that have stored a message, and those that have begun an answer."""
    return [
        {row["by"] for row in world.rows(f"SELECT DISTINCT {column} AS by FROM {table}")} - {None}
        for table, column in (("inbox_events", "stored_by"), ("turns", "begun_by"))
    ]


def test_every_message_is_answered_once_by_two_versions(
    postgres: EmbeddedPostgres, tmp_path: Path, next_version: Path
) -> None:
    """An old and a new process at once share the work; nothing is lost or doubled."""
    with (
        open_playground() as slack,
        fresh_database(postgres) as conninfo,
        running(
            slack, make_conninfo(conninfo, application_name="old"), "socket", tmp_path / "log"
        ) as app,
        closing(World(app)) as world,
    ):
        ann = world.human()
        world.ask(ann, "I love ramen")
        with upgrading(world, next_version):
            assert world.app.get("/readyz") == (200, "ready\n")
            people = [world.human(f"Person{n}") for n in range(PEOPLE)]
            world.pace(first_token_ms=300)
            asked = [world.say(one, text) for text in ("I love sushi", "Hello") for one in people]
            thread = [world.say(ann, "Good morning")]
            thread += [world.say(ann, f"Number {n}", under=thread[0]) for n in range(3)]
            for said in asked:
                assert len(world.reply(said).parts) == 1
            for said in thread:
                world.handled(said)
            assert len(world.answers(thread[0])) == len(thread)
            for human in people:
                assert [c["food_name"] for c in world.formed_contents(human)] == ["sushi"]
            # Which of them takes a message is chance: more are sent until both have had one.
            for _ in range(40):
                if all(versions >= {"old", "next"} for versions in taken_by(world)):
                    break
                world.ask(world.human(), "Hello")
            assert taken_by(world) == [{"old", "next"}, {"old", "next"}]
            # The old version goes; the new one is there already.
            assert world.app.terminate() == 0
            last = world.say(ann, "What shall I eat?")
            wait_for(lambda: [row for row in world.inbox(last) if row["status"] == "done"])
            [answer] = world.answers(last)
            assert "ramen" in answer["text"]
