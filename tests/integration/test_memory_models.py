"""Which API a memory model is called through, with what, and what its refusals mean."""

from __future__ import annotations

import logging
from typing import Any, Literal

import pytest
from langchain.chat_models.base import _BUILTIN_PROVIDERS

from bot.config import STAND_IN_MODEL, load_settings
from bot.runtime.wiring import create_chat_model
from memory import (
    Embedder,
    FormationUnavailable,
    Former,
    MemoryModelRefused,
    Pool,
    memory_model,
)
from memory.formation import calls_memory_tools
from memory.formation.formation_model import FormationModel
from memory.formation.tool_definitions import tool_definition
from memory.formation.verdict import MemoryVerdicts
from memory.model import provider_and_name
from memory.model.providers import PROVIDERS
from tests.conftest import Server
from tests.integration.model_servers import LOOSE, model_server
from tests.integration.scripted_model import ScriptedModel, food
from tests.integration.test_formation import ALICE_DM, words

RAMEN = food("ラーメン", 90, "ラーメンが好きです")
FINE_TUNED = "ft:gpt-4.1-mini-2025-04-14:acme:notes:abc123"


@pytest.mark.parametrize(
    ("model", "expected"),
    [
        ("gpt-6-luna", ("openai", "gpt-6-luna")),
        (FINE_TUNED, ("openai", FINE_TUNED)),
        ("openai:qwen3:8b", ("openai", "qwen3:8b")),
        ("bedrock:vendor.model-v1:0", ("bedrock", "vendor.model-v1:0")),
        ("openai-chat:qwen3:8b", ("openai-chat", "qwen3:8b")),
        ("qwen3:8b", ("openai", "qwen3:8b")),
    ],
)
def test_the_provider_is_what_precedes_the_first_colon(
    model: str, expected: tuple[str, str]
) -> None:
    """A name's own colons stay in it, and what LangChain does not know is no provider."""
    assert provider_and_name(model) == expected
    assert PROVIDERS - {"openai-chat"} == _BUILTIN_PROVIDERS.keys()


@pytest.mark.parametrize(
    "given", [{"api_key": "k"}, {"base_url": "http://127.0.0.1:9/v1"}]
)
def test_a_key_of_one_provider_is_not_given_for_another(given: dict[str, Any]) -> None:
    """Words would go to another host and account than the arguments say."""
    with pytest.raises(ValueError, match="azure_openai takes its key and address from"):
        memory_model(model="azure_openai:mine", **given)


@pytest.mark.parametrize(
    ("name", "path"),
    [("m", "/v1/responses"), ("openai-chat:m", "/v1/chat/completions")],
)
async def test_the_setting_reaches_the_memory_model(
    model: ScriptedModel, name: str, path: str
) -> None:
    """`openai-chat:` before the memory model's name chooses the API."""
    given = {"OPENAI_BASE_URL": model.base_url, "KIOKU_MEMORY_MODEL": name}
    settings = load_settings(given, dotenv=None)
    await create_chat_model(settings, None).ainvoke("I like ramen")
    assert model.paths == [path]


async def test_a_server_that_refuses_to_be_told_which_tool_to_call(
    stand_in: Server,
) -> None:
    """No request says which tool the model calls."""
    async with model_server(LOOSE, stand_in.openai_base_url) as server:
        chat = memory_model(model=STAND_IN_MODEL, api_key="k", base_url=server.url)
        assert await calls_memory_tools(chat)
        text = '<now>\n{"date": "2026-11-20"}\n</now>'
        await FormationModel(chat).ask(text, [tool_definition(MemoryVerdicts)])
    assert [one.get("tool_choice") for one in server.requests] == [None, None]


@pytest.mark.parametrize("judging", [False, True], ids=["formation", "verdict"])
@pytest.mark.parametrize(
    ("status", "code"),
    [
        (400, None),
        (401, "invalid_api_key"),
        (429, "insufficient_quota"),
    ],
)
async def test_a_refused_request_is_no_outage(
    former: Former,
    model: ScriptedModel,
    caplog: pytest.LogCaptureFixture,
    status: int,
    code: str | None,
    judging: bool,
) -> None:
    """A refusal that another setup ends is one request, one error of its own and one log line."""
    model.error_code = code
    model.answer([RAMEN] if judging else status)
    model.verdicts.append(status)
    model.probe = status
    with caplog.at_level(logging.WARNING), pytest.raises(MemoryModelRefused) as refused:
        await former.form(ALICE_DM, words("ラーメンが好きです"))
    error = refused.value.error
    assert error is not None
    assert (error.status, error.code) == (status, code or "")
    assert len(model.requests) == 1
    [line] = [one for one in caplog.records if one.name.startswith("memory")]
    why = f"HTTP {status}" + (f", {code}" if code else "")
    assert line.message == (
        f"The memory model scripted refuses requests ({why}): the words stay waiting until the"
        " setup is corrected; `kioku doctor` says how."
    )
    assert "ラーメン" not in caplog.text


