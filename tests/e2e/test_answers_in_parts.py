"""Answers of several messages, and files that the model refuses."""

from __future__ import annotations

import json

import pytest

from tests.e2e.world import World

pytestmark = pytest.mark.slow


@pytest.mark.one_mode
def test_commentary_is_a_task_and_is_not_stored(world: World) -> None:
    """It is in the stream while the answer comes; the message and the history have the answer."""
    ann = world.human()
    world.script_items(
        {"type": "message", "text": "Let me look that up.", "phase": "commentary"},
        {"type": "web_search", "query": "release"},
        {"type": "message", "text": "It is on Monday.", "phase": "final_answer"},
        {"type": "message", "text": "At noon."},
    )
    said = world.say(ann, "When is the release?")
    assert world.reply(said).parts == ["It is on Monday.\n\nAt noon."]
    streamed = [
        call["args"]
        for name in ("startStream", "appendStream", "stopStream")
        for call in world.calls(f"chat.{name}")
    ]
    assert "Let me look that up." in json.dumps(streamed)
    world.ask(ann, "Thanks", under=said)
    [thanked] = world.prompts("Thanks")
    assert "It is on Monday.\\n\\nAt noon." in json.dumps(thanked["body"]["input"])
    assert "look that up" not in json.dumps(thanked["body"]["input"])
