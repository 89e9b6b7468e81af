"""The app's five tools: called when a sentence of the table asks for them, and told of."""

from __future__ import annotations

import json
from typing import Any

import openai
import pytest

from kioku_stand_in.sentences import TABLE

KINDS = (
    '{"kind": KIND, ...its fields}; kinds: UserTechInterest(topic, category?, interest_level?'
    " 1-100, description?); UserFoodPreference(food_name, cuisine?, preference? 1-100,"
    " description?); UserFact(fact, topic?); UserInstruction(instruction); Episode(observation,"
    " action?, result?)."
)
TEXT = {"type": "string"}
PARAMETERS: dict[str, dict[str, Any]] = {
    "memory_search": {"query": TEXT, "limit": {"type": "integer"}},
    "memory_change": {
        "action": {"type": "string", "enum": ["create", "update", "delete"]},
        "evidence": TEXT,
        "id": TEXT,
        "content": {"type": "object", "description": KINDS},
    },
    "memory_settings": {"action": TEXT, "until": TEXT},
    "read_current_view": {},
    "search_web": {"query": TEXT},
}
TOOLS: list[Any] = [
    {
        "type": "function",
        "name": name,
        "strict": False,
        "parameters": {"type": "object", "properties": properties},
    }
    for name, properties in PARAMETERS.items()
]
NOW = "It is Friday, 2026-11-20T19:58+09:00, in the time zone Asia/Tokyo."


async def ask(client: openai.AsyncOpenAI, *conversation: Any) -> Any:
    """The next response to a conversation; a text is the person's."""
    items: list[Any] = [
        {"role": "user", "content": c} if isinstance(c, str) else c for c in conversation
    ]
    developer: Any = {"role": "developer", "content": f"<memories>\n</memories>\n{NOW}"}
    return await client.responses.create(model="gpt-6-luna", input=[developer, *items], tools=TOOLS)


def calls(response: Any) -> list[tuple[str, dict[str, Any]]]:
    """The calls of a response: name and arguments."""
    found = [item for item in response.output if item.type == "function_call"]
    return [(item.name, json.loads(item.arguments)) for item in found]


def output(response: Any, value: Any) -> dict[str, Any]:
    """What the one call of `response` brought."""
    (call,) = response.output
    return {"type": "function_call_output", "call_id": call.call_id, "output": json.dumps(value)}


SETTINGS: list[tuple[str, str, dict[str, Any]]] = [
    ("pause your memory for 2 hours", "pause", {"until": "2026-11-20T21:58+09:00"}),
    ("2時間、記憶を止めて", "pause", {"until": "2026-11-20T21:58+09:00"}),
    ("Pause your memory until Friday", "pause", {"until": "2026-11-27"}),
    ("月曜日まで、記憶を止めて", "pause", {"until": "2026-11-23"}),
    ("pause memory", "pause", {}),
    ("turn memory on", "resume", {}),
    ("このスレッドは覚えないで", "incognito", {}),
    ("don't remember this", "do_not_remember", {"which": "this_message"}),
    ("I love natto, but don't remember this", "do_not_remember", {"which": "this_message"}),
    ("納豆が大好きです。これは覚えないで", "do_not_remember", {"which": "this_message"}),
    ("Don't remember that", "do_not_remember", {"which": "previous_message"}),
    ("forget everything about me", "forget", {"everything": True}),
    (
        "forget everything I told you today",
        "forget",
        {"since": "2026-11-20", "until": "2026-11-21"},
    ),
    ("forget yesterday", "forget", {"since": "2026-11-19", "until": "2026-11-20"}),
    ("forget what I said in the last hour", "forget", {"since": "2026-11-20T18:58+09:00"}),
    ("show me the history", "open", {"list": "changes"}),
    ("open my settings", "open", {}),
]


