"""What Slack does not take of an answer to a command is sent again."""

from __future__ import annotations

import pytest

from tests.e2e.world import World

pytestmark = pytest.mark.slow


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
