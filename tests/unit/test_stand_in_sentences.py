"""Every sentence that the documentation and the app offer gets a right answer of the stand-in."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Sequence
from typing import Any

import pytest
import yaml

from bot.locale import Language, say
from playground.model.lexicon import is_japanese
from playground.model.prompt import Prompt, Tool, Turn
from playground.model.replies import SAY
from playground.model.sentences import TABLE, read, statements
from playground.model.thinking import answer_to
from tests.conftest import ROOT

LANGUAGES: tuple[Language, ...] = ("en", "ja")
KINDS = (
    "kinds: UserTechInterest(topic, category?, interest_level? 1-100, description?);"
    " UserFoodPreference(food_name, cuisine?, preference? 1-100, description?);"
    " UserFact(fact, topic?)."
)
TOOLS = {
    "memory_search": {"query": {}},
    "memory_change": {"action": {}, "evidence": {}, "id": {}, "content": {"description": KINDS}},
    "memory_settings": {"action": {}},
    "search_web": {"query": {}},
}
DISH = ("ramen", "ラーメン")
KNOWN: list[dict[str, Any]] = [
    {"food_name": "soba", "preference": 70},
    {"food_name": "natto", "preference": 5},
    {"fact": "I'm allergic to peanuts", "topic": "allergy"},
    {"topic": "AWS", "interest_level": 90},
    {"topic": "Rust", "interest_level": 75},
]
NOW = "It is Friday, 2026-11-20T19:58+09:00, in the time zone Asia/Tokyo."
SHOWN = ("memory_settings", {"action": "show_memories"})

# What is right: words of the reply, or a call with its arguments.
Right = str | tuple[str, dict[str, Any]]
OFFERED: dict[str, Right] = {
    "Ask me three short questions, so that your answers suit me.": "1. Which food do you like?",
    "What do you remember about me?": SHOWN,
    "私に合った答えができるように、短い質問を3つしてください。": "3. どこに住んでいますか？",
    "私について何を覚えていますか？": SHOWN,
    "I like ramen and I'm interested in AWS": "I'm interested in AWS",
    "what shall I eat?": "You like **ramen**",
    "remember that I'm allergic to peanuts": (
        "memory_change",
        {
            "action": "create",
            "evidence": "remember that I'm allergic to peanuts",
            "content": {"kind": "UserFact", "fact": "I'm allergic to peanuts", "topic": "allergy"},
        },
    ),
    "what do you remember about me?": SHOWN,
    "forget that I like ramen": ("memory_search", {"query": "ramen"}),
    "pause your memory for 2 hours": (
        "memory_settings",
        {"action": "pause", "until": "2026-11-20T21:58+09:00"},
    ),
    "don't remember this": (
        "memory_settings",
        {"action": "do_not_remember", "scope": "this_message"},
    ),
    "ラーメンが好きで、AWSに興味があります": "AWSに興味があります",
    "今日は何を食べよう？": "**ラーメン**がお好きでしたね",
    "ピーナッツアレルギーだと覚えておいて": (
        "memory_change",
        {
            "action": "create",
            "evidence": "ピーナッツアレルギーだと覚えておいて",
            "content": {
                "kind": "UserFact",
                "fact": "ピーナッツアレルギー",
                "topic": "アレルギー",
            },
        },
    ),
    "私について何を覚えてる？": SHOWN,
    "ラーメンが好きなことは忘れて": ("memory_search", {"query": "ラーメン"}),
    "2時間、記憶を止めて": (
        "memory_settings",
        {"action": "pause", "until": "2026-11-20T21:58+09:00"},
    ),
    "これは覚えないで": ("memory_settings", {"action": "do_not_remember", "scope": "this_message"}),
}


def answered(text: str, known: Sequence[dict[str, Any]] | None = None) -> Right:
    """The one call, or the text, that the stand-in answers with; `known`: the memories."""
    if known is None:
        known = [{"food_name": DISH[is_japanese(text)], "preference": 80}, *KNOWN]
    lines = [json.dumps({"content": one}, ensure_ascii=False) for one in known]
    tools = (
        Tool(name=name, description="", parameters={"properties": properties})
        for name, properties in TOOLS.items()
    )
    answer = answer_to(
        Prompt(
            instructions="\n".join(["<memories>", *lines, "</memories>", NOW]),
            turns=(Turn(role="user", text=text),),
            tools=tuple(tools),
        )
    )
    if not answer.calls:
        return answer.text
    [call] = answer.calls
    return call.name, json.loads(call.arguments)


def check(text: str, right: Right) -> None:
    """Compare the answer with what is right."""
    answer = answered(text)
    if isinstance(right, str):
        assert right in answer
        assert SAY["unknown"][is_japanese(text)] not in answer
    else:
        assert answer == right


def offered() -> Iterator[str]:
    """The manifest's prompts, and what both READMEs say to try: lists of code after "1."."""
    manifest = yaml.safe_load((ROOT / "manifest.yml").read_text("utf-8"))
    prompts = manifest["features"]["agent_view"]["suggested_prompts"]
    yield from (prompt["message"] for prompt in prompts)
    for name in ("README.md", "README.ja.md"):
        readme = (ROOT / name).read_text("utf-8")
        tried = re.search(r"^1\. .*?(?=^\S(?!\. ))", readme, re.M | re.S)
        assert tried
        found = [text for text in re.findall(r"`([^`]+)`", tried[0]) if not text.startswith("/")]
        assert len(found) >= 6
        yield from found


