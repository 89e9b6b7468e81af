"""The agent session of a thread, `active` again however the process that answered ended."""

from __future__ import annotations

from pathlib import Path

import pytest

from memory import EmbeddedPostgres
from tests.e2e.answers import STORY, live, slowly
from tests.e2e.messages import Human, Said
from tests.e2e.test_crashes import Stage, stage
from tests.e2e.world import World

pytestmark = pytest.mark.slow

SET = "agents.sessions.setStatus"


def session(threads: list[dict[str, str]], said: Said) -> str:
    """Return the status of the session of a message's thread, "" where there is none."""
    return next((one["session"] for one in threads if one["ts"] == said.ts), "")


def of(world: World, human: Human, said: Said) -> str:
    """Return the status of the session of a message's thread."""
    seen = world.playground(f"channels/{said.channel}/messages?as={human.id}")
    return session(seen["threads"], said)


@pytest.mark.parametrize("where", ["dm", "public"])
def test_an_answer_begins_and_ends_its_session(world: World, where: str) -> None:
    """In direct messages and channels the session is `processing` before the first word."""
    ann = world.human()
    channel = "dm" if where == "dm" else world.channel("public", ann)
    world.pace(first_token_ms=1_500)
    said = world.say(ann, "<@BOT> hello", channel=channel)
    world.until(lambda: of(world, ann, said) == "processing" or None, "a session")
    assert world.reply(said).text
    world.until(lambda: of(world, ann, said) == "active" or None, "an end of the session")


def test_told_to_stop_it_leaves_no_session_in_processing(own_world: World) -> None:
    """A process that is told to end while it answers sets its session to `active`."""
    world = own_world
    ann = world.human()
    slowly(world)
    said = world.say(ann, "Tell me a story")
    live(world, said)
    assert of(world, ann, said) == "processing"
    assert world.app.terminate() == 0
    assert of(world, ann, said) == "active"
    world.app.start()
    assert world.reply(said).parts == [STORY]


def shown(staged: Stage, human: Human, said: Said) -> str:
    """Return the status of the session of a message's thread."""
    path = f"/_playground/channels/{said.channel}/messages?as={human.id}"
    return session(staged.workspace.slack.call(path)["threads"], said)


def test_a_killed_process_leaves_no_session_in_processing(
    postgres: EmbeddedPostgres, tmp_path: Path
) -> None:
    """After kill -9 the next process answers, and the session ends `active`."""
    with stage(postgres, tmp_path / "app", workers=1) as staged:
        [passing], [worker] = staged.gateways, staged.workers
        passing.open.clear()
        prompts: list[str] = []
        passing.seen = prompts.append
        [ann] = staged.workspace.people(1)
        said = staged.workspace.say(ann, "Hello")
        staged.until(lambda: bool(prompts), "a prompt")
        staged.until(lambda: shown(staged, ann, said) == "processing", "a session")
        staged.fleet.kill(worker)
        assert shown(staged, ann, said) == "processing"
        passing.open.set()
        staged.until(lambda: staged.count("status = 'waiting'") == 0, "an end", 120)
        staged.until(lambda: shown(staged, ann, said) == "active", "an end of the session")
