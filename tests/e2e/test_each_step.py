"""Killed after each statement and each call of Slack, the app answers and remembers once."""

from __future__ import annotations

from contextlib import closing
from functools import partial
from pathlib import Path

import pytest

from memory import EmbeddedPostgres
from tests.conftest import open_playground
from tests.databases import fresh_database
from tests.e2e.app import App
from tests.e2e.world import World
from tests.kioku_process import forked_module
from tests.person import Said
from tests.waiting import wait_until

pytestmark = pytest.mark.slow

_MOST = 58
_RECOVERY_SECONDS = 40.0


@pytest.mark.failed_calls(
    "chat.delete: cant_delete_message",
    "chat.stopStream: message_not_in_streaming_state",
    because="A process that was killed leaves a stream, and whether it runs is not known.",
)
@pytest.mark.parametrize("number", range(1, _MOST + 1))
def test_killed_after_a_step_the_app_answers_and_remembers_once(
    postgres: EmbeddedPostgres, tmp_path: Path, number: int
) -> None:
    """One answer and one memory come, whatever step was the last one of the killed process."""
    ended = tmp_path / "ended"
    end = {"END_AFTER": str(number), "END_FILE": str(ended)}
    with (
        open_playground("--retry-delays", "0.2,1,3,5") as slack,
        fresh_database(postgres) as conninfo,
        closing(App(slack, conninfo, "socket", tmp_path / "log")) as app,
    ):
        app.start(partial(forked_module, "tests.e2e.ending"), **end)
        world = World(app)
        world.calm()
        human = world.human()
        said = human.say("I love ramen")
        wait_until(lambda: ended.exists() or _is_over(world, said), "an end of the process or path")
        # The last number is more than there are steps: none is left out.
        assert number < _MOST or not ended.exists()
        if ended.exists():
            app.process.wait(20)
            app.start()
        reply = world.reply(said, _RECOVERY_SECONDS)
        assert len(reply.parts) == 1
        [turn] = world.turns(said)
        assert turn["status"] == "answered"
        assert turn["reply_ts"] == [message["ts"] for message in reply.messages]
        assert [one["food_name"] for one in world.formed_contents(human)] == ["ramen"]
        world.settled()
        assert len(world.vectors(human)) == 1
        # A notice is posted before that is stored, and again after a crash in between.
        assert len(world.notices(said)) in (1, 2)
        assert world.leaks() == []


def _is_over(world: World, said: Said) -> bool:
    jobs = world.rows("SELECT id FROM procrastinate_jobs WHERE status IN ('todo', 'doing')")
    return not jobs and bool(world.memories(said.person))
