"""Which API a memory model is called through, with what, and what its refusals mean."""

from __future__ import annotations

import asyncio
import json
import logging
from typing import Any

import jsonschema
import pytest

from bot.config import STAND_IN_MODEL, load_settings
from bot.runtime.wiring import create_chat_model
from memory import (
    FormationUnavailable,
    Former,
    MemoryModelRefused,
    memory_model,
)
from memory.formation import calls_memory_tools
from memory.formation.chat_model import Api
from memory.formation.evidence import TypedMessage
from memory.formation.extract import extract_writes
from memory.formation.formation_model import FormationModel
from memory.formation.langmem_model import PatchDoc
from memory.formation.schema_calls import read_calls, response_format
from memory.formation.tool_definitions import ToolDefinition, tool_definition
from memory.formation.verdict import MemoryVerdicts
from memory.model import provider_and_name
from memory.model.person_message import PersonMessage
from memory.model.schemas import SCHEMAS, with_evidence
from tests.conftest import Server
from tests.integration.model_servers import VLLM, model_server
from tests.integration.scripted_model import ScriptedModel, food, patch, remove
from tests.integration.test_formation import ALICE_DM, words

TEA: ToolDefinition = {
    "type": "function",
    "function": {"name": "Tea", "parameters": {}},
}
CUT_OFF = json.dumps({"calls": [{"tool": "Tea"}] * 12})
RAMEN = food("ラーメン", 90, "ラーメンが好きです")
FINE_TUNED = "ft:gpt-4.1-mini-2025-04-14:acme:notes:abc123"


@pytest.mark.parametrize(
    ("model", "expected"),
    [
        ("gpt-6-luna", ("openai", "gpt-6-luna")),
        (FINE_TUNED, ("openai", FINE_TUNED)),
        ("openai:qwen3:8b", ("openai", "qwen3:8b")),
        ("bedrock:vendor.model-v1:0", ("bedrock", "vendor.model-v1:0")),
    ],
)
def test_the_provider_is_what_precedes_the_first_colon(
    model: str, expected: tuple[str, str]
) -> None:
    """A name's own colons stay in it, and a fine-tuned model is OpenAI's."""
    assert provider_and_name(model) == expected


@pytest.mark.parametrize(
    "given", [{"api_key": "k"}, {"base_url": "http://127.0.0.1:9/v1"}]
)
def test_a_key_of_one_provider_is_not_given_for_another(given: dict[str, Any]) -> None:
    """Words would go to another host and account than the arguments say."""
    with pytest.raises(ValueError, match="azure_openai takes its key and address from"):
        memory_model(model="azure_openai:mine", **given)


@pytest.mark.parametrize("api", ["responses", "chat"])
async def test_the_setting_reaches_the_memory_model(
    model: ScriptedModel, api: Api
) -> None:
    """`chat:` before the memory model's name chooses the API."""
    name = {"responses": "m", "chat": "chat:m"}[api]
    given = {"OPENAI_BASE_URL": model.base_url, "KIOKU_MEMORY_MODEL": name}
    settings = load_settings(given, dotenv=None)
    await create_chat_model(settings, None).ainvoke("I like ramen")
    assert model.paths == [
        {"responses": "/v1/responses", "chat": "/v1/chat/completions"}[api]
    ]


async def test_a_server_that_refuses_to_be_told_which_tool_to_call(
    stand_in: Server,
) -> None:
    """No request says which tool the model calls."""
    async with model_server(VLLM, stand_in.openai_base_url) as server:
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
    assert (refused.value.status, refused.value.code) == (status, code or "")
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


SCHEMA_ONLY = "/v1/chat/completions"


def answers_by_schema(model: ScriptedModel, *, drops: bool) -> None:
    """Let the server take tools for nothing, or refuse them; a schema it follows."""
    model.tools = "dropped" if drops else "refused"


@pytest.mark.parametrize("drops", [True, False], ids=["dropped", "refused"])
async def test_a_server_without_tools_is_asked_by_a_schema(
    former: Former, model: ScriptedModel, drops: bool
) -> None:
    """A memory is formed, changed and removed, and the way is found out once."""
    answers_by_schema(model, drops=drops)
    model.answer([RAMEN])
    formed = await former.form(ALICE_DM, words("ラーメンが好きです"))
    assert [change.action for change in formed.changes] == ["remembered"]
    assert len(model.probes) == 2
    asked = len(model.paths)
    model.answer(
        lambda shown: [
            patch(
                shown.id_of("ラーメン"),
                description="味噌",
                evidence="味噌ラーメンが好き",
            )
        ],
        lambda shown: [remove(shown.id_of("ラーメン"))],
    )
    for said, action in (
        ("味噌ラーメンが好き", "updated"),
        ("ラーメンは忘れて", "removed"),
    ):
        formed = await former.form(ALICE_DM, words(said))
        assert [change.action for change in formed.changes] == [action]
    assert len(model.probes) == 2
    assert {*model.paths[asked:]} == {SCHEMA_ONLY}
    assert all(
        "tools" not in one and len(one["messages"]) == 1 for one in model.requests[-2:]
    )


