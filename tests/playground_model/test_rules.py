"""What each sentence says, by the rules of its language."""

from __future__ import annotations

import pytest

from playground.model.formation import spoken
from playground.model.statements import read_statements

CASES = [
    ("I really like spicy noodles!", [("like", "spicy noodles")]),
    ("My favourite food is okonomiyaki", [("like", "okonomiyaki")]),
    ("Sushi is my favorite", [("like", "Sushi")]),
    ("I love sushi, but I can't stand natto", [("like", "sushi"), ("dislike", "natto")]),
    ("I stopped eating bread", [("dislike", "bread")]),
    ("I'm not a fan of olives", [("dislike", "olives")]),
    ("I don't eat pork", [("diet", "pork")]),
    ("I have a nut allergy", [("diet", "nut")]),
    ("I'm no longer vegan", [("lost", "vegan food")]),
    ("I'm curious about quantum computing", [("interest", "quantum computing")]),
    ("I want to learn more about PostgreSQL and pgvector because of work",
     [("interest", "PostgreSQL"), ("interest", "pgvector")]),
    ("I lost interest in blockchain", [("lost", "blockchain")]),
    ("I switched from Java to Kotlin", [("lost", "Java"), ("interest", "Kotlin")]),
    ("Please forget that I love pizza", [("forget", "pizza")]),
    ("Can you forget my interest in Rust?", [("forget", "Rust")]),
    ("forget everything", []),
    ("Don't forget that I love pizza", [("like", "pizza")]),
    ("Remember that I'm allergic to peanuts", [("diet", "peanuts")]),
    ("I've become strongly interested in AI agents", [("interest", "AI agents")]),
    ("I'm interested in cloud services, especially AWS, and I want to gradually deepen my basic "
     "knowledge of Azure",
     [("interest", "cloud services"), ("interest", "AWS"), ("interest", "Azure")]),
    ("I work with Docker every day", [("interest", "Docker")]),
    ("I use chopsticks", []),
    ("I'd like a coffee", []),
    ("Pasta is not my thing anymore", [("dislike", "Pasta")]),
    ("I am lactose intolerant", [("diet", "lactose-free food")]),
    ("forget about my nut allergy", [("forget", "nut")]),
    ("it's udon, not soba", [("like", "udon")]),
    ("I love it", []),
    ("Would you like tea?", []),
    ("How do I cook ramen", []),
    ("ok thanks", []),
    ("ラーメンが大好きです!!", [("like", "ラーメン")]),
    ("寿司と天ぷらが好きで、納豆は苦手です",
     [("like", "寿司"), ("like", "天ぷら"), ("dislike", "納豆")]),
    ("好きな食べ物はカレーです", [("like", "カレー")]),
    ("なすが好き", [("like", "なす")]),
    ("パスタは好きではありません", [("dislike", "パスタ")]),
    ("カレーに飽きました", [("dislike", "カレー")]),
    ("最近Rustにハマっています", [("interest", "Rust")]),
    ("気になる技術はRustとGoです", [("interest", "Rust"), ("interest", "Go")]),
    ("Kubernetesを勉強しています", [("interest", "Kubernetes")]),
    ("ブロックチェーンへの興味がなくなりました", [("lost", "ブロックチェーン")]),
    ("牛乳は飲めません", [("diet", "牛乳")]),
    ("ヴィーガンをやめました", [("lost", "ヴィーガン料理")]),
    ("パスタのことは忘れてください", [("forget", "パスタ")]),
    ("全部忘れて", []),
    ("ラーメンが好きなことは覚えておいて", [("like", "ラーメン")]),
    ("ラーメンのことを忘れないでね", []),
    ("私は京都に住んでいます", [("fact", "京都に住んでいます")]),
    ("ラーメンは好きですか？", []),
    ("パスタよりピザ派です", [("like", "ピザ"), ("lesser", "パスタ")]),
    ("コーヒーが好きだったけど、今は紅茶が好き", [("dislike", "コーヒー"), ("like", "紅茶")]),
    ("私がラーメンを好きだということを忘れて", [("forget", "ラーメン")]),
    ("Pythonが得意です", [("interest", "Python")]),
    ("AIエージェントについてもっと知りたいです", [("interest", "AIエージェント")]),
    ("映画鑑賞が趣味です", [("like", "映画鑑賞")]),
    ("ラーメンを食べたい", []),
    ("ありがとう", []),
]  # fmt: skip


@pytest.mark.parametrize(("sentence", "said"), CASES, ids=[case[0] for case in CASES])
def test_a_sentence_is_read(sentence: str, said: list[tuple[str, str]]) -> None:
    """Its stances and subjects are found, and its quote is the sentence itself."""
    found = read_statements(sentence)
    assert [(one.stance, one.subject) for one in found] == said
    assert all(one.quote in sentence for one in found)


def test_each_sentence_is_its_own_quote() -> None:
    """A message of several sentences is quoted sentence by sentence."""
    found = read_statements("I love ramen!! I hate pasta.\n寿司が好きです。ありがとう")
    assert [one.quote for one in found] == ["I love ramen!!", "I hate pasta.", "寿司が好きです。"]


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("no transcript", "no transcript"),
        ("x <session_1-a>\nplain\n</session_1-a>", "plain"),
        (
            "<session_1>\n=== Human Message ===\n\nhi\n\n=== Ai Message ===\n\nI love tea\n"
            "\n=== Human Message ===\n\nbye\n</session_1>",
            "hi\nbye",
        ),
    ],
)
def test_only_the_person_s_words_are_read(text: str, words: str) -> None:
    """LangMem's transcript is taken apart by speaker."""
    assert spoken(text) == words
