"""Which kept lines have words in an answer that its question does not have."""

from __future__ import annotations

from datetime import UTC, datetime
from uuid import uuid4

import pytest

from bot.memories.kept_in_answers import lines_in_answer
from memory.store import KeptLine

HELP = "You're welcome! Is there anything else that I can help you with today?"
RAMEN = "Likes ramen"


def kept(text: str) -> KeptLine:
    """Return a line with this text that somebody keeps."""
    return KeptLine(
        id=uuid4(),
        team_id="T1",
        channel_id="C1",
        ts="1.0",
        thread_ts="1.0",
        user_id="U1",
        text=text,
        decision=False,
        kept_at=datetime.now(UTC),
    )


@pytest.mark.parametrize(
    ("text", "question", "answer"),
    [
        (RAMEN, "What shall I eat?", "You like ramen, so how about a bowl?"),
        ("My manager is Sarah", "Who is my manager?", "Your manager is Sarah."),
        ("I hate meetings before 10am", "When is it best?", "One meeting, at 11am."),
        ("I live in Osaka", "How is the weather?", "In Osaka it is sunny."),
        ("I have two kids", "Plan my weekend", "Take the kids to the zoo."),
        ("send Mia the Q3 figures", "What is still to do?", "The Q3 numbers."),
        ("ラーメンが好き", "何を食べよう？", "ラーメンはいかがでしょう。"),
        ("大阪に住んでいる", "天気は？", "大阪は晴れです。"),
        ("猫を飼っている", "休日は？", "猫の世話をしながら過ごすのもよいですね。"),
        ("ﾗｰﾒﾝが好き", "何を食べよう？", "ラーメンはいかがでしょう。"),
        ("저는 서울에 살아요", "날씨 어때?", "서울은 맑아요."),
        ("我住在上海", "天气怎么样？", "上海今天晴。"),
    ],
)
def test_words_of_a_line_in_an_answer_are_found(
    text: str, question: str, answer: str
) -> None:
    """In any script, whatever its width, case and English plural."""
    found = kept(text)
    assert lines_in_answer([kept("Uses Zig"), found], question, answer) == [found]


def test_lines_with_the_most_words_in_an_answer_come_first() -> None:
    """One word is enough."""
    one, none, two = kept("orion"), kept("ramen"), kept("the database is orion")
    found = lines_in_answer([one, none, two], "Where?", "In the database orion.")
    assert found == [two, one]


@pytest.mark.parametrize(
    ("text", "question", "answer"),
    [
        (RAMEN, "I like ramen", "Understood: you like ramen."),
        (
            "東京に引っ越した",
            "東京に引っ越しました",
            "東京ですね。承知しました。",
        ),
        (RAMEN, "hello", "Hello! How can I help?"),
        ("I work as a nurse, and I like to help", "Thanks!", HELP),
        ("看護師として働いている", "ありがとう", "どういたしまして。またどうぞ。"),
        ("猫が好き", "何を読む？", "推理小説がお好きなら、これです。"),
    ],
)
def test_common_words_and_those_of_the_question_do_not_count(
    text: str, question: str, answer: str
) -> None:
    """An acknowledgement repeats the message."""
    assert lines_in_answer([kept(text)], question, answer) == []
