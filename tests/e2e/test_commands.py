"""Commands and their clicks at the app as a process."""

from __future__ import annotations

import pytest

from tests.e2e.messages import buttons
from tests.e2e.world import World


def test_what_a_person_does_in_a_channel_is_shown_to_them_alone(http_world: World) -> None:
    """List, question, notice and Undo are for the person alone; each act is done to their rows."""
    world = http_world
    ann, bo = world.human(), world.human("Bo")
    general = world.channel("public", ann, bo)
    world.remember(ann, "ramen", "sushi")
    world.remember(bo, "ramen")
    before, seen = (world.memories(ann), world.vectors(ann)), world.seen(bo, general)
    assert world.command(ann, "/memories", channel=general)["is_ephemeral"]
    question = world.command(ann, "/forget", "ramen", channel=general)
    [button] = [one for one in buttons(question) if one["value"].startswith("keys ")]
    gone = world.click(ann, question, general, button)
    assert gone["is_ephemeral"]
    assert [content["food_name"] for content in world.contents(ann)] == ["sushi"]
    assert len(world.vectors(ann)) == len(world.memories(bo)) == 1
    assert world.click(ann, gone, general, buttons(gone)[0])["is_ephemeral"]
    assert (world.memories(ann), world.vectors(ann)) == before
    assert world.seen(bo, general) == seen


@pytest.mark.slow
@pytest.mark.parametrize("status", [500, 429, 400])
def test_answer_to_a_command_survives_a_refusal(world: World, status: int) -> None:
    """What Slack fails to take is sent again; of what it refuses the text is sent."""
    ann = world.human()
    world.slack_fault("response_url", status=status)
    shown = world.command(ann, "/memories")
    refused, sent = world.calls("response_url")
    assert (refused["status"], sent["outcome"]) == (status, "ok")
    assert sent["args"]["text"] == refused["args"]["text"] == shown["text"]
    texts = [block.get("text", {}).get("text") for block in sent["args"]["blocks"]]
    assert (texts == [shown["text"]]) is (status == 400)
