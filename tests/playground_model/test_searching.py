"""Memory tools as the only way to the memories: searched for questions, forgotten by id."""

from __future__ import annotations

import json
from typing import Any

import openai
import pytest

TOOLS: list[Any] = [
    {
        "type": "function",
        "name": "search_memory",
        "strict": False,
        "parameters": {"type": "object", "properties": {"query": {"type": "string"}}},
    },
    {
        "type": "function",
        "name": "manage_memory",
        "strict": False,
        "parameters": {
            "type": "object",
            "properties": {
                "content": {"type": "string"},
                "action": {"type": "string", "enum": ["create", "update", "delete"]},
                "id": {"type": "string"},
            },
        },
    },
]
QUESTION = "What should I have for lunch?"


async def ask(client: openai.AsyncOpenAI, conversation: list[Any]) -> Any:
    """The next response, which is added to the conversation."""
    response = await client.responses.create(
        model="gpt-6-luna", input=list(conversation), tools=TOOLS
    )
    conversation += response.output
    return response


def result(response: Any, output: Any) -> dict[str, Any]:
    """What a host sends back for the one call of `response`."""
    (call,) = response.output
    text = output if isinstance(output, str) else json.dumps(output)
    return {"type": "function_call_output", "call_id": call.call_id, "output": text}


@pytest.mark.parametrize(
    "value",
    [
        {"content": "I love ramen"},
        {"kind": "UserFoodPreference", "content": {"food_name": "ramen", "preference": 100}},
    ],
)
async def test_a_question_is_answered_from_what_a_search_finds(
    client: openai.AsyncOpenAI, value: dict[str, Any]
) -> None:
    """A memory in LangMem's search result counts, be it a sentence or a schema's."""
    conversation: list[Any] = [{"role": "user", "content": QUESTION}]
    response = await ask(client, conversation)
    (call,) = response.output
    assert (call.name, "lunch" in json.loads(call.arguments)["query"]) == ("search_memory", True)
    conversation.append(result(response, [{"key": "k1", "value": value}]))
    assert "ramen" in (await ask(client, conversation)).output_text


async def test_an_empty_search_ends_in_words(client: openai.AsyncOpenAI) -> None:
    """What is not found is not searched for again."""
    conversation: list[Any] = [{"role": "user", "content": QUESTION}]
    conversation.append(result(await ask(client, conversation), []))
    assert "Tell me what you like" in (await ask(client, conversation)).output_text


@pytest.mark.parametrize(
    "conversation",
    [
        [
            {"role": "developer", "content": "<memories>\n</memories>"},
            {"role": "user", "content": QUESTION},
        ],
        [{"role": "user", "content": "hello"}],
        [{"role": "user", "content": "I love ramen"}],
    ],
)
async def test_nothing_is_searched_without_need(
    client: openai.AsyncOpenAI, conversation: list[Any]
) -> None:
    """A host that brought the memories, a greeting and a statement get words at once."""
    assert (await ask(client, conversation)).output_text


@pytest.mark.parametrize(
    ("message", "words"),
    [("Forget that I like ramen", "forgotten"), ("ラーメンが好きなことは忘れて", "忘れ")],
)
async def test_a_deletion_that_was_done_is_told(
    client: openai.AsyncOpenAI, message: str, words: str
) -> None:
    """Found, deleted by its id, and said so."""
    name = "ラーメン" if "ラーメン" in message else "ramen"
    conversation: list[Any] = [{"role": "user", "content": message}]
    found = [{"key": "k1", "value": {"content": name}}, {"key": "k2", "value": {"content": "soba"}}]
    conversation.append(result(await ask(client, conversation), found))
    deletion = await ask(client, conversation)
    assert json.loads(deletion.output[0].arguments) == {"action": "delete", "id": "k1"}
    conversation.append(result(deletion, "Deleted memory k1"))
    assert words in (await ask(client, conversation)).output_text
