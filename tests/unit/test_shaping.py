"""Which memories have words in an answer that its question does not have."""

from __future__ import annotations

from typing import Any

import pytest

from bot.memories.shaping import memories_in_answer
from tests.unit.memories import memory

RAMEN: dict[str, Any] = {
    "kind": "UserFoodPreference",
    "food_name": "ramen",
    "cuisine": "noodles",
}
PROMISE: dict[str, Any] = {
    "kind": "Promise",
    "promise": "send the Q3 figures",
    "to": "Mia",
    "due": "2026-11-27",
    "state": "open",
}
DEPLOY: dict[str, Any] = {
    "kind": "Episode",
    "observation": "our deploy stopped for ten minutes",
    "action": "split the migration",
}
HELP = "You're welcome! Is there anything else that I can help you with today?"


@pytest.mark.parametrize(
    ("content", "question", "answer"),
    [
        (RAMEN, "What shall I eat?", "You like ramen, so how about a bowl?"),
        (
            {"fact": "My manager is Sarah"},
            "Who is my manager?",
            "Your manager is Sarah.",
        ),
        (
            {"fact": "I hate meetings before 10am"},
            "When is it best?",
            "One meeting, at 11am.",
        ),
        ({"fact": "I live in Osaka"}, "How is the weather?", "In Osaka it is sunny."),
        ({"fact": "I have two kids"}, "Plan my weekend", "Take the kids to the zoo."),
        (PROMISE, "What is still to do?", "You owe Mia something."),
        (PROMISE, "What is still to do?", "The Q3 numbers."),
        (
            DEPLOY,
            "How do we avoid an outage?",
            "Split it, as you did with that migration.",
        ),
        ({"kind": "Pet", "name": "Rex", "story": "a dog"}, "Who is it?", "It is Rex."),
        ({"fact": "ラーメンが好き"}, "何を食べよう？", "ラーメンはいかがでしょう。"),
        ({"fact": "大阪に住んでいる"}, "天気は？", "大阪は晴れです。"),
        (
            {"fact": "猫を飼っている"},
            "休日は？",
            "猫の世話をしながら過ごすのもよいですね。",
        ),
        ({"fact": "ﾗｰﾒﾝが好き"}, "何を食べよう？", "ラーメンはいかがでしょう。"),
        ({"fact": "저는 서울에 살아요"}, "날씨 어때?", "서울은 맑아요."),
        ({"fact": "我住在上海"}, "天气怎么样？", "上海今天晴。"),
    ],
)
def test_words_of_a_memory_in_an_answer_are_found(
    content: dict[str, Any], question: str, answer: str
) -> None:
    """In any script, whatever its width, case and English plural."""
    remembered = memory(**content)
    assert memories_in_answer([memory(2), remembered], question, answer) == [remembered]


@pytest.mark.parametrize(
    ("content", "question", "answer"),
    [
        (RAMEN, "I like ramen", "Understood: you like ramen."),
        (
            {"fact": "東京に引っ越した"},
            "東京に引っ越しました",
            "東京ですね。承知しました。",
        ),
        (RAMEN, "hello", "Hello! How can I help?"),
        (RAMEN, "What is new?", "Noodles."),
        ({"fact": "I work as a nurse, and I like to help"}, "Thanks!", HELP),
        (
            {"fact": "看護師として働いている"},
            "ありがとう",
            "どういたしまして。またどうぞ。",
        ),
        ({"fact": "猫が好き"}, "何を読む？", "推理小説がお好きなら、これです。"),
        (PROMISE, "How do I read a file?", "Use open(path)."),
        ({"fact": "<@U0123ABCD> is my boss"}, "Who?", "The id is U0123ABCD."),
    ],
)
def test_common_words_and_those_of_the_question_do_not_count(
    content: dict[str, Any], question: str, answer: str
) -> None:
    """An acknowledgement repeats the message; a state, a category and an id are no words."""
    assert memories_in_answer([memory(**content)], question, answer) == []