@pytest.mark.parametrize(("text", "action", "more"), SETTINGS)
async def test_memory_settings_gets_the_action_and_its_arguments(
    client: openai.AsyncOpenAI, text: str, action: str, more: dict[str, Any]
) -> None:
    """Times are computed from the line of the prompt that says what time it is."""
    assert calls(await ask(client, text)) == [("memory_settings", {"action": action, **more})]


async def test_every_request_of_the_table_is_one_call(client: openai.AsyncOpenAI) -> None:
    """Each example of a request calls the one tool that is for it, and nothing else calls any."""
    tools = {"forget": "memory_search", "view": "read_current_view"}
    for name, value, _, examples in TABLE:
        wanted: list[tuple[str, str | None]] = [(tools[name], None)] if name in tools else []
        if isinstance(value, dict):
            wanted = [("memory_settings", value.get("action", name))]
        for example in examples.split(" | "):
            made = calls(await ask(client, example))
            assert [(tool, given.get("action")) for tool, given in made] == wanted, example


async def test_forgetting_names_what_the_search_found(client: openai.AsyncOpenAI) -> None:
    """Of what a search brings only the memory that was meant is deleted, by its id."""
    question = "forget that I like ramen"
    searched = await ask(client, question)
    assert calls(searched) == [("memory_search", {"query": "ramen"})]
    entries = [
        {"id": "a1", "kind": "UserFoodPreference", "content": {"food_name": "sushi"}},
        {"id": "a2", "kind": "UserFoodPreference", "content": {"food_name": "ramen"}},
        {"id": "a3", "kind": "UserFact", "content": {"fact": "I live in Osaka"}},
    ]
    deleting = await ask(client, question, *searched.output, output(searched, entries))
    deletion = {"action": "delete", "evidence": question, "id": "a2"}
    assert calls(deleting) == [("memory_change", deletion)]
    done = await ask(
        client,
        question,
        *searched.output,
        output(searched, entries),
        *deleting.output,
        output(deleting, {"proposed": True, "done": False, "id": "a2"}),
    )
    assert calls(done) == []
    assert "button" in done.output_text


@pytest.mark.parametrize(
    ("question", "value", "words"),
    [
        ("remember that I live in Osaka", [{"done": "remembered", "id": "a"}], "I will remember"),
        ("remember that I live in Osaka", {"error": "No."}, "nothing was changed"),
        ("remember that I live in Osaka", {"done": False, "asked": "?"}, "asked you below"),
        ("remember that I live in Osaka", {"done": False, "later": "."}, "a little later"),
        (
            "remember that I live in Osaka",
            {"done": False, "refused": "not_asserted", "shown": "."},
            "did not remember",
        ),
        ("forget everything about me", {"proposed": True, "done": False}, "Nothing has changed"),
        ("forget yesterday", {"proposed": True, "done": False}, "If there is anything to change"),
        ("forget yesterday", {"not_found": True, "done": False}, "I found nothing like that"),
        ("what do you remember about me?", {"shown_privately": True}, "Here it is"),
        ("私について何を覚えてる？", {"shown_privately": True}, "こちらです"),
        ("pause memory", {"done": True, "memory": "off"}, "Done."),
        ("resume your memory", {"error": "Memory stays off."}, "could not"),
        ("what is going on in this channel?", {"messages": []}, "does not sum it up"),
        ("don't remember this", {"not_remembered": "this_message", "done": True}, "not remember"),
    ],
)
async def test_the_words_fit_what_came_of_it(
    client: openai.AsyncOpenAI, question: str, value: Any, words: str
) -> None:
    """Done, asked, proposed, shown or refused: the answer says which, and calls nothing more."""
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


async def test_without_the_tool_the_answer_says_so(client: openai.AsyncOpenAI) -> None:
    """Where no tool does what is asked nothing is claimed."""
    for text in ("pause memory", "forget ramen"):
        response = await client.responses.create(model="gpt-6-luna", input=text)
        assert "cannot" in response.output_text
