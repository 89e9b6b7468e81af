"""The questions of the bench, their orders, and the reading of LoCoMo's file."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path

import pytest

from bench.finding import finding
from bench.metrics import undocumented
from bench.retrieval.measure import recall_at
from bench.retrieval.orders import Lexical, terms
from bench.retrieval.questions import ASKS, Question, locomo_people, our_people
from bench.search.rows import OWNERS, Vectors, generated_memories
from memory import SCHEMAS


def question(*answers: str) -> Question:
    """Return a question with these answers."""
    return Question(asks="direct", language="en", text="?", answers=frozenset(answers))


def test_the_set_is_whole() -> None:
    """At least 300 questions of every kind in both languages, whose answers are in the set."""
    people = our_people()
    questions = [one for someone in people for one in someone.questions]
    assert len(questions) >= 300
    asked = Counter((one.asks, one.language) for one in questions)
    assert all(asked[asks, language] >= 10 for asks in ASKS for language in ("en", "ja"))
    kinds = {schema.__name__: schema for schema in SCHEMAS}
    for someone in people:
        names = {one.name for one in someone.known}
        assert len(names) == len(someone.known) > 50
        for known in someone.known:
            kinds[known.kind].model_validate(known.content)
        for one in someone.questions:
            assert one.answers <= names
            assert bool(one.answers) == (one.asks != "unknown")


def test_recall_is_a_mean_over_the_questions() -> None:
    """Half of two answers among the first five, and nothing found of another."""
    found = [
        (question("a", "b"), ["x", "a", "y", "z", "w", "b"]),
        (question("c"), ["x"]),
    ]
    assert recall_at(5, found) == 0.25
    assert recall_at(10, found) == 0.5


def test_a_lexical_order_needs_no_spaces() -> None:
    """Words of English and pairs of characters of Japanese find the text that shares them."""
    assert terms("Likes ラーメン 2") == ["likes", "ラー", "ーメ", "メン", "2"]
    texts = Lexical(["札幌に住んでいる", "likes ramen", "犬が苦手"])
    assert max(range(3), key=texts.scores("どこに住んでいますか").__getitem__) == 0
    assert texts.scores("犬")[0] == texts.scores("ramen?")[0] == 0
    assert texts.scores("RAMEN?")[1] > 0


def test_the_file_of_locomo_is_read(tmp_path: Path) -> None:
    """Its turns are memories, its evidence the answers; what has no answer is not known."""
    path = tmp_path / "locomo.json"
    sample = {
        "conversation": {
            "speaker_a": "Ann",
            "session_1_date_time": "1 May 2023",
            "session_1": [
                {"speaker": "Ann", "dia_id": "D1:1", "text": "I adopted a cat."},
                {"speaker": "Bob", "dia_id": "D1:2", "text": "Nice!"},
            ],
        },
        "qa": [
            {"question": "Which pet?", "evidence": ["D1:1", "D9:9"], "category": 4},
            {"question": "Which boat?", "evidence": ["D1:2"], "category": 5},
        ],
    }
    path.write_text(json.dumps([sample]), "utf-8")
    [someone] = locomo_people(path)
    assert [one.text for one in someone.known] == [
        "Ann: I adopted a cat. (1 May 2023)",
        "Bob: Nice! (1 May 2023)",
    ]
    assert [(one.asks, one.answers) for one in someone.questions] == [
        ("direct", {"D1:1"}),
        ("unknown", frozenset()),
    ]


@pytest.mark.parametrize("text", ["{}", "[1]", '[{"qa": []}]'])
def test_another_file_is_refused_in_one_sentence(tmp_path: Path, text: str) -> None:
    """What is not LoCoMo's is named, and what was expected."""
    path = tmp_path / "other.json"
    path.write_text(text, "utf-8")
    with pytest.raises(ValueError, match="is not LoCoMo's file"):
        locomo_people(path)


def test_generated_memories_are_the_same_each_time() -> None:
    """The owners come first, each with so many; vectors are made again alike, and are all other."""
    counts = Counter(one.user for one in generated_memories(0, 10_000))
    assert {user: counts[user] for user in OWNERS} == OWNERS
    vectors = Vectors(8)
    assert vectors.of(5) == Vectors(8).of(5)
    assert len({bytes(vectors.of(number)) for number in range(2_000)}) == 2_000
    mine = list(generated_memories(0, 10))
    asked = list(vectors.of(3))
    assert vectors.nearest(asked, mine, 2)[0] == mine[3].key


def test_the_page_tells_of_what_was_found() -> None:
    """Both tables are where their metrics are, and not where they are not."""
    metrics = {
        "search_ms_p50_1m_5000": 2.0,
        "search_ms_p95_1m_5000": 2.5,
        "search_recall_at_10_1m_5000": 1.0,
        "search_ms_p50_20k_5000_1536d": 9.0,
        "search_ms_p95_20k_5000_1536d": 9.5,
        "search_recall_at_10_20k_5000_1536d": 1.0,
        "hnsw_search_recall_at_10_1m_5000": 0.1,
        "hnsw_search_ms_p50_1m_5000": 7.0,
        "hnsw_search_ms_p95_1m_5000": 8.0,
        "load_rows_per_s_1m": 20_000,
        "retrieval_questions": 328,
        "retrieval_in_view": 0.9,
        "retrieval_cut_off_lost": 0.5,
    }
    for order in ("cosine", "lexical", "blend"):
        metrics |= {f"retrieval_{order}_recall_at_{k}": 0.6 for k in (5, 10)}
    assert undocumented(metrics) == []
    text = "\n".join(finding(metrics))
    assert "| 1,000,000 | 5,000 | **1.00** · 2 / 2.5 ms | – | **0.10** · 7 / 8 ms | – |" in text
    assert "| 20,000 (1,536 dimensions) | 5,000 | **1.00** · 9 / 9.5 ms |" in text
    assert "| all | 0.60 / 0.60 |" in text
    assert finding({}) == []
