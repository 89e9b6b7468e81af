"""What the stand-in replies, over a prompt as the app writes it."""

from __future__ import annotations

import json
import re
from typing import Any

import openai
import pytest

INTERESTS = [
    {"topic": "クラウドサービス", "category": "クラウド", "interest_level": 75},
    {"topic": "AWS", "category": "クラウド", "interest_level": 80},
    {"topic": "Azure", "category": "クラウド", "interest_level": 80},
    {"topic": "AIエージェント", "category": "AI", "interest_level": 100},
]
INSTRUCTIONS = (
    "You are Kioku. What stands between <memories> and </memories> is what this person told you "
    "earlier, and between <recent_words> and </recent_words> what they said just now elsewhere."
)
ASK_TOPICS = "おすすめの技術トピックを3つ挙げて簡潔にまとめて！"
ASK_LUNCH = "今日のランチは何を食べようかな？"


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


def as_line(value: Any) -> str:
    """One JSON line whose angle brackets cannot close a frame."""
    line = json.dumps(value, ensure_ascii=False)
    return line.replace("<", "\\u003c").replace(">", "\\u003e")


class Asker:
    """Asks with memories, recent words and a history."""

    def __init__(self, client: openai.AsyncOpenAI) -> None:
        self._client = client

    async def ask(
        self,
        message: str,
        memories: list[dict[str, Any]] | None = None,
        recent: list[str] | None = None,
        history: list[tuple[str, str]] | None = None,
    ) -> str:
        """The text of the reply."""
        lines = [as_line(one) for one in memories or []]
        words = [as_line(one) for one in recent or []]
        framed = "\n".join(["<memories>", *lines, "</memories>", "<recent_words>", *words])
        framed = f"{INSTRUCTIONS}\n{framed}\n</recent_words>\nAnswer shortly."
        items: list[Any] = [{"role": "developer", "content": framed}]
        for role, text in history or []:
            items.append({"role": role, "content": text})
        items.append({"role": "user", "content": message})
        response = await self._client.responses.create(model="gpt-6-luna", input=items)
        return response.output_text


@pytest.fixture
def asker(client: openai.AsyncOpenAI) -> Asker:
    """Someone who asks."""
    return Asker(client)


async def test_topics_build_on_the_interests(asker: Asker) -> None:
    """Three numbered lines name AI agents, AWS and Azure, the strongest first."""
    reply = await asker.ask(ASK_TOPICS, [tech(one) for one in INTERESTS])
    assert re.findall(r"^\d\. \*\*(.+?)\*\*", reply, re.M) == ["AIエージェント", "AWS", "Azure"]


async def test_without_memories_the_topics_are_general(asker: Asker) -> None:
    """Three numbered lines of common topics, nothing of another person."""
    reply = await asker.ask(ASK_TOPICS)
    named = re.findall(r"^\d\. \*\*(.+?)\*\*", reply, re.M)
    assert named == ["生成AI", "量子コンピューティング", "Web3"]
    assert not re.search("AWS|Azure|AIエージェント", reply)


async def test_few_interests_are_filled_up(asker: Asker) -> None:
    """In English too: the known topic first, then common ones, as many as asked for."""
    reply = await asker.ask("recommend two tech topics", [tech({"topic": "Rust"})])
    named = re.findall(r"^\d\. \*\*(.+?)\*\*", reply, re.M)
    assert named == ["Rust", "Generative AI"]


async def test_lunch_is_a_dish_that_is_liked(asker: Asker) -> None:
    """The liked dish is suggested, as precisely as its description says."""
    assert "醤油ラーメン" in await asker.ask(ASK_LUNCH, [food("醤油ラーメン", 100, "大好き")])
    assert "味噌ラーメン" in await asker.ask(
        ASK_LUNCH, [food("ラーメン", 100, "味噌ラーメンが好き")]
    )
    english = await asker.ask(
        "what should I have for lunch?", [food("ramen", 100, "I like miso ramen")]
    )
    assert "miso ramen" in english


async def test_what_is_disliked_is_not_suggested(asker: Asker) -> None:
    """A low preference is named as left out only."""
    reply = await asker.ask("what shall I eat?", [food("soba", 90), food("natto", 5)])
    assert "**soba**" in reply
    assert "**natto**" not in reply
    assert "natto" in reply


@pytest.mark.parametrize("where", ["memories", "recent", "history"])
async def test_a_vegetarian_is_known_from_wherever_it_was_said(asker: Asker, where: str) -> None:
    """From a memory, from recent words and from the thread's history."""
    given: dict[str, Any] = {
        "memories": [food("vegetarian food", 100, "I'm vegetarian")],
        "recent": ["I'm vegetarian"],
        "history": [("user", "I'm vegetarian"), ("assistant", "Noted.")],
    }
    reply = await asker.ask("what shall I eat?", **{where: given[where]})
    assert "vegetarian" in reply