@pytest.mark.parametrize(
    "prompt",
    [
        "Ask me three short questions, so that your answers suit me.",
        "私に合った答えができるように、短い質問を3つしてください。",
    ],
)
def test_its_questions_can_be_answered(prompt: str) -> None:
    """The example below the three questions is understood, whole."""
    examples = re.findall(r"[“「](.+)[”」]", str(answered(prompt)))
    assert [[one.name for one in statements(text)] for text in examples] == [
        ["like", "interest", "home"]
    ]


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("key", ["home_example_fact", "home_example_food", "home_example_answer"])
def test_the_examples_on_home_are_understood(language: Language, key: str) -> None:
    """What an empty Home says to tell, the stand-in remembers."""
    text = say(language, key).strip("“”「」")
    assert statements(text)
    assert SAY["unknown"][language == "ja"] not in answered(text)


def test_each_sentence_that_is_offered_gets_a_right_answer(subtests: pytest.Subtests) -> None:
    """The manifest and the lists in both READMEs."""
    for text in offered():
        with subtests.test(text=text):
            check(text, OFFERED[text])


def test_each_example_of_the_table_fits_its_form(subtests: pytest.Subtests) -> None:
    """Its first form is the one beside it, and what it gets is not the honest sentence."""
    for text in [one for row in TABLE for one in row[3].split(" | ")]:
        with subtests.test(text=text):
            name = next(row[0] for row in TABLE if text in row[3].split(" | "))
            assert [one.name for one in read(text)] == [name]
            assert answered(text) != SAY["unknown"][is_japanese(text)]


EVERYDAY = (ROOT / "tests" / "data" / "everyday_sentences.txt").read_text("utf-8").splitlines()


def test_everyday_sentences_get_the_honest_one(subtests: pytest.Subtests) -> None:
    """Sentences of nobody who knew the table: the honest answer, no memory and no call."""
    for text in EVERYDAY:
        with subtests.test(text=text):
            assert statements(text) == []
            assert answered(text) == SAY["unknown"][is_japanese(text)]


def test_the_page_of_the_documentation_is_the_table() -> None:
    """Each row of docs/reference/stand-in-model.md is made from the table in the code."""
    page = (ROOT / "docs" / "reference" / "stand-in-model.md").read_text("utf-8")
    shown = page.partition("<!-- sentences -->\n")[2].partition("<!-- /sentences -->")[0]
    assert shown == "\n".join(["| what | sentences |", "|---|---|", *_rows(), ""])


def _rows() -> Iterator[str]:
    for name in dict.fromkeys(row[0] for row in TABLE):
        examples = [one for row in TABLE if row[0] == name for one in row[3].split(" | ")]
        yield f"| `{name}` | {'<br>'.join(examples)} |"
