"""Many messages at once, of one person or of ten, delay nobody else's answer."""

from __future__ import annotations

from contextlib import closing
from pathlib import Path

import pytest

from bot.queue.jobs import PERSON_AT_ONCE
from memory import EmbeddedPostgres
from tests.conftest import fresh_database, open_playground
from tests.e2e.app import running
from tests.e2e.gateway import gateway
from tests.e2e.messages import asked
from tests.e2e.world import World

pytestmark = pytest.mark.slow

MANY = 80
PEOPLE = 20


@pytest.mark.timeout(900)
def test_who_writes_once_does_not_wait_for_who_writes_much(own_world: World) -> None:
    """With 80 direct messages of one person waiting, another's message is among the first begun."""
    world = own_world
    ann, bob = world.human("Ann"), world.human("Bob")
    world.pace(first_token_ms=2_000)
    many = [world.say(ann, f"Hello number {number}") for number in range(MANY)]
    below = [world.say(ann, f"And below {number}", under=many[0]) for number in range(3)]
    world.until(lambda: len(world.journal("reply", "responses")) >= PERSON_AT_ONCE, "running turns")
    once = world.say(bob, "Good morning")
    world.until(lambda: world.prompts(once.text), "a prompt")
    begun = [asked(entry) for entry in world.journal("reply", "responses")]
    # Those that ran, and what may have ended while the message was on its way.
    assert begun.index(once.text) < 4 * PERSON_AT_ONCE
    world.pace(first_token_ms=0)
    assert len(world.reply(once).parts) == 1
    for said in (*many, *below):
        world.handled(said, 200)
        [turn] = world.turns(said)
        assert turn["status"] == "answered"
        assert len(turn["reply_ts"]) == 1
    answered = [m["ts"] for m in world.answers(many[0])]
    assert answered == [ts for said in (many[0], *below) for ts in world.turns(said)[0]["reply_ts"]]
    begun = [asked(entry) for entry in world.journal("reply", "responses")]
    assert [text for text in begun if text.startswith("And below")] == [s.text for s in below]
    assert len(begun) == len(set(begun)) == MANY + len(below) + 1


def test_more_people_are_served_at_the_same_time_than_there_are_connections(
    postgres: EmbeddedPostgres, tmp_path: Path
) -> None:
    """With twelve database connections, twenty requests to the model run at the same time."""
    with (
        open_playground() as slack,
        fresh_database(postgres) as conninfo,
        gateway(slack.openai_base_url) as model,
        running(
            slack,
            conninfo,
            "http",
            tmp_path / "log",
            OPENAI_BASE_URL=model.base_url,
        ) as app,
        closing(World(app)) as world,
    ):
        people = [world.human(f"Person{n}") for n in range(PEOPLE)]
        requests: list[str] = []
        model.seen = requests.append
        model.open.clear()
        said = [world.say(human, "I love ramen") for human in people]
        world.until(lambda: len(requests) >= PEOPLE, "twenty requests under way")
        world.command(people[0], "/memories")
        model.open.set()
        for one in said:
            assert world.reply(one).text
        for human in people:
            assert [c["food_name"] for c in world.formed_contents(human)] == ["ramen"]
