"""Commands and their clicks at the app as a process."""

from __future__ import annotations

import pytest

from tests.e2e.world import World


@pytest.mark.slow
@pytest.mark.parametrize("status", [500, 429, 400])
def test_answer_to_a_command_survives_a_refusal(world: World, status: int) -> None:
    """What Slack fails to take is sent again; of what it refuses the text is sent."""
    ann = world.human()
    world.remember(ann, "ramen")
    world.fault("response_url", status=status)
    shown = ann.command("/forget ramen")
    refused, sent = world.calls("response_url")
    assert (refused["status"], sent["outcome"]) == (status, "ok")
    assert sent["args"]["text"] == refused["args"]["text"] == shown["text"]
    texts = [block.get("text", {}).get("text") for block in sent["args"]["blocks"]]
    assert (texts == [shown["text"]]) is (status == 400)
