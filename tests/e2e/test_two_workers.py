"""A worker that was believed dead and lives on does not answer beside another."""

from __future__ import annotations

import os
import signal

import pytest

from tests.e2e.answers import STORY, live, slowly
from tests.e2e.app import App
from tests.e2e.world import World

pytestmark = pytest.mark.slow

_WRITES = ("chat.startStream", "chat.appendStream")


@pytest.mark.failed_calls(
    "chat.delete: cant_delete_message",
    "chat.delete: message_not_found",
    "chat.stopStream: message_not_found",
    because="The first worker left its stream live, and deletes what it has not recorded.",
)
def test_a_worker_that_was_suspended_stops_when_it_resumes(own_world: World) -> None:
    """What another took over meanwhile is answered by that one alone."""
    world = own_world
    ann = world.human()
    slowly(world)
    said = ann.say("I love ramen")
    live(world, said)
    pid = world.app.process.pid
    os.kill(pid, signal.SIGSTOP)
    try:
        other = App(
            world.server, world.app.conninfo, "socket", world.app.log.parent / "other"
        )
        other.start()
        try:
            reply = world.reply(said, seconds=90)
            written = sum(len(world.calls(method)) for method in _WRITES)
            os.kill(pid, signal.SIGCONT)
            world.until(
                lambda: (
                    "an answer was interrupted: Superseded" in world.app.said() or None
                ),
                "a worker that gives way",
            )
            assert world.reply(said).messages == reply.messages
            assert sum(len(world.calls(method)) for method in _WRITES) == written
            assert reply.parts == [STORY]
            assert len(world.turns(said)) == 1
        finally:
            other.terminate()
    finally:
        os.kill(pid, signal.SIGCONT)