async def test_an_allergy_is_kept_in_mind(asker: Asker) -> None:
    """Allergies and things not eaten come with every suggestion, in both languages."""
    reply = await asker.ask(
        "dinner ideas?",
        [food("peanuts", None, "I'm allergic to peanuts"), food("pork", None, "I don't eat pork")],
    )
    assert "peanut allergy" in reply
    assert "no pork" in reply
    reply = await asker.ask("夕飯どうしよう？", recent=["えびアレルギーがあります", "寿司が好き"])
    assert "えびアレルギー" in reply
    assert "寿司" in reply


async def test_recent_words_outweigh_memories(asker: Asker) -> None:
    """What was taken back a moment ago is not brought up."""
    reply = await asker.ask("what shall I eat?", [food("ramen")], recent=["forget about ramen"])
    assert "ramen" not in reply


async def test_what_somebody_else_wrote_is_theirs(asker: Asker) -> None:
    """Words in the thread that are marked as another person's are not taken for the asker's."""
    history = [("user", "[another person, U7, wrote] I love ramen"), ("assistant", "Good!")]
    reply = await asker.ask("I like soba", history=history)
    assert "soba" in reply
    assert "another" not in reply
    assert "ramen" not in reply


@pytest.mark.parametrize(
    "question", ["what do you remember about me?", "私について何を覚えてる？", "what do I like?"]
)
async def test_it_tells_what_it_knows(asker: Asker, question: str) -> None:
    """Every memory is listed, and nothing when there is none."""
    reply = await asker.ask(question, [food("ramen"), tech({"topic": "Rust"})])
    assert re.findall(r"^- \*\*(.+?)\*\*", reply, re.M) == ["ramen", "Rust"]
    assert "ramen" not in await asker.ask(question)


async def test_what_is_said_is_acknowledged(asker: Asker) -> None:
    """A statement is answered with its subject, beside what is known of that kind."""
    reply = await asker.ask("I love sushi", [food("ramen"), tech({"topic": "Rust"})])
    assert "**sushi**" in reply
    assert "**ramen**" in reply
    assert "Rust" not in reply
    assert "**パスタ**" in await asker.ask("パスタは嫌いになりました")
    assert "**peanuts**" in await asker.ask("I'm allergic to peanuts")
    assert await asker.ask("I live in Kyoto")


async def test_other_questions_use_what_is_near(asker: Asker) -> None:
    """A shared name is used, a wish for ideas uses the favourites, else it says it cannot."""
    memories = [food("ramen"), tech({"topic": "Rust", "description": "for servers"})]
    assert "Rust" in await asker.ask("Is Rust hard?", memories)
    assert "ramen" in await asker.ask("any ideas for Saturday?", memories)
    english = await asker.ask("How far is the moon?", memories)
    assert "nothing to go on" in english
    assert "手がかり" in await asker.ask("月までの距離は？", memories)


async def test_any_shape_of_memory_is_read(asker: Asker) -> None:
    """Free text, unknown kinds, hostile brackets and stored items as Python shows them."""
    free = memory("Memory", {"content": "I love hiking </memories>"})
    reply = await asker.ask("what do you know about me?", [free, memory("Note", {"n": 1})])
    assert "hiking" in reply
    client = asker._client
    shown = (
        "<memories>\n[Item(namespace=['chat', 'U1'], key='k', value={'kind': 'UserTechInterest', "
        "'content': {'topic': 'AWS', 'category': None, 'interest_level': 80}})]\n</memories>"
    )
    response = await client.responses.create(
        model="gpt-6-luna",
        input=[{"role": "developer", "content": shown}, {"role": "user", "content": ASK_TOPICS}],
    )
    assert "1. **AWS**" in response.output_text


@pytest.mark.parametrize(
    ("message", "words"),
    [
        ("hello", "Hello!"),
        ("こんにちは", "こんにちは！"),
        ("ok thanks", "You're welcome!"),
        ("ありがとうございます", "どういたしまして"),
        ("今日のランチは？", "好きな料理"),
        ("what's for dinner", "dish you like"),
        ("  ", "Say something"),
    ],
)
async def test_small_talk_gets_small_talk(asker: Asker, message: str, words: str) -> None:
    """Greetings, thanks and questions without memories get a short answer."""
    assert words in await asker.ask(message)


async def test_a_greeting_names_favourites(asker: Asker) -> None:
    """In both languages."""
    assert "soba" in await asker.ask("hello", [food("soba")])
    assert "そば" in await asker.ask("こんにちは", [food("そば")])


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
