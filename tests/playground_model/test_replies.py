"""What the stand-in replies, over a prompt as the app writes it."""

from __future__ import annotations

import json
import re
from typing import Any

import openai
import pytest

from kioku_stand_in.replies import SAY

INTERESTS = [
    {"topic": "クラウドサービス", "category": "クラウド", "interest_level": 75},
    {"topic": "AWS", "category": "クラウド", "interest_level": 80},
    {"topic": "Azure", "category": "クラウド", "interest_level": 80},
    {"topic": "AIエージェント", "category": "AI", "interest_level": 100},
]
INSTRUCTIONS = "You are Kioku. <memories> is what this person told you earlier."
ASK_TOPICS = "おすすめの技術トピックを3つ挙げて簡潔にまとめて！"
ASK_LUNCH = "今日のランチは何を食べようかな？"
HONEST_EN, HONEST_JA = SAY["unknown"]


def memory(kind: str, content: dict[str, Any]) -> dict[str, Any]:
    """One memory as a line of the prompt has it."""
    return {"kind": kind, "content": content, "since": "2026-11-20"}


def food(name: str, preference: int | None = 100, description: str = "") -> dict[str, Any]:
    """A food preference."""
    content = {"food_name": name, "preference": preference, "description": description or None}
    return memory("UserFoodPreference", content)


def tech(content: dict[str, Any]) -> dict[str, Any]:
    """A tech interest."""
    return memory("UserTechInterest", content)


def fact(text: str, topic: str | None = None) -> dict[str, Any]:
    """A fact."""
    return memory("UserFact", {"fact": text, "topic": topic})


def as_line(value: Any) -> str:
    """One JSON line whose angle brackets cannot close a frame."""
    line = json.dumps(value, ensure_ascii=False)
    return line.replace("<", "\\u003c").replace(">", "\\u003e")


class Asker:
    """Asks with memories, recent words and a history; `refused`: the last reply was a refusal."""

    def __init__(self, client: openai.AsyncOpenAI) -> None:
        self.client = client
        self.refused = False

    async def ask(
        self,
        message: str,
        memories: list[dict[str, Any]] | None = None,
        recent: list[str] | None = None,
        history: list[tuple[str, str]] | None = None,
        preferences: list[str] | None = None,
    ) -> str:
        """The text of the reply."""
        frames = {"preferences": preferences, "memories": memories, "recent_words": recent}
        lines = [INSTRUCTIONS]
        for name, values in frames.items():
            lines += [f"<{name}>", *map(as_line, values or []), f"</{name}>"]
        items: list[Any] = [{"role": "developer", "content": "\n".join(lines)}]
        for role, text in history or []:
            items.append({"role": role, "content": text})
        items.append({"role": "user", "content": message})
        response = await self.client.responses.create(model="gpt-6-luna", input=items)
        [message_item] = [one for one in response.output if one.type == "message"]
        [part] = message_item.content
        self.refused = part.type == "refusal"
        return part.refusal if part.type == "refusal" else part.text


@pytest.fixture
def asker(client: openai.AsyncOpenAI) -> Asker:
    """Someone who asks."""
    return Asker(client)


async def test_topics_build_on_the_interests(asker: Asker) -> None:
    """Three numbered lines name AI agents, AWS and Azure, the strongest first."""
    reply = await asker.ask(ASK_TOPICS, [tech(one) for one in INTERESTS])
    assert re.findall(r"^\d\. \*\*(.+?)\*\*", reply, re.M) == ["AIエージェント", "AWS", "Azure"]


async def test_lunch_is_a_dish_that_is_liked(asker: Asker) -> None:
    """The liked dish is suggested, as precisely as its description says."""
    assert "醤油ラーメン" in await asker.ask(ASK_LUNCH, [food("醤油ラーメン", 100, "大好き")])
    assert "味噌ラーメン" in await asker.ask(
        ASK_LUNCH, [food("ラーメン", 100, "ラーメンは味噌ラーメンが好き")]
    )