async def test_words_are_read_whose_tools_were_dropped_while_the_way_was_found(
    former: Former, model: ScriptedModel
) -> None:
    """An answer without a call says nothing where another run has found that there are no tools."""
    model.tools = "dropped"
    barrier = asyncio.Barrier(2)
    model.late = {"ラーメン": barrier}
    reading = asyncio.create_task(former.form(ALICE_DM, words("ラーメンが好きです")))
    await barrier.wait()
    await former.form(ALICE_DM, words("こんにちは"))
    assert len(model.probes) == 2
    model.answer([RAMEN])
    await barrier.wait()
    formed = await reading
    assert [change.action for change in formed.changes] == ["remembered"]
    assert len(model.probes) == 2


async def test_a_model_with_nothing_to_remember_is_asked_once_whether_it_calls_tools(
    former: Former, model: ScriptedModel
) -> None:
    """An answer without a call may mean both; the tools stay where they work."""
    for said in ("Hello", "How are you?"):
        await former.form(ALICE_DM, words(said))
    assert len(model.probes) == 1
    assert {*model.paths} == {"/v1/responses"}


async def test_the_stand_in_answers_by_a_schema(stand_in: Server) -> None:
    """The double reads the schema of a request over /chat/completions."""
    chat = memory_model(
        model=STAND_IN_MODEL, api_key="k", base_url=stand_in.openai_base_url
    )
    asked = FormationModel(chat)
    asked.way = "schema"
    said = TypedMessage(PersonMessage(text="I love ramen."))
    [write] = await extract_writes(asked, SCHEMAS, [], [said])
    assert write.value is not None
    assert write.value["content"]["food_name"] == "ramen"
    assert write.value["content"]["evidence"] in said.text


@pytest.mark.parametrize(
    ("text", "calls"),
    [
        ('{"calls": []}', []),
        ('<think>{"calls": 1}</think>```json\n{"calls": [{"tool": "Tea"}]}\n```', [{}]),
        (
            '{"calls": [{"tool": "Tea", "leaf": "green"}, {"tool": "Other"}]}',
            [{"leaf": "green"}],
        ),
        (
            '{"calls": [7, {"tool": "Tea", "changes": []}]}',
            [{"planned_edits": "", "patches": []}],
        ),
    ],
)
def test_calls_are_read_from_json(text: str, calls: list[dict[str, Any]]) -> None:
    """What is no call of a tool that was given is left out."""
    assert [one["args"] for one in read_calls(text, [TEA])] == calls


@pytest.mark.parametrize(
    "text", ["", "no JSON", "[]", '{"calls": 1}', '{"calls": [', CUT_OFF]
)
def test_an_answer_that_is_not_of_the_schema_is_refused(text: str) -> None:
    """A text without calls, and one with as many calls as there may be, which may go on."""
    with pytest.raises(ValueError, match=r".*"):
        read_calls(text, [TEA])


def test_every_text_and_list_of_a_schema_has_an_end() -> None:
    """So that an answer ends, whatever the model repeats."""
    tools = [tool_definition(with_evidence(schema)) for schema in SCHEMAS]
    tools.append(tool_definition(MemoryVerdicts))
    schemas = [response_format(tools)["json_schema"]["schema"]]
    while schemas:
        schema = schemas.pop()
        schemas += [one for one in schema.values() if isinstance(one, dict)]
        schemas += [one for one in schema.get("anyOf", []) if isinstance(one, dict)]
        if schema.get("type") == "string":
            assert {"maxLength", "enum", "pattern", "format"} & schema.keys()
        if schema.get("type") == "array":
            assert schema["maxItems"] <= 20
    assert "$ref" not in str(response_format(tools))


@pytest.mark.parametrize("value", ["Osaka", 90, 3.5, True])
def test_a_field_is_changed_to_any_single_value(value: object) -> None:
    """A server that follows the schema can write no other."""
    form = response_format([tool_definition(PatchDoc)])["json_schema"]["schema"]
    changes = [{"field": "f", "value": value}]
    call = {"tool": "PatchDoc", "json_doc_id": "0", "changes": changes}
    jsonschema.validate({"calls": [call]}, form)
