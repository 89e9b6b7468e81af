"""Whatever Slack's API does, one whole answer; then go on."""

from __future__ import annotations

import pytest

from tests.e2e.answers import goes_on
from tests.e2e.messages import Human
from tests.e2e.world import World

pytestmark = pytest.mark.slow


def story(world: World, human: Human) -> list[str]:
    """Ask for the story; return the parts of the answer."""
    return world.ask(human, "Tell me a story").parts


@pytest.mark.one_mode
def test_without_people_and_conversations_the_answer_comes(world: World) -> None:
    """With users.info and conversations.info down nothing is guessed, all is answered."""
    ann = world.human()
    general = world.channel("public", ann)
    world.slack_fault("users.info", error="internal_error", times=99)
    world.slack_fault("conversations.info", error="internal_error", times=99)
    assert "ramen" in world.ask(ann, "<@BOT> I love ramen", channel=general).text
    assert "sushi" in world.ask(ann, "I love sushi").text
    prefixes = {row["prefix"] for row in world.formed(ann)}
    assert prefixes == {world.prefix(ann, general), world.prefix(ann, "dm")}
    assert goes_on(world, ann)


@pytest.mark.one_mode
@pytest.mark.parametrize("status", [500, 429, 400])
def test_an_answer_to_a_command_survives_a_refusal(world: World, status: int) -> None:
    """What Slack fails to take is sent again; what it refuses is sent as text without blocks."""
    ann = world.human()
    world.slack_fault("response_url", status=status)
    shown = world.command(ann, "/memories")
    refused, sent = world.calls("response_url")
    assert (refused["status"], sent["outcome"]) == (status, "ok")
    assert sent["args"]["text"] == refused["args"]["text"] == shown["text"]
    assert ("blocks" in sent["args"]) is (status != 400)