async def test_what_is_disliked_or_avoided_is_not_suggested(asker: Asker) -> None:
    """A dislike and an allergy are only told again, as sentences, with all that holds them."""
    known = [food("soba", 90), food("natto", 5), food("peanut noodles", 95)]
    reply = await asker.ask("what shall I eat?", [*known, fact("I'm allergic to peanuts")])
    assert re.findall(r"\*\*(.+?)\*\*|^- (.+)", reply, re.M) == [("soba", "")]
    assert reply.endswith("\n\nYou also told me: “I don't like natto”, “I'm allergic to peanuts”.")
    reply = await asker.ask(ASK_LUNCH, [food("ラーメン"), food("納豆", 5)])
    assert reply.endswith("次のことも伺っています：「納豆は苦手です」")


async def test_what_somebody_else_wrote_is_theirs(asker: Asker) -> None:
    """Another person's words, in a frame of the thread, are not taken for the asker's."""
    theirs = as_line({"from": "U7", "text": "Hi. I love ramen"})
    history = [("developer", f"<thread>\n{theirs}\n</thread>")]
    assert "not told me" in await asker.ask("what do I like?", history=history)


@pytest.mark.parametrize(
    ("question", "told"),
    [
        (
            "what do you remember about me?",
            ["ramen", "Rust", "I don't like natto", "I live in Osaka"],
        ),
        ("私について何を覚えてる？", ["ramen", "Rust", "nattoは苦手です", "I live in Osaka"]),
        ("what food do I like?", ["ramen"]),
        ("What am I interested in?", ["Rust"]),
    ],
)
async def test_it_tells_what_it_knows(asker: Asker, question: str, told: list[str]) -> None:
    """What was asked for is listed, and nothing when there is none."""
    known = [food("ramen"), tech({"topic": "Rust"}), food("natto", 5), fact("I live in Osaka")]
    reply = await asker.ask(question, known)
    assert re.findall(r"^- \*\*(.+?)\*\*", reply, re.M) == told
    assert "ramen**" not in await asker.ask(question)


@pytest.mark.parametrize(
    ("message", "reply"),
    [
        ("Is Rust hard?", HONEST_EN),
        ("Как дела?", HONEST_EN),
        ("明日の天気は？", HONEST_JA),
        ("  ", HONEST_EN),
        ("ok thanks", "You're welcome!"),
        ("ありがとうございます", "どういたしまして！"),
        ("I love ramen. It rains.", f"Understood: **I love ramen**. {HONEST_EN}"),
        ("I love ramen, just so you know what I eat", HONEST_EN),
        ("I like soba. Thanks!", "Understood: **I like soba**. You're welcome!"),
        ("そばが好きです。ありがとう", "わかりました：**そばが好きです**。 どういたしまして！"),
    ],
)
async def test_what_fits_no_form_gets_one_honest_sentence(
    asker: Asker, message: str, reply: str
) -> None:
    """In the language of the message, with three examples; the rest is answered beside it.

    Alone it is a refusal: no answer, which nobody needs to rate.
    """
    assert await asker.ask(message, [food("soba"), tech({"topic": "Rust"})]) == reply
    assert asker.refused is (reply in (HONEST_EN, HONEST_JA))


@pytest.mark.parametrize(("text", "head"), [("Look!", "A stand-in"), ("見て", "代役")])
async def test_files_are_named_and_not_looked_into(
    client: openai.AsyncOpenAI, text: str, head: str
) -> None:
    """Of an image and a PDF the stand-in says the type and size, and that it looked into none."""
    content: Any = [
        {"type": "input_text", "text": text},
        {"type": "input_image", "image_url": "data:image/png;base64,AAAA", "detail": "auto"},
        {
            "type": "input_file",
            "filename": "a.pdf",
            "file_data": "data:application/pdf;base64,AA==",
        },
    ]
    answer = await client.responses.create(
        model="kioku-stand-in", input=[{"role": "user", "content": content}]
    )
    assert head in answer.output_text
    assert "image (image/png, 3 bytes)" in answer.output_text
    assert "a.pdf (application/pdf, 1 bytes)" in answer.output_text
