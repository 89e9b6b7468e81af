"""Reasoning items between the tool rounds of one answer, with nothing stored at the host."""

from __future__ import annotations

from typing import Any

import openai
import pytest

from bot.config import STAND_IN_MODEL
from bot.pipeline.prompt import compose
from bot.pipeline.reply import Replier
from memory import Person
from tests.conftest import Server
from tests.integration.responses_server import LookTool, Shown, create_replier

ALICE = Person("T1", "U1")
PROMPT = compose(question="When is the release?", user_id="U1", memories=[])
INCLUDE = ["reasoning.encrypted_content"]


@pytest.fixture
def replier(model_client: openai.AsyncOpenAI) -> Replier:
    """What is tested."""
    return create_replier(model_client, model=STAND_IN_MODEL)


def script_call(stand_in: Server) -> None:
    """Say that the model calls the tool, then answers."""
    call = {"name": "look", "arguments": {}}
    for output in ({"function_calls": [call]}, {"text": "On Monday."}):
        stand_in.call("/_model/script", {"endpoint": "responses", "output": output})


def bodies(stand_in: Server) -> list[dict[str, Any]]:
    """Return the bodies of all requests, in order."""
    return [entry["body"] for entry in stand_in.call("/_model/journal")["entries"]]


async def test_reasoning_goes_back_between_rounds(replier: Replier, stand_in: Server) -> None:
    """The encrypted item is asked for and sent back as it came, before the call it led to."""
    stand_in.call("/_model/settings", {"reasoning": True})
    script_call(stand_in)
    assert (await replier.reply(ALICE, PROMPT, Shown(), LookTool())).text == "On Monday."
    first, second = bodies(stand_in)
    assert first["include"] == second["include"] == INCLUDE
    reasoning, call, output = second["input"][len(first["input"]) :]
    assert reasoning["type"] == "reasoning"
    assert reasoning["encrypted_content"]
    assert (call["type"], output["type"]) == ("function_call", "function_call_output")


async def test_without_tools_no_reasoning_is_asked_for(replier: Replier, stand_in: Server) -> None:
    """No request follows in which it could be sent back."""
    await replier.reply(ALICE, PROMPT, Shown())
    assert "include" not in bodies(stand_in)[0]


async def test_a_model_that_refuses_the_parameter_answers(
    replier: Replier, stand_in: Server
) -> None:
    """It is left out from the first refusal on."""
    stand_in.call("/_model/settings", {"unsupported_parameters": ["include"]})
    script_call(stand_in)
    assert (await replier.reply(ALICE, PROMPT, Shown(), LookTool())).text == "On Monday."
    await replier.reply(ALICE, PROMPT, Shown(), LookTool())
    assert ["include" in body for body in bodies(stand_in)] == [True, False, False, False]


async def test_a_host_that_does_not_find_the_item_answers(
    replier: Replier, stand_in: Server
) -> None:
    """Where a reasoning item is refused in the next round, it is left out, and the call stays."""
    item = {"id": "rs_1", "type": "reasoning", "summary": [], "encrypted_content": "of another"}
    conversation = [*PROMPT.input, item, {"role": "assistant", "content": "x"}, *PROMPT.input]
    events = await replier.models[0].begin(conversation, [], identifier="x", retries=0)
    assert [event["type"] async for event in events][-1] == "response.completed"
    refused, taken = bodies(stand_in)
    assert any(one.get("type") == "reasoning" for one in refused["input"])
    assert not any(one.get("type") == "reasoning" for one in taken["input"])
