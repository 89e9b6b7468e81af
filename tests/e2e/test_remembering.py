"""Memories are formed after the reply, seldom, and only of what was said."""

from __future__ import annotations

from itertools import pairwise

import pytest

from tests.e2e.world import World

pytestmark = pytest.mark.slow


def test_thanks_write_nothing(world: World) -> None:
    """ "ok thanks" changes no row of a person who is known already."""
    ann = world.human()
    world.ask(ann, "I love ramen")
    before = world.formed(ann)
    assert world.ask(ann, "ok thanks").text
    assert world.formed(ann) == before
    assert len(before) == 1


def test_memories_are_formed_after_the_reply(world: World) -> None:
    """A formation that takes long keeps nobody waiting, and begins after the reply."""
    ann = world.human()
    world.model_fault(kind="formation", delay_ms=1_500)
    said = world.say(ann, "I love ramen")
    reply = world.reply(said)
    assert "ramen" in reply.text
    assert world.memories(ann) == []
    assert len(world.formed(ann)) == 1
    [formation] = world.journal("formation")
    replied = max(call["time"] for call in world.calls("chat.stopStream", said.channel))
    assert formation["time"] > replied


@pytest.mark.parametrize("own_world", [{"KIOKU_FORMATION_DELAY": "2"}], indirect=True)
def test_a_burst_costs_one_formation(own_world: World) -> None:
    """Ten messages at once cost at most eleven model calls, and miss no memory."""
    world = own_world
    ann = world.human()
    foods = [
        "ramen",
        "sushi",
        "tempura",
        "curry",
        "pasta",
        "pizza",
        "soba",
        "udon",
        "tofu",
        "natto",
    ]
    for said in [world.say(ann, f"I love {food}") for food in foods]:
        world.reply(said)
    world.formed(ann)
    assert {content["food_name"] for content in world.contents(ann)} == set(foods)
    model_calls = world.journal(endpoint="responses")
    assert len(model_calls) <= 12
    assert len(world.journal("formation")) == 1
    assert len(world.journal("verdict")) == 1


@pytest.mark.one_mode
def test_what_is_said_twice_is_one_memory(world: World) -> None:
    """The same said again, elsewhere in the same place, adds no second row."""
    ann = world.human()
    world.ask(ann, "I love ramen")
    [before] = world.formed(ann)
    world.ask(ann, "I love ramen")
    [after] = world.formed(ann)
    assert after["key"] == before["key"]
    assert len(world.vectors(ann)) == 1


@pytest.mark.one_mode
def test_quoted_and_coded_words_form_no_memory(world: World) -> None:
    """What somebody quotes, or writes as code, is not what they say of themselves."""
    ann = world.human()
    world.ask(ann, "> I love ramen\nwhat do you say to that?")
    world.ask(ann, "what does `I love sushi` mean?")
    world.ask(ann, "```\nI love tempura\n```")
    assert world.formed(ann) == []


@pytest.mark.one_mode
def test_a_thread_keeps_its_history(world: World) -> None:
    """A follow-up is answered with the thread's earlier question and answer in sight."""
    ann = world.human()
    general = world.channel("public", ann)
    said = world.say(ann, "<@BOT> I love ramen", channel=general)
    first = world.reply(said)
    world.ask(ann, "and what of it?", under=said)
    [prompt] = world.prompts("and what of it?")
    roles = [(one["role"], one["content"]) for one in prompt["body"]["input"]]
    assert [role for role, _ in roles] == ["developer", "user", "assistant", "user"]
    assert roles[1][1] == "I love ramen"
    assert roles[2][1] == first.text
    assert all(a[0] != b[0] for a, b in pairwise(roles))
