"""Many messages at once, of one person or of ten, delay nobody else's answer."""

from __future__ import annotations

import pytest

from bot.queue.jobs import PERSON_AT_ONCE
from tests.e2e.messages import Said, asked
from tests.e2e.world import World

pytestmark = pytest.mark.slow

MANY = 80
PEOPLE = 10


def being_answered(world: World, said: list[Said]) -> list[Said]:
    """Return the messages that are being answered just now, by the sessions of their threads."""
    return [one for one in said if world.session(one) == "processing"]


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


def test_ten_people_are_served_at_the_same_time_by_one_connection(http_world: World) -> None:
    """With a pool of one, people are answered at the same time, and a command meanwhile."""
    world = http_world
    people = [world.human(f"Person{n}") for n in range(PEOPLE)]
    world.pace(first_token_ms=10_000)
    said = [world.say(human, "I love ramen") for human in people]
    world.command(people[0], "/memories")
    assert being_answered(world, said)
    world.until(lambda: len(being_answered(world, said)) > PEOPLE / 2, "answers at the same time")
    for one in said:
        assert world.reply(one).text
    world.pace(first_token_ms=0)
    for human in people:
        assert [c["food_name"] for c in world.formed_contents(human)] == ["ramen"]
