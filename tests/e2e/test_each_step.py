"""Killed after each statement and each call of Slack, the app answers and remembers once."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, closing
from functools import partial
from pathlib import Path

import pytest

from memory import EmbeddedPostgres
from tests.conftest import open_playground
from tests.databases import fresh_database
from tests.e2e.app import App
from tests.e2e.world import World
from tests.kioku_process import END_SECONDS, forked_module
from tests.person import Said
from tests.waiting import wait_until

pytestmark = pytest.mark.slow

_MOST = 130
# Nearly all of the time is spent waiting until the killed process is taken for dead. Each app may
# open fourteen connections, and PostgreSQL allows a hundred.
_AT_ONCE = 7


@pytest.fixture
def apps(postgres: EmbeddedPostgres, tmp_path: Path) -> Iterator[list[App]]:
    """Apps that `tests.e2e.ending` will run, each with a playground and a database of its own."""
    with ExitStack() as stack:
        enter = stack.enter_context
        made = []
        for number in range(_AT_ONCE):
            folder = tmp_path / str(number)
            folder.mkdir()
            slack = enter(open_playground("--retry-delays", "0.2,1,3,5"))
            app = App(slack, enter(fresh_database(postgres)), "socket", folder / "log")
            made.append(enter(closing(app)))
            start(app)
        yield made


def start(app: App) -> None:
    """Start a process that ends after the step whose number is in the file `end`."""
    app.start(
        partial(forked_module, "tests.e2e.ending"), END_FILE=str(app.log.parent / "end")
    )


@pytest.mark.failed_calls(
    "chat.delete: cant_delete_message",
    "chat.stopStream: message_not_in_streaming_state",
    because="A process that was killed leaves a stream, and whether it runs is not known.",
)
def test_killed_after_a_step_the_app_answers_and_remembers_once(
    apps: list[App], subtests: pytest.Subtests
) -> None:
    """One answer and one memory come, whatever step was the last one of the killed process."""
    free = [*apps]

    def kill(number: int) -> None:
        app = free.pop()
        try:
            kill_after(app, number)
        finally:
            free.append(app)

    with ThreadPoolExecutor(_AT_ONCE) as pool:
        killed = {number: pool.submit(kill, number) for number in range(1, _MOST + 1)}
    for number, done in killed.items():
        with subtests.test(number=number):
            done.result()


def kill_after(app: App, number: int) -> None:
    """Let the process end after that step for a message; check what follows, by another process."""
    end, world = app.log.parent / "end", World(app)
    world.calm()
    human = world.human()
    end.write_text(str(number), "utf-8")
    said = human.say("I love ramen")
    wait_until(
        lambda: not end.exists() or _is_over(world, said),
        "an end of the process or path",
    )
    # The last number is more than there are steps: none is left out.
    assert number < _MOST or end.exists()
    if not end.exists():
        app.process.wait(END_SECONDS)
        start(app)
    end.unlink(missing_ok=True)
    reply = world.reply(said)
    assert len(reply.parts) == 1
    [turn] = world.turns(said)
    assert turn["status"] == "answered"
    assert turn["reply_ts"] == [message["ts"] for message in reply.messages]
    assert [one["food_name"] for one in world.formed_contents(human)] == ["ramen"]
    world.settled()
    # Of a process that was killed before it embedded the memory, the job is run again.
    assert len(world.vectors(human)) == len(world.memories(human))
    # A notice is posted before that is stored, and again after a crash in between.
    assert len(world.notices(said)) in (1, 2)
    assert world.leaks() == []


def _is_over(world: World, said: Said) -> bool:
    jobs = world.rows(
        "SELECT id FROM procrastinate_jobs WHERE status IN ('todo', 'doing')"
    )
    return not jobs and bool(world.memories(said.person))
