"""What is left out of a request that the model fails, in which order."""

from __future__ import annotations

from typing import Any

import pytest

from bot.answering.attachments import AttachedFile
from bot.answering.context import Thread
from bot.answering.prompt import Prompt
from bot.answering.reply import Reduction
from bot.conversation.turns import Exchange
from bot.models.failures import Cause, ReplyFailed
from memory.recall import Recalled
from tests.integration.responses_server import LookTool
from tests.unit.memories import memory

IMAGE = AttachedFile(name="a.png", kind="image/png", content={"type": "input_image"})
NOTES = AttachedFile(name="a.txt", kind="text/plain", text="word " * 400)
EARLIER = Exchange(
    ts="1.0",
    user_id="U1",
    question="Hi " * 400,
    reply="Hello. " * 100,
)
WHOLE = Prompt(
    question="What now?",
    user_id="U1",
    files=(IMAGE, NOTES),
    recalled=Recalled(always=(memory(),)),
    thread=Thread(lines=({"from": "U2", "text": "Well. " * 100},)),
    exchanges=(EARLIER,),
)


def parts(request: Reduction) -> set[str]:
    """Return what a request still holds."""
    prompt = request.prompt
    held = {
        "image": prompt.shows_files,
        "text": any(file.text for file in prompt.files),
        "thread": bool(prompt.thread.lines),
        "history": bool(prompt.exchanges),
        "memories": bool(prompt.recalled.memories),
        "tools": request.tools is not None,
    }
    return {name for name, there in held.items() if there}


ALL = {"image", "text", "thread", "history", "memories", "tools"}
NAMES = {"others": "thread", "earlier": "history", "all_memories": "memories"}
STEPS: list[tuple[Cause, list[set[str]]]] = [
    ("model_too_long", [{"image", "text"}, {"thread", "history"}]),
    ("model_failed", [{"image"}, {"tools"}, {"thread", "history"}]),
    ("model_this_message", [{"image"}, set(), {"tools"}]),
    ("model_down", []),
    ("model_busy", []),
    ("model_policy", [{"thread"}, {"history"}, {"memories"}]),
    ("model_quota", []),
]


@pytest.mark.parametrize(("cause", "steps"), STEPS, ids=[cause for cause, _ in STEPS])
def test_each_failure_takes_one_thing_away(cause: Cause, steps: list[set[str]]) -> None:
    """In the order of its cause, until nothing of it is left; what may pass is repeated, too."""
    request = Reduction(WHOLE, LookTool(), may_search=True)
    left = ALL
    for step in steps:
        assert request.reduce(ReplyFailed(cause), half_done=False)
        left = left - step
        assert parts(request) == left
    assert not request.reduce(ReplyFailed(cause), half_done=False)
    assert parts(request) == left
    assert {NAMES.get(one, one) for one in request.left_out} <= ALL - left


def test_what_is_not_there_costs_no_request() -> None:
    """A step that takes nothing away is passed over."""
    request = Reduction(
        Prompt(question="q", user_id="U1", exchanges=(EARLIER,)), None, may_search=False
    )
    assert request.reduce(ReplyFailed("model_too_long"), half_done=False)
    assert request.left_out == ["earlier"]
    assert not request.reduce(ReplyFailed("model_failed"), half_done=False)


@pytest.mark.parametrize("cause", ["model_down", "model_this_message"])
def test_half_an_answer_is_asked_for_once_more_as_it_was(cause: Cause) -> None:
    """Once; where the model is away, a request that has shown nothing is not repeated."""
    request = Reduction(WHOLE, None, may_search=False)
    before: Any = request.prompt
    assert request.reduce(ReplyFailed(cause), half_done=True)
    assert request.prompt == before
    assert request.reduce(ReplyFailed(cause), half_done=True) is (
        cause == "model_this_message"
    )
