"""No connection is held while a model, Slack or a person is waited for."""

from __future__ import annotations

import time

import pytest

from tests.e2e.world import World

pytestmark = pytest.mark.slow

PEOPLE = 10
MODEL_SECONDS = 5.0


def test_ten_people_are_served_at_the_same_time_by_one_connection(http_world: World) -> None:
    """With a pool of one and a model that takes five seconds nobody waits for anybody else."""
    world = http_world
    people = [world.human(f"Person{n}") for n in range(PEOPLE)]
    world.pace(first_token_ms=1000 * MODEL_SECONDS)
    begun = time.monotonic()
    said = [world.say(human, "I love ramen") for human in people]
    # What is waited for by a person is answered meanwhile.
    world.command(people[0], "/memories")
    assert time.monotonic() - begun < MODEL_SECONDS
    for one in said:
        assert world.reply(one).text
    assert time.monotonic() - begun < PEOPLE / 2 * MODEL_SECONDS
    world.pace(first_token_ms=0)
    for human in people:
        assert [c["food_name"] for c in world.formed_contents(human)] == ["ramen"]
