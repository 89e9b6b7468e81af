"""Every model name of the `openai` package as reply model and memory model, over HTTP."""

from __future__ import annotations

import re
from typing import Any, get_args

import openai
import pytest
from openai.types.shared.chat_model import ChatModel
from openai.types.shared.responses_model import ResponsesModel

from bot.pipeline.responses.failures import ReplyFailed
from bot.pipeline.responses.request import MAX_OUTPUT_TOKENS
from memory import (
    MemoryModelRefused,
    calls_memory_tools,
    memory_model,
)
from tests.conftest import Server
from tests.integration.responses_server import ALICE, PROMPT, Shown, create_replier

pytestmark = pytest.mark.slow

NAMES = sorted({name for names in get_args(ResponsesModel) for name in get_args(names)})
FINE_TUNED = ["ft:gpt-4.1-mini-2025-04-14:acme:notes:abc123", "ft:gpt-5.6-luna:acme::x"]
# Served by chat completions only: replies and memories cannot use them.
CHAT_ONLY = re.compile("-audio|-search-preview")
# Parameters that some families of models refuse.
PARTIAL = {"temperature", "top_p", "reasoning", "reasoning_effort", "frequency_penalty"}


def requests(stand_in: Server) -> list[dict[str, Any]]:
    """Return the requests so far."""
    return list(stand_in.call("/_model/journal")["entries"])


def test_the_names_are_all_that_the_package_lists() -> None:
    """Both lists are covered, and `ResponsesModel` contains the whole of `ChatModel`."""
    assert set(get_args(ChatModel)) < set(NAMES)
    assert len(NAMES) > 100


async def test_replies_use_the_responses_api(
    subtests: pytest.Subtests, model_client: openai.AsyncOpenAI, stand_in: Server
) -> None:
    """Every reply model is called through /responses, with parameters that every family takes."""

    for name in NAMES + FINE_TUNED:
        with subtests.test(name=name):
            stand_in.call("/_model/journal", method="DELETE")
            replier = create_replier(model_client, model=name, web_search=True)
            if CHAT_ONLY.search(name):
                with pytest.raises(ReplyFailed, match="model_refused"):
                    await replier.reply(ALICE, PROMPT, Shown())
            else:
                assert (await replier.reply(ALICE, PROMPT, Shown())).text
            [entry] = requests(stand_in)
            assert entry["endpoint"] == "responses"
            body = entry["body"]
            assert body["model"] == name
            assert (body["max_output_tokens"], body["store"]) == (MAX_OUTPUT_TOKENS, False)
            assert not PARTIAL & set(body)
            assert [tool["strict"] for tool in body["tools"]] == [False]


async def test_memories_use_the_responses_api(subtests: pytest.Subtests, stand_in: Server) -> None:
    """Every memory model forms memories and gives verdicts through /responses."""
    for name in NAMES + FINE_TUNED:
        with subtests.test(name=name):
            stand_in.call("/_model/journal", method="DELETE")
            chat = memory_model(model=name, api_key="x", base_url=stand_in.openai_base_url)
            if CHAT_ONLY.search(name):
                with pytest.raises(MemoryModelRefused):
                    await calls_memory_tools(chat)
                continue
            assert await calls_memory_tools(chat)
            entries = requests(stand_in)
            assert [(one["endpoint"], one["kind"]) for one in entries] == [
                ("responses", "formation")
            ]
            for body in (one["body"] for one in entries):
                assert (body["model"], body["store"]) == (name, False)
                assert not PARTIAL & set(body)
                assert {tool["strict"] for tool in body["tools"]} == {False}


@pytest.mark.parametrize(
    ("name", "refused"),
    [
        ("gpt-4.1-mini", None),
        ("gpt-5.4-mini", None),
        ("o1", None),
        ("ft:gpt-4.1-mini-2025-04-14:acme:notes:abc123", None),
        ("gpt-5.6-luna", 400),
        ("gpt-5.6-terra", 400),
        ("gpt-6-luna", 400),
        ("gpt-6.1-sol", 400),
        ("ft:gpt-5.6-luna:acme::x", 400),
        ("o3-pro", 404),
        ("gpt-5.5-pro", 404),
    ],
)
async def test_the_opt_out_uses_chat_completions(
    stand_in: Server, name: str, refused: int | None
) -> None:
    """With `chat` every name goes to /chat/completions, which refuses some models or tools."""
    chat = memory_model(model=name, api_key="x", base_url=stand_in.openai_base_url, api="chat")
    if refused is None:
        assert await calls_memory_tools(chat)
    else:
        with pytest.raises(MemoryModelRefused) as error:
            await calls_memory_tools(chat)
        assert error.value.status == refused
    [entry] = requests(stand_in)
    assert entry["endpoint"] == "chat"
    assert not PARTIAL & set(entry["body"])
