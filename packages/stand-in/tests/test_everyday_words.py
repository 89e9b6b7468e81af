"""How much of what people really say the stand-in stores, and which questions it can answer.

Its rules are tuned on the sentences of `data/tuned`. No rule was changed by whoever had read
those of `data/first_sight`: the floors are what was measured.
"""

from __future__ import annotations

import tomllib
from pathlib import Path
from typing import Any

import pytest

from kioku_stand_in.answers import reply
from kioku_stand_in.learning import learn
from kioku_stand_in.memories import Memory
from kioku_stand_in.script import SCRIPT
from kioku_stand_in.sentences import clauses_in

DATA = Path(__file__).with_name("data")
LANGUAGES = ("en", "ja")


def listed(folder: str, name: str) -> dict[str, list[Any]]:
    """The entries of a list by their languages."""
    return tomllib.loads((DATA / folder / f"{name}.toml").read_text("utf-8"))


def known_from(*texts: str) -> list[Memory]:
    """What is known about a person who said these texts."""
    known: dict[str, Memory] = {}
    for text in texts:
        learn(known, text)
    return [*known.values()]


@pytest.mark.parametrize(
    ("folder", "language", "floor", "of"),
    [
        ("tuned", "en", 219, 231),
        ("tuned", "ja", 288, 295),
        ("first_sight", "en", 69, 80),
        ("first_sight", "ja", 73, 80),
    ],
)
def test_what_people_tell_of_themselves_is_stored(
    folder: str, language: str, floor: int, of: int
) -> None:
    """At least `floor` of the statements are stored, and quote a sentence of theirs."""
    statements = listed(folder, "statements")[language]
    assert len(statements) == of
    stored = {text: known_from(text) for text in statements}
    assert sum(map(bool, stored.values())) >= floor
    for text, memories in stored.items():
        assert all(one.quote in text for one in memories)


@pytest.mark.parametrize(
    ("folder", "language", "most", "of"),
    [
        ("tuned", "en", 2, 261),
        ("tuned", "ja", 8, 305),
        ("first_sight", "en", 2, 120),
        ("first_sight", "ja", 5, 119),
    ],
)
def test_what_is_no_fact_is_not_stored(
    folder: str, language: str, most: int, of: int
) -> None:
    """At most a few phrases that say nothing lasting about the person are stored."""
    phrases = listed(folder, "not_facts")[language]
    assert len(phrases) == of
    assert sum(bool(known_from(text)) for text in phrases) <= most


@pytest.mark.parametrize(
    ("folder", "floor", "of"), [("tuned", 60, 60), ("first_sight", 36, 40)]
)
def test_a_question_is_answered_with_the_sentence_that_answers_it(
    folder: str, floor: int, of: int
) -> None:
    """It is quoted first among the answers to all questions of its language."""
    found = 0
    asked = 0
    for language, questions in listed(folder, "questions").items():
        every = known_from(*(one["answer"] for one in questions))
        replies = {
            name: text[LANGUAGES.index(language)]
            for name, text in SCRIPT["replies"].items()
        }
        for question in questions:
            [clause] = clauses_in(question["question"])
            right = quoted(reply(clause, known_from(question["answer"]), replies))
            found += quoted(reply(clause, every, replies))[:1] == right[:1] != []
        asked += len(questions)
    assert asked == of
    assert found >= floor


def quoted(answer: str) -> list[str]:
    """The lines of an answer that quote a memory."""
    return [line for line in answer.splitlines() if line.startswith("- ")]
