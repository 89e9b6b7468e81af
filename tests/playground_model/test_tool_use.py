"""Memory tools beside recalled memories: called when asked for, by their schemas alone."""

from __future__ import annotations

import json
from typing import Any

import openai
import pytest

# Names and shapes of nobody in particular: the rules go by parameters.
KINDS = [
    {
        "title": "Dish",
        "type": "object",
        "properties": {"kind": {"const": "Dish"}, "food_name": {"type": "string"}},
        "required": ["food_name", "kind"],
    },
    {
        "title": "PersonalFact",
        "type": "object",
        "properties": {
            "kind": {"const": "PersonalFact"},
            "fact": {"type": "string"},
            "topic": {"anyOf": [{"type": "string"}, {"type": "null"}]},
        },
        "required": ["fact", "kind"],
    },
]
EMPTY: dict[str, Any] = {"type": "object", "properties": {}}
PARAMETERS: dict[str, dict[str, Any]] = {
    "lookup": {"type": "object", "properties": {"query": {"type": "string"}}},
    "change": {
        "type": "object",
        "properties": {
            "action": {"type": "string", "enum": ["create", "update", "delete"]},
            "content": {"anyOf": [{"oneOf": KINDS}, {"type": "null"}]},
            "id": {"anyOf": [{"type": "string"}, {"type": "null"}]},
        },
    },
    "show_memories": EMPTY,
    "erase_everything": EMPTY,
}
TOOLS: list[Any] = [
    {"type": "function", "name": name, "strict": False, "parameters": parameters}
    for name, parameters in PARAMETERS.items()
]


async def ask(client: openai.AsyncOpenAI, *conversation: Any) -> Any:
    """The next response to a conversation; a text is the person's."""
    items: list[Any] = [
        {"role": "user", "content": c} if isinstance(c, str) else c for c in conversation
    ]
    return await client.responses.create(model="gpt-6-luna", input=items, tools=TOOLS)


def calls(response: Any) -> list[tuple[str, dict[str, Any]]]:
    """The calls of a response: name and arguments."""
    found = [item for item in response.output if item.type == "function_call"]
    return [(item.name, json.loads(item.arguments)) for item in found]


def output(response: Any, value: Any) -> dict[str, Any]:
    """What the one call of `response` brought."""
    (call,) = response.output
    return {"type": "function_call_output", "call_id": call.call_id, "output": json.dumps(value)}


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("what do you remember about me?", "show_memories"),
        ("Show me my memories", "show_memories"),
        ("私について何を覚えてる？", "show_memories"),
        ("何を覚えていますか？", "show_memories"),
        ("forget everything about me", "erase_everything"),
        ("Please delete all my memories", "erase_everything"),
        ("私のことを全部忘れて", "erase_everything"),
        ("forget that I like ramen", "lookup"),
        ("can you forget my interest in Rust?", "lookup"),
        ("ラーメンが好きなことは忘れて", "lookup"),
        ("remember that I'm allergic to peanuts", "change"),
        ("Could you remember that I live in Osaka?", "change"),
        ("ピーナッツアレルギーだと覚えておいて", "change"),
    ],
)
async def test_what_is_asked_for_is_called(
    client: openai.AsyncOpenAI, text: str, name: str
) -> None:
    """A request about memories is one call of the tool that does it."""
    assert [called for called, _ in calls(await ask(client, text))] == [name]


@pytest.mark.parametrize(
    "text",
    [
        "I love ramen",
        "I like soba, not udon",
        "What should I eat?",
        "ok thanks",
        "I forgot my keys",
        "Do you remember the capital of France?",
        "ラーメンが好きです",
        "今日は何を食べよう？",
    ],
)
async def test_other_words_call_nothing(client: openai.AsyncOpenAI, text: str) -> None:
    """Statements and questions are answered in words; formation sees to the rest."""
    response = await ask(client, text)
    assert calls(response) == []
    assert response.output_text


@pytest.mark.parametrize(
    ("text", "content"),
    [
        (
            "remember that I'm allergic to peanuts",
            {"kind": "PersonalFact", "fact": "I'm allergic to peanuts", "topic": "allergy"},
        ),
        (
            "大阪に住んでいることを覚えておいて",
            {"kind": "PersonalFact", "fact": "大阪に住んでいる", "topic": "住まい"},
        ),
        ("don't forget that I love sushi", {"kind": "Dish", "food_name": "sushi"}),
        (
            "note: my bike is red",
            {"kind": "PersonalFact", "fact": "my bike is red"},
        ),
    ],
)
async def test_the_kind_is_chosen_by_what_is_said(
    client: openai.AsyncOpenAI, text: str, content: dict[str, Any]
) -> None:
    """What is to be remembered fills the schema that fits it."""
    response = await ask(client, text)
    assert calls(response) == [("change", {"action": "create", "content": content})]


async def test_forgetting_names_what_the_search_found(client: openai.AsyncOpenAI) -> None:
    """Of what a search brings only the memory that was meant is deleted, by its id."""
    question = "forget that I like ramen"
    searched = await ask(client, question)
    entries = [
        {"id": "a1", "content": {"food_name": "sushi"}},
        {"id": "a2", "content": {"food_name": "ramen"}},
    ]
    deleting = await ask(client, question, *searched.output, output(searched, entries))
    assert calls(deleting) == [("change", {"action": "delete", "id": "a2"})]
    done = await ask(
        client,
        question,
        *searched.output,
        output(searched, entries),
        *deleting.output,
        output(deleting, {"proposed": True, "done": False}),
    )
    assert calls(done) == []
    assert "button" in done.output_text


async def test_nothing_found_is_said(client: openai.AsyncOpenAI) -> None:
    """Where the search brings nothing nothing is deleted, and the answer says so."""
    question = "ラーメンが好きなことは忘れて"
    searched = await ask(client, question)
    answer = await ask(client, question, *searched.output, output(searched, []))
    assert calls(answer) == []
    assert "見つかりません" in answer.output_text


@pytest.mark.parametrize(
    ("question", "value", "words"),
    [
        ("remember that I live in Osaka", [{"done": "remembered"}], "I will remember"),
        ("remember that I live in Osaka", {"error": "No."}, "nothing was changed"),
        ("forget everything about me", {"proposed": True}, "Nothing is forgotten yet"),
        ("what do you remember about me?", {"shown_privately": True}, "Only you can see"),
        ("私について何を覚えてる？", {"shown_privately": True}, "あなたにだけ"),
    ],
)
async def test_the_words_fit_what_came_of_it(
    client: openai.AsyncOpenAI, question: str, value: Any, words: str
) -> None:
    """Done, proposed, shown or refused: the answer says which, and calls nothing more."""
    called = await ask(client, question)
    answer = await ask(client, question, *called.output, output(called, value))
    assert calls(answer) == []
    assert words in answer.output_text


async def test_older_outputs_belong_to_older_words(client: openai.AsyncOpenAI) -> None:
    """What a tool did for an earlier message does not count for the next."""
    first = "forget everything about me"
    called = await ask(client, first)
    answer = await ask(
        client, first, *called.output, output(called, {"proposed": True}), "ok thanks"
    )
    assert answer.output_text == "You're welcome!"
