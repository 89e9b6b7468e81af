"""Responses with several messages: commentary is not shown, final messages are paragraphs."""

from __future__ import annotations

import pytest

from bot.models.failures import ReplyFailed
from tests.conftest import Server
from tests.integration.responses_server import (
    ALICE,
    PROMPT,
    LookTool,
    Replier,
    Shown,
    requests,
    script,
)

LOOK_UP = {"type": "message", "text": "Let me look that up.", "phase": "commentary"}
CALL = {"type": "function_call", "name": "look", "arguments": {"a": 1}}


async def test_commentary_is_no_part_of_the_answer(
    replier: Replier, stand_in: Server
) -> None:
    """Commentary, a search and the answer: the answer alone is streamed and returned."""
    final = {
        "type": "message",
        "text": "The release is on Monday.",
        "phase": "final_answer",
    }
    script(
        stand_in, items=[{"type": "reasoning"}, LOOK_UP, {"type": "web_search"}, final]
    )
    shown = Shown()
    reply = await replier.reply(ALICE, PROMPT, shown)
    assert reply.text == shown.text == "The release is on Monday."


async def test_commentary_goes_back_with_its_phase(
    replier: Replier, stand_in: Server
) -> None:
    """The next request of the turn holds the messages with their phases, then the calls."""
    said = {"type": "message", "text": "One moment.", "phase": "final_answer"}
    script(stand_in, items=[LOOK_UP, said, CALL])
    script(stand_in, text="Monday.")
    shown = Shown()
    reply = await replier.reply(ALICE, PROMPT, shown, LookTool())
    assert reply.text == shown.text == "One moment.\n\nMonday."
    first, second = requests(stand_in)
    comment, message, call, output = second["input"][len(first["input"]) :]
    assert comment == {
        "type": "message",
        "role": "assistant",
        "content": "Let me look that up.",
        "phase": "commentary",
    }
    assert (message["content"], message["phase"]) == ("One moment.", "final_answer")
    assert (call["type"], output["type"]) == ("function_call", "function_call_output")


async def test_commentary_alone_is_no_answer(
    replier: Replier, stand_in: Server
) -> None:
    """A response that consists of commentary only is an empty answer."""
    script(stand_in, items=[LOOK_UP])
    with pytest.raises(ReplyFailed) as raised:
        await replier.reply(ALICE, PROMPT, Shown())
    assert raised.value.cause == "model_empty"