@pytest.mark.parametrize(
    ("status", "code"),
    [
        (400, "content_filter"),
        (400, "invalid_prompt"),
        (400, "context_length_exceeded"),
        (403, "content_policy_violation"),
    ],
)
async def test_words_that_are_refused_are_not_sent_again(
    former: Former, model: ScriptedModel, status: int, code: str
) -> None:
    """A refusal of this text alone ends its formation: the same text would be refused again."""
    model.error_code = code
    model.answer(status)
    formed = await former.form(ALICE_DM, words("ラーメンが好きです"))
    assert [one.reason for one in formed.refused] == ["unreadable"]
    assert len(model.requests) == 1


@pytest.mark.parametrize(
    ("code", "passes"),
    [
        ("server_error", True),
        ("server_is_overloaded", True),
        ("invalid_prompt", False),
    ],
)
async def test_a_failed_response_is_judged_by_its_code(
    former: Former, model: ScriptedModel, code: str, passes: bool
) -> None:
    """A response with status `failed` is an outage only for the codes that can pass."""
    model.failed_response = code
    if passes:
        with pytest.raises(FormationUnavailable) as failed:
            await former.form(ALICE_DM, words("ラーメンが好きです"))
        assert not isinstance(failed.value, MemoryModelRefused)
        return
    formed = await former.form(ALICE_DM, words("ラーメンが好きです"))
    assert [one.reason for one in formed.refused] == ["unreadable"]


@pytest.mark.parametrize("code", [429, 503, "rate_limit_exceeded", 401])
async def test_an_error_in_the_body_of_an_answer_is_judged_by_its_code(
    former: Former, model: ScriptedModel, code: int | str
) -> None:
    """OpenRouter answers so with 200, and writes the status into the code."""
    model.poison = {"ラーメン": {"error": {"message": "no", "code": code}}}
    with pytest.raises(FormationUnavailable) as failed:
        await former.form(ALICE_DM, words("ラーメンが好きです"))
    assert isinstance(failed.value, MemoryModelRefused) is (code == 401)
    assert len(model.requests) == 1


@pytest.mark.parametrize("tools", ["dropped", "refused"])
async def test_a_model_without_tools_leaves_the_words_waiting(
    former: Former, model: ScriptedModel, tools: Literal["dropped", "refused"]
) -> None:
    """Whether its server refuses the tools or leaves them out; it is asked again each time."""
    model.tools = tools
    for _ in range(2):
        with pytest.raises(MemoryModelRefused):
            await former.form(ALICE_DM, words("ラーメンが好きです"))
    assert len(model.probes) == 2
    model.tools = "called"
    model.answer([RAMEN])
    formed = await former.form(ALICE_DM, words("ラーメンが好きです"))
    assert [change.action for change in formed.changes] == ["remembered"]


@pytest.mark.parametrize(
    ("told", "left"),
    [
        ("Unsupported parameter: 'reasoning.effort'", {"store": False}),
        ("Unsupported parameter: store", {"reasoning": {"effort": "low"}}),
    ],
)
async def test_a_parameter_that_is_refused_is_left_out_alone(
    pool: Pool,
    model_embedder: Embedder,
    model: ScriptedModel,
    told: str,
    left: dict[str, Any],
) -> None:
    """``store: false`` stays unless the refusal names it; the next words cost one request."""
    chat = memory_model(
        model="m", api_key="k", base_url=model.base_url, reasoning_effort="low"
    )
    former = Former(pool, model_embedder, chat)
    model.error_message = told
    model.answer(400, [RAMEN])
    await former.form(ALICE_DM, words("ラーメンが好きです"))
    await former.form(ALICE_DM, words("こんにちは"))
    assert len(model.requests) == 3
    for sent in model.requests[1:]:
        kept = {name: sent[name] for name in ("store", "reasoning") if name in sent}
        assert kept == left


async def test_a_model_with_nothing_to_remember_is_asked_once_whether_it_calls_tools(
    former: Former, model: ScriptedModel
) -> None:
    """An answer without a call may mean both; the tools stay where they work."""
    for said in ("Hello", "How are you?"):
        await former.form(ALICE_DM, words(said))
    assert len(model.probes) == 1
    assert {*model.paths} == {"/v1/responses"}
