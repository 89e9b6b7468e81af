"""Tools for control, called when asked for in words: by parameters and names."""

from __future__ import annotations

import json
from typing import Any

import openai
import pytest

from tests.playground_model.test_tool_use import calls, output

EMPTY: dict[str, Any] = {"type": "object", "properties": {}}


def takes(**properties: Any) -> dict[str, Any]:
    """Return the parameters of a tool."""
    return {"type": "object", "properties": properties}


TEXT = {"type": "string"}
PARAMETERS: dict[str, dict[str, Any]] = {
    "lookup": takes(query=TEXT),
    "change": takes(
        action={"type": "string", "enum": ["create", "update", "delete"]},
        content={"anyOf": [{"type": "string"}, {"type": "null"}]},
        id={"anyOf": [{"type": "string"}, {"type": "null"}]},
    ),
    "show_memories": EMPTY,
    "erase_everything": EMPTY,
    "pause_memory": takes(duration=TEXT),
    "resume_memory": EMPTY,
    "do_not_remember": takes(which=TEXT),
    "incognito_thread": EMPTY,
    "be_quiet_in_thread": EMPTY,
    "read_current_context": EMPTY,
    "forget_period": takes(period=TEXT),
    "show_history": EMPTY,
    "show_settings": EMPTY,
    "show_preview": EMPTY,
    "show_help": EMPTY,
    "export_memories": EMPTY,
    "change_settings": takes(
        notices={"type": "boolean"}, language=TEXT, retention_days={"type": "integer"}, memory=TEXT
    ),
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


SAID = [
    ("Please pause your memory", "pause_memory", {"duration": ""}),
    ("pause memory for 2 hours", "pause_memory", {"duration": "for 2 hours"}),
    (
        "stop remembering things until tomorrow, please",
        "pause_memory",
        {"duration": "until tomorrow"},
    ),
    ("記憶を一時停止して", "pause_memory", {"duration": ""}),
    ("2時間、記憶を止めて", "pause_memory", {"duration": "2時間"}),
    ("明日まで記憶を停止してください", "pause_memory", {"duration": "明日まで"}),
    ("resume your memory", "resume_memory", {}),
    ("you can remember things again", "resume_memory", {}),
    ("記憶を再開して", "resume_memory", {}),
    ("I had sushi today, but don't remember this", "do_not_remember", {"which": "this_message"}),
    ("off the record: I like natto", "do_not_remember", {"which": "this_message"}),
    ("please don't remember that", "do_not_remember", {"which": "previous_message"}),
    ("納豆が好き。これは覚えないで", "do_not_remember", {"which": "this_message"}),
    ("さっきの話は覚えないで", "do_not_remember", {"which": "previous_message"}),
    ("make this thread incognito", "incognito_thread", {}),
    ("Keep this conversation out of your memory", "incognito_thread", {}),
    ("このスレッドはシークレットにして", "incognito_thread", {}),
    ("be quiet in this thread", "be_quiet_in_thread", {}),
    ("Please stop replying here", "be_quiet_in_thread", {}),
    ("このスレッドでは静かにして", "be_quiet_in_thread", {}),
    ("What is going on in this channel?", "read_current_context", {}),
    ("Sum up this message", "read_current_context", {}),
    ("このチャンネルを要約して", "read_current_context", {}),
    ("forget everything I told you today", "forget_period", {"period": "today"}),
    ("forget what I said in the last hour", "forget_period", {"period": "last_hour"}),
    ("Forget this thread", "forget_period", {"period": "this_thread"}),
    ("今日話したことを忘れて", "forget_period", {"period": "today"}),
    ("昨日言ったことは全部忘れて", "forget_period", {"period": "yesterday"}),
    ("このスレッドを忘れて", "forget_period", {"period": "this_thread"}),
    ("show me the history of your memory", "show_history", {}),
    ("what has changed in what you remember?", "show_history", {}),
    ("記憶の履歴を見せて", "show_history", {}),
    ("open my settings", "show_settings", {}),
    ("設定を見せて", "show_settings", {}),
    ("what could you use in this channel?", "show_preview", {}),
    ("この会話ではどの記憶を使う？", "show_preview", {}),
    ("what can I do with my memories?", "show_help", {}),
    ("記憶で何ができる？", "show_help", {}),
    ("export my memories", "export_memories", {}),
    ("記憶をエクスポートして", "export_memories", {}),
    ("stop telling me when you remember something", "change_settings", {"notices": False}),
    ("turn the notices on again", "change_settings", {"notices": True}),
    ("お知らせはいらない", "change_settings", {"notices": False}),
    ("turn your memory off", "change_settings", {"memory": "off"}),
    ("記憶をオフにして", "change_settings", {"memory": "off"}),
    ("switch memory on", "change_settings", {"memory": "on"}),
    ("keep my memories for 30 days", "change_settings", {"retention_days": 30}),
    ("記憶は90日間だけ保存して", "change_settings", {"retention_days": 90}),
    ("set my language to Japanese", "change_settings", {"language": "ja"}),
    ("言語を英語にして", "change_settings", {"language": "en"}),
]


@pytest.mark.parametrize(("text", "name", "arguments"), SAID)
async def test_what_is_asked_for_is_called(
    client: openai.AsyncOpenAI, text: str, name: str, arguments: dict[str, Any]
) -> None:
    """A request to control memory is one call of the tool that does it."""
    assert calls(await ask(client, text)) == [(name, arguments)]


@pytest.mark.parametrize(
    "text",
    [
        "I love ramen",
        "I work on the settings page today",
        "We paused the project for 2 hours",
        "My history teacher liked soba",
        "今日はラーメンを食べた",
        "通知の仕組みに興味があります",
        "What did you think of the last hour of the film?",
    ],
)
async def test_other_words_control_nothing(client: openai.AsyncOpenAI, text: str) -> None:
    """What only sounds like it is answered in words."""
    assert calls(await ask(client, text)) == []


@pytest.mark.parametrize(
    ("text", "value", "said"),
    [
        ("pause memory", {"paused": True, "until": "resumed"}, "paused"),
        ("記憶を再開して", {"resumed": True}, "再開"),
        ("don't remember this", {"not_remembered": "this_message", "done": True}, "not remember"),
        ("forget this thread", {"proposed": True, "done": False}, "button"),
        ("pause memory for a while", {"error": "not understood"}, "I could not"),
        ("turn the notices off", {"done": ["notices"]}, "changed"),
    ],
)
async def test_what_came_of_it_is_said(
    client: openai.AsyncOpenAI, text: str, value: dict[str, Any], said: str
) -> None:
    """The words after the call say what was done, proposed or refused."""
    first = await ask(client, text)
    [call] = first.output
    sent = {
        "type": "function_call",
        "call_id": call.call_id,
        "name": call.name,
        "arguments": call.arguments,
    }
    answer = await ask(client, text, sent, output(first, value))
    assert said in answer.output_text
    assert json.dumps(value) not in answer.output_text
