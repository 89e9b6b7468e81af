"""The stand-in: what it replies, which tools it calls, and its verdicts, over Kioku's prompts."""

from __future__ import annotations

import json
import re
from typing import Any

import openai
import pytest

from kioku_stand_in.sentences import SCRIPT, read
from memory.formation.proposal import Verdict
from tests.conftest import ROOT
from tests.playground_model.controls import Controls

MODEL = "gpt-6-luna"
HONEST_EN, HONEST_JA = SCRIPT["replies"]["unknown"]
NOW = "It is Friday, 2026-11-20T19:58+09:00, in the time zone Asia/Tokyo."
PAUSE_FOR_TWO_HOURS = {"action": "pause", "until": "2026-11-20T21:58+09:00"}
TEXT = {"type": "string"}
PARAMETERS: dict[str, dict[str, Any]] = {
    "memory_search": {"query": TEXT},
    "memory_change": {"action": TEXT, "evidence": TEXT, "id": TEXT, "content": {"type": "object"}},
    "memory_settings": {"action": TEXT, "until": TEXT, "since": TEXT, "words": TEXT},
    "ask_about_colleague": {"name": TEXT},
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


def food(name: str, preference: int | None = 100, description: str = "") -> dict[str, Any]:
    """A memory of a dish, as a line of the prompt has it."""
    content = {"food_name": name, "preference": preference, "description": description or None}
    return {"kind": "UserFoodPreference", "content": content}


def fact(text: str, topic: str | None = None) -> dict[str, Any]:
    """A memory of a fact."""
    return {"kind": "UserFact", "content": {"fact": text, "topic": topic}}


def as_line(value: Any) -> str:
    """One JSON line whose angle brackets cannot close a frame."""
    line = json.dumps(value, ensure_ascii=False)
    return line.replace("<", "\\u003c").replace(">", "\\u003e")


async def respond(
    client: openai.AsyncOpenAI, *conversation: Any, known: Any = (), tools: Any = TOOLS
) -> Any:
    """The next response to a conversation, in which a text is the person's."""
    lines = [NOW, "<memories>", *map(as_line, known), "</memories>"]
    items: list[Any] = [{"role": "system", "content": "\n".join(lines)}]
    items += [{"role": "user", "content": c} if isinstance(c, str) else c for c in conversation]
    return await client.responses.create(model=MODEL, input=items, tools=tools)


def said(response: Any) -> str:
    """The text of a reply or of a refusal."""
    [message] = [one for one in response.output if one.type == "message"]
    [part] = message.content
    return str(part.refusal if part.type == "refusal" else part.text)


def calls(response: Any) -> list[tuple[str, dict[str, Any]]]:
    """The calls of a response: name and arguments."""
    found = [item for item in response.output if item.type == "function_call"]
    return [(item.name, json.loads(item.arguments)) for item in found]


def output(response: Any, value: Any) -> dict[str, Any]:
    """What the one call of `response` brought."""
    (call,) = response.output
    return {"type": "function_call_output", "call_id": call.call_id, "output": json.dumps(value)}


@pytest.mark.parametrize(
    ("question", "known", "reply"),
    [
        (
            "what shall I eat?",
            [food("soba", 90), food("natto", 5), fact("I'm allergic to peanuts", "allergy")],
            "You like **soba**, so how about that?\n"
            "You also told me: “I don't like natto”.\n"
            "You also told me: “I'm allergic to peanuts”.",
        ),
        (
            "今日は何を食べよう？",
            [food("ラーメン", 100, "味噌ラーメン"), food("納豆", 5)],
            "**味噌ラーメン**がお好きでしたね。いかがでしょうか？\n次のことも伺っています：「納豆は苦手です」",
        ),
        (
            "what do you know about me?",
            [food("natto", 5), fact("I live in Osaka")],
            "- **I don't like natto**\n- **I live in Osaka**",
        ),
    ],
)
async def test_an_answer_is_built_on_the_memories(
    client: openai.AsyncOpenAI, question: str, known: list[Any], reply: str
) -> None:
    """What is liked is suggested and listed; what is not is only told again, as an allergy is."""
    answer = await respond(client, question, known=known, tools=[])
    assert answer.output_text.endswith(reply)
    assert "soba" not in (await respond(client, question, tools=[])).output_text


async def test_a_reply_uses_what_was_said_before_it(client: openai.AsyncOpenAI) -> None:
    """Words of the conversation count as memories, and the newer ones of two."""
    told = ["I like natto. I hate Emacs. I live in Osaka", "I don't like natto. I moved to Tokyo"]
    answer = await respond(client, *told, "what do you remember about me?", tools=[])
    lines = "- **I don't like natto**\n- **I hate Emacs**\n- **I moved to Tokyo**"
    assert answer.output_text.endswith(lines)


@pytest.mark.parametrize(
    ("message", "reply"),
    [
        ("Is Rust hard?", HONEST_EN),
        ("明日の天気は？", HONEST_JA),
        ("<@U1> hello", SCRIPT["replies"]["hello"][0]),
        ("I love ramen. It rains.", f"Understood: **I love ramen**.\n\n{HONEST_EN}"),
        ("I love ramen, just so you know what I eat", HONEST_EN),
        ("そばが好きです。ありがとう", "わかりました：**そばが好きです**。\n\nどういたしまして！"),
    ],
)
async def test_what_fits_no_form_gets_one_honest_sentence(
    client: openai.AsyncOpenAI, message: str, reply: str
) -> None:
    """Alone it is a refusal: no answer, which nobody needs to rate."""
    response = await respond(client, message)
    assert said(response) == reply
    refused = response.output[0].content[0].type == "refusal"
    assert refused is (reply in (HONEST_EN, HONEST_JA))


@pytest.mark.parametrize(
    ("text", "tool", "arguments"),
    [
        ("pause your memory for 2 hours", "memory_settings", PAUSE_FOR_TWO_HOURS),
        (
            "forget what I said today",
            "memory_settings",
            {"action": "forget", "since": "2026-11-20"},
        ),
        ("forget that I like ramen", "memory_settings", {"action": "forget", "words": "ramen"}),
        ("How does Aya like reviews?", "ask_about_colleague", {"name": "Aya"}),
        ("How does @Mia Tanaka like reviews?", "ask_about_colleague", {"name": "@Mia Tanaka"}),
        (
            "田中 太郎さんはどんなレビューを好みますか？",
            "ask_about_colleague",
            {"name": "田中 太郎"},
        ),
        ("search the web for ramen", "search_web", {"query": "ramen"}),
        (
            "remember that I live in Osaka",
            "memory_change",
            {
                "action": "create",
                "evidence": "remember that I live in Osaka",
                "content": {"kind": "UserFact", "fact": "I live in Osaka", "topic": "home"},
            },
        ),
    ],
)
async def test_a_request_calls_the_tool_that_is_for_it(
    client: openai.AsyncOpenAI, text: str, tool: str, arguments: dict[str, Any]
) -> None:
    """Times are computed from the line of the prompt that says what time it is."""
    assert calls(await respond(client, text)) == [(tool, arguments)]


@pytest.mark.parametrize(
    ("value", "words"),
    [
        ({"error": "Memory stays off."}, "could not"),
        ({"shown_privately": True}, "Here it is"),
        ({"proposed": True, "done": False}, "Please confirm"),
        ({"done": True}, "Done"),
    ],
)
async def test_the_words_fit_what_came_of_it(
    client: openai.AsyncOpenAI, value: Any, words: str
) -> None:
    """The reply says what the tool did, and an older output says nothing of newer words."""
    called = await respond(client, "forget everything about me")
    told = ["forget everything about me", *called.output, output(called, value)]
    answer = await respond(client, *told)
    assert calls(answer) == []
    assert words in answer.output_text
    assert (await respond(client, *told, "ok thanks")).output_text == "You're welcome!"


def test_every_sentence_of_the_pages_is_understood() -> None:
    """The tables name only what matches a form, but for kept promises."""
    page = (ROOT / "docs/reference/stand-in-model.md").read_text("utf-8")
    rows = re.findall(r"^\| [a-z ]+ \| (.*) \|$", page.partition("## As a test")[0], re.M)
    sentences = [one for row in rows for one in row.split(" · ")]
    for name in ("docs/controls.md", "docs/controls.ja.md", "README.md", "docs/README.ja.md"):
        text = (ROOT / name).read_text("utf-8")
        told = re.findall(r"^\| \d+\. .* \| (.*) \|$|^[14]\. ((?:.|\n   )*)", text, re.M)
        sentences += re.findall("[“「`](.+?)[”」`]", "\n".join(map("".join, told)))
    assert len(sentences) > 60
    assert [one for one in sentences if "unknown" in {said.name for said in read(one)}] == [
        *("I sent Mia the figures", "ミアさんに数字を送りました"),
    ]


RAMEN = {"food_name": "ramen"}
TODAY = {"date": "2026-11-20"}
PLAIN = {
    "index": 0,
    "supported": True,
    "about": "speaker",
    "modality": "asserted",
    "conflict": "none",
}


def proposal(sentence: str, **given: Any) -> dict[str, Any]:
    """One proposal as the app writes it; an addition of a liked dish unless `given` says more."""
    values = {"food_name": "ramen", "preference": 80}
    plain = {"index": 0, "change": "add", "kind": "UserFoodPreference", "values": values}
    return {**plain, "old": None, "sentence": sentence, **given}


def proposed_fact(text: str, sentence: str, **given: Any) -> dict[str, Any]:
    """A proposed fact."""
    return proposal(sentence, kind="UserFact", values={"fact": text}, **given)


@pytest.mark.parametrize(
    ("proposed", "expected"),
    [
        (proposal("I like ramen"), {}),
        (proposal("I don't think I like ramen"), {"supported": False}),
        (
            proposal(
                "I meant miso ramen, not ramen", old=RAMEN, values={"food_name": "miso ramen"}
            ),
            {"conflict": "replaces"},
        ),
        (proposed_fact("糖尿病です", "糖尿病です。"), {"sensitive": "health"}),
        (
            proposed_fact("I moved to Tokyo", "I moved to Tokyo", old={"fact": "I live in Osaka"}),
            {"conflict": "replaces"},
        ),
        (
            proposed_fact("I live in Tokyo", "I live in Tokyo", old={"fact": "I live in Osaka"}),
            {"conflict": "unclear"},
        ),
        (
            proposed_fact("I am on a diet", "I am on a diet until Friday"),
            {"valid_until": "2026-11-27"},
        ),
        (
            proposal("I promised Mia the figures by Monday noon", kind="Promise"),
            {"modality": "promised", "due": "2026-11-23", "due_time": "12:00"},
        ),
        (proposal("I'm sick of ramen", change="remove", old=RAMEN), {"conflict": "replaces"}),
    ],
)
async def test_a_verdict_says_what_the_sentence_says(
    client: openai.AsyncOpenAI,
    controls: Controls,
    proposed: dict[str, Any],
    expected: dict[str, Any],
) -> None:
    """Supported or not, whether it is a promise, until when, and whether it is about health."""
    frames = {"now": TODAY, "proposals": proposed}
    request = "\n".join(f"<{name}>\n{as_line(one)}\n</{name}>" for name, one in frames.items())
    tools: Any = [{"type": "function", "name": "MemoryVerdicts", "strict": False, "parameters": {}}]
    answer = await client.responses.create(model="kioku-stand-in", input=request, tools=tools)
    [(name, given)] = calls(answer)
    assert name == "MemoryVerdicts"
    [verdict] = map(Verdict.model_validate, given["verdicts"])
    assert verdict == Verdict.model_validate(PLAIN | expected)
    assert [one["kind"] for one in await controls.journal()] == ["verdict"]


@pytest.mark.parametrize(
    ("text", "subjects"),
    [
        ("I love ramen and I write Rust.", ["ramen", "Rust"]),
        ("I like soba, but I don't like natto", ["soba", "natto"]),
        ("ラーメンが好きで、Rustを書いています", ["ラーメン", "Rust"]),
        ("AWSを勉強していて、大阪に住んでいます", ["AWS", "大阪"]),
    ],
)
def test_each_fact_of_a_sentence_is_understood(text: str, subjects: list[str]) -> None:
    """Each is a memory of its own, and quotes the whole sentence."""
    said = read(text)
    assert [one.parts["x"] for one in said] == subjects
    assert {one.parts["quote"] for one in said if one.states} == {text}
