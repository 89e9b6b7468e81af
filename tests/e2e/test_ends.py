"""Told to stop, the app completes what it has begun. Crashes: test_each_step."""

from __future__ import annotations

import psycopg
import pytest

from bot.locale import say
from tests.e2e.answers import STORY, live, slowly
from tests.e2e.world import World

pytestmark = pytest.mark.slow


def test_sigterm_in_the_middle_of_an_answer(own_world: World) -> None:
    """Told to stop, it completes what it has begun, its session too, and loses no memory."""
    world = own_world
    ann = world.human()
    slowly(world)
    said = ann.say("I love ramen")
    live(world, said)
    with psycopg.connect(world.app.conninfo) as owner:
        owner.execute("LOCK TABLE store")
        typed = {"user": ann.id, "channel": "dm", "command": "/memories"}
        assert world.control("commands", typed)["ok"]
        assert world.session(said) == "processing"
        assert world.app.terminate() == 0
        assert world.session(said) == "active"
    # Acknowledged, so answered, if only by saying that it could not be done.
    ann.form_says(say("en", "command_broke"))
    [row] = world.inbox(said)
    assert row["status"] == "answered"
    [answer] = world.answers(said)
    assert answer["text"] == STORY
    assert not answer["streaming"]
    assert "Traceback" not in world.app.said()
    world.app.start()
    assert world.reply(said).parts == [STORY]
    assert [c["food_name"] for c in world.formed_contents(ann)] == ["ramen"]
