"""Killed after each statement and each call of Slack, the app answers and reminds once."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, closing
from datetime import UTC, datetime
from functools import partial
from pathlib import Path

import pytest
from psycopg.types.json import Jsonb

import memory
from bot.promises.reminders import REMIND
from bot.queue.queue import BACKGROUND
from memory import EmbeddedPostgres
from memory.model import PROMISE_KIND
from tests.conftest import open_playground
from tests.databases import fresh_database
from tests.e2e.app import App
from tests.e2e.world import World
from tests.integration.clock import Clock
from tests.kioku_process import END_SECONDS, forked_module
from tests.memories import put_memory
from tests.waiting import wait_until

pytestmark = pytest.mark.slow

_MOST = 130
_MOST_FOR_REMINDER = 40
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
    kill_after_each(apps, subtests, _MOST, kill_after)


def test_killed_after_a_step_the_app_reminds_once(
    apps: list[App], subtests: pytest.Subtests
) -> None:
    """One message reminds of a promise, whatever step was the last one of the killed process."""
    kill_after_each(apps, subtests, _MOST_FOR_REMINDER, kill_after_of_reminder)


def kill_after_each(
    apps: list[App],
    subtests: pytest.Subtests,
    most: int,
    kill_after: Callable[[App, int], None],
) -> None:
    """Kill a process after each of `most` steps, several at a time."""
    free = [*apps]

    def kill(number: int) -> None:
        app = free.pop()
        try:
            kill_after(app, number)
        finally:
            free.append(app)

    with ThreadPoolExecutor(_AT_ONCE) as pool:
        killed = {number: pool.submit(kill, number) for number in range(1, most + 1)}
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
    go_on(app, lambda: _is_over(world) and bool(world.memories(human)), number < _MOST)
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


def kill_after_of_reminder(app: App, number: int) -> None:
    """Let the process end after that step for a reminder; another one posts it, or has found it."""
    end, world = app.log.parent / "end", World(app)
    world.calm()
    human = world.human()
    world.reply(human.say("Hello"))
    world.settled()
    clock = Clock()
    promise = {"promise": "feed the cat", "state": "open", **clock.in_days(0)}
    person = memory.Person(world.team, human.id)
    value = {"kind": PROMISE_KIND, "content": promise}
    key = put_memory(app.conninfo, person.namespace("dm"), value)
    end.write_text(str(number), "utf-8")
    world.rows(
        "INSERT INTO reminders (team_id, user_id, key, dated, zone, at)"
        " VALUES (%s, %s, %s, gen_random_uuid(), %s, now()) RETURNING key",
        *(world.team, human.id, key, clock.zone()),
    )
    world.rows(
        "INSERT INTO procrastinate_jobs (queue_name, task_name, lock, args)"
        " VALUES (%s, %s, %s, %s) RETURNING id",
        *(BACKGROUND, REMIND, f"{REMIND}:{person.scope}", Jsonb(person.ids)),
    )
    go_on(app, lambda: _is_over(world), number < _MOST_FOR_REMINDER)
    world.settled()
    seen = [one for one in human.seen("dm") if "feed the cat" in one["text"]]
    assert len(seen) == 1
    [row] = world.rows("SELECT * FROM reminders WHERE key = %s", key)
    assert (row["ts"], row["message_id"]) == (seen[0]["ts"], None)
    assert row["at"] > datetime.now(UTC)
    assert world.leaks() == []


def go_on(app: App, is_over: Callable[[], bool], has_step: bool) -> None:
    """Wait until the process has ended, and start another one, or until what it does is over.

    Unless it `has_step`, the number is more than there are steps: none is left out.
    """
    end = app.log.parent / "end"
    wait_until(lambda: not end.exists() or is_over(), "an end of the process or path")
    assert has_step or end.exists()
    if not end.exists():
        app.process.wait(END_SECONDS)
        start(app)
    end.unlink(missing_ok=True)


def _is_over(world: World) -> bool:
    return not world.rows(
        "SELECT id FROM procrastinate_jobs WHERE status IN ('todo', 'doing')"
    )
