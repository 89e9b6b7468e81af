"""The verdicts: supported where the sentence fits a form of the table and says the same."""

from __future__ import annotations

import json
from typing import Any

import openai
import pytest

from tests.playground_model.controls import Controls

FOOD = "UserFoodPreference"


def proposal(sentence: str, **given: Any) -> dict[str, Any]:
    """One proposal as the app writes it; an addition of a liked dish unless `given` says more."""
    return {
        "index": 0,
        "change": "add",
        "kind": FOOD,
        "values": {"food_name": "ramen", "preference": 80},
        "old": None,
        "sentence": sentence,
        "before": "",
        "after": "",
        "question": None,
    } | given


def request(*proposals: dict[str, Any], typed: str = "") -> str:
    """The last user message of the request."""
    frames: dict[str, list[Any]] = {
        "now": [{"date": "2026-11-20", "weekday": "Friday", "zone": "Asia/Tokyo"}],
        "typed": [typed] if typed else [],
        "proposals": list(proposals),
    }
    lines = []
    for name, values in frames.items():
        framed = [
            json.dumps(value, ensure_ascii=False).replace("<", "\\u003c").replace(">", "\\u003e")
            for value in values
        ]
        lines += [f"<{name}>", *framed, f"</{name}>"] if values else []
    return "\n".join(lines)


async def judged(client: openai.AsyncOpenAI, *proposals: Any, typed: str = "") -> list[Any]:
    """The verdicts, by a forced tool of chat completions."""
    tool: Any = {"type": "function", "function": {"name": "MemoryVerdicts", "parameters": {}}}
    answer = await client.chat.completions.create(
        model="kioku-stand-in",
        messages=[
            {"role": "system", "content": "Call MemoryVerdicts."},
            {"role": "user", "content": request(*proposals, typed=typed)},
        ],
        tools=[tool],
        tool_choice={"type": "function", "function": {"name": "MemoryVerdicts"}},
    )
    [call] = answer.choices[0].message.tool_calls or []
    assert call.type == "function"
    verdicts: list[Any] = json.loads(call.function.arguments)["verdicts"]
    return verdicts


PLAIN = {
    "index": 0,
    "supported": True,
    "about": "speaker",
    "modality": "asserted",
    "valid_until": None,
    "conflict": "none",
    "sensitive": "none",
}


def fact(text: str, sentence: str) -> dict[str, Any]:
    """A proposed fact."""
    return proposal(sentence, kind="UserFact", values={"fact": text})


@pytest.mark.parametrize(
    ("proposed", "expected"),
    [
        (proposal("I like ramen"), PLAIN),
        (proposal("I don't think I like ramen"), PLAIN | {"supported": False}),
        (proposal("I hate ramen"), PLAIN | {"supported": False}),
        (proposal("I like soba"), PLAIN | {"supported": False}),
        (proposal("I hate ramen", values={"food_name": "ramen", "preference": 5}), PLAIN),
        (fact("Is allergic to peanuts", "remember that I'm allergic to peanuts"), PLAIN),
        (fact("糖尿病です", "糖尿病です。"), PLAIN | {"sensitive": "health"}),
        (fact("I moved to Tokyo", "I moved to Tokyo"), PLAIN | {"conflict": "replaces"}),
        (
            fact("I live in Tokyo", "I live in Tokyo") | {"old": {"fact": "I live in Osaka"}},
            PLAIN | {"conflict": "unclear"},
        ),
        (
            fact("I am on a diet", "I am on a diet until Friday"),
            PLAIN | {"valid_until": "2026-11-27"},
        ),
        (fact("休暇中", "月曜日まで休暇中です"), PLAIN | {"valid_until": "2026-11-23"}),
        (fact("away", "I am away until 2026-12-24"), PLAIN | {"valid_until": "2026-12-24"}),
        (
            proposal(
                "箇条書きで答えて",
                kind="UserInstruction",
                values={"instruction": "箇条書きで答える"},
            ),
            PLAIN | {"modality": "request"},
        ),
        (
            proposal(
                "ラーメンは味噌ラーメンが好き",
                change="change",
                old={"food_name": "ラーメン", "preference": 100},
                values={"description": "味噌ラーメンが好き"},
            ),
            PLAIN | {"conflict": "replaces"},
        ),
    ],
)
async def test_a_verdict_says_what_the_sentence_says(
    client: openai.AsyncOpenAI, proposed: dict[str, Any], expected: dict[str, Any]
) -> None:
    """Supported or not, whether it is a request, until when, and whether it is about health."""
    assert await judged(client, proposed) == [expected]


@pytest.mark.parametrize(
    ("typed", "supported"),
    [
        ("パスタは嫌いになりました", True),
        ("パスタのことは忘れて", True),
        ("パスタは苦手です", False),
        ("そばは嫌いになりました", False),
        ("パスタが好きです", False),
    ],
)
async def test_a_removal_needs_words_that_take_it_back(
    client: openai.AsyncOpenAI, typed: str, supported: bool
) -> None:
    """A dislike takes nothing back; what ends a liking or asks to forget it does."""
    removal = proposal("", change="remove", values={}, old={"food_name": "パスタ"})
    [verdict] = await judged(client, removal, typed=typed)
    assert verdict["supported"] is supported


async def test_each_proposal_gets_its_verdict(
    client: openai.AsyncOpenAI, controls: Controls
) -> None:
    """In one call, by index; the journal calls it a verdict, on both endpoints."""
    asked = [proposal("I like ramen"), proposal("Ramen?", index=4)]
    verdicts = await judged(client, *asked)
    assert [(one["index"], one["supported"]) for one in verdicts] == [(0, True), (4, False)]
    response = await client.responses.create(
        model="kioku-stand-in",
        instructions="Answer as MemoryVerdicts.",
        input=request(proposal("I like ramen")),
    )
    assert json.loads(response.output_text) == {"verdicts": [PLAIN]}
    assert [one["kind"] for one in await controls.journal()] == ["verdict", "verdict"]
