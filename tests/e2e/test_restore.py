"""A database is lost and restored, and a second process serves from it; the pages' commands run."""

from __future__ import annotations

from contextlib import closing
from pathlib import Path

import pytest

from memory import EmbeddedPostgres
from tests.conftest import fresh_database, login_of, open_playground
from tests.e2e.app import running
from tests.e2e.messages import buttons
from tests.e2e.world import World
from tests.kioku_process import ended

pytestmark = [pytest.mark.slow, pytest.mark.timeout(300)]


def run(folder: Path, conninfo: str, *command: str) -> None:
    """Run a command that has to succeed."""
    addresses = {"DATABASE_URL": login_of(conninfo), "DATABASE_OWNER_URL": conninfo}
    done = ended(folder, *command, **addresses, KIOKU_EMBEDDING_MODEL="kioku-stand-in-embedding")
    assert done.code == 0, (command, done)


def test_a_second_process_serves_what_was_restored(
    postgres: EmbeddedPostgres, tmp_path: Path
) -> None:
    """What was forgotten after the backup stays so, the rest is known; nothing is repeated."""
    with open_playground() as slack:
        with (
            fresh_database(postgres) as lost,
            running(slack, lost, "socket", tmp_path / "first.log") as app,
            closing(World(app)) as world,
        ):
            ann = world.human()
            said = [world.say(ann, text) for text in ("I love ramen", "I love tempura")]
            for one in said:
                world.reply(one)
                world.formed(ann)
            run(tmp_path, lost, "backup", "kioku.dump")
            shown = world.command(ann, "/forget", "ramen")
            button = next(one for one in buttons(shown) if "forget" in one["action_id"])
            world.click(ann, shown, "dm", button)
            assert [one["food_name"] for one in world.formed_contents(ann)] == ["tempura"]
            run(tmp_path, lost, "backup", "--ids", "kioku.list")
            answered = [world.answers(one) for one in said]
        with fresh_database(postgres, "template1") as new:
            run(tmp_path, new, "restore", "kioku.dump", "--ids", "kioku.list")
            with (
                running(slack, new, "socket", tmp_path / "second.log") as app,
                closing(World(app)) as world,
            ):
                assert [one["food_name"] for one in world.formed_contents(ann)] == ["tempura"]
                answer = world.ask(ann, "What shall I eat?")
                assert "tempura" in answer.text
                assert "ramen" not in answer.text
                assert [world.answers(one) for one in said] == answered
