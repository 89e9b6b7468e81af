"""Answers keep their stream to its end, in the whole app: what Slack is sent for them."""

from __future__ import annotations

import pytest

from tests.e2e.messages import Json
from tests.e2e.world import World

_STREAMING = ("chat.startStream", "chat.appendStream", "chat.stopStream")
_QUESTION = "How far is the moon?"


def streamed(world: World, channel: str) -> list[Json]:
    """Return the calls that made the answers in a channel; no other kind of call may be there."""
    calls = [call for call in world.calls(channel=channel) if call["method"].startswith("chat.")]
    assert {call["method"] for call in calls} <= set(_STREAMING)
    assert {call["outcome"] for call in calls} == {"ok"}
    assert [call for call in calls if "markdown_text" in call["args"]] == []
    return calls


@pytest.mark.one_mode
@pytest.mark.parametrize("kind", ["dm", "public"])
def test_an_answer_that_begins_with_a_task_ends_as_a_stream(world: World, kind: str) -> None:
    """Its words follow its task in chunks, in a direct message and in a channel."""
    ann, ben = world.human(), world.human("Ben")
    channel = "dm" if kind == "dm" else world.channel(kind, ann, ben)
    text = f"{'' if kind == 'dm' else '<@BOT> '}{_QUESTION}"
    search = ("memory_search", {"query": "moon"})
    world.script_calls(_QUESTION, [search], text="It is about 384,400 kilometres away.")
    world.pace(token_ms=20, chunk_chars=8)
    said = world.say(ann, text, channel=channel)
    assert world.reply(said).text == "It is about 384,400 kilometres away."
    started, *_, stopped = streamed(world, said.channel)
    assert "task_update" in [chunk["type"] for chunk in started["args"]["chunks"]]
    assert stopped["method"] == "chat.stopStream"
