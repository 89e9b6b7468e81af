"""How much of what people really say the stand-in stores, and which questions it can answer.

The sentences of the folder `data` were written before its rules. The rules were tuned on those
with an even index; the floors are what was measured, of the others at the first reading.
"""

from __future__ import annotations

import tomllib
from pathlib import Path
from typing import Any

import pytest

from kioku_stand_in.answers import reply
from kioku_stand_in.memories import Memory, learn
from kioku_stand_in.sentences import SCRIPT, read

DATA = Path(__file__).with_name("data")
LANGUAGES = ("en", "ja")
HALVES = {"tuned": 0, "first sight": 1}


def listed(name: str, half: str) -> list[tuple[str, Any]]:
    """The entries of one half of a list, each with its language."""
    given = tomllib.loads((DATA / f"{name}.toml").read_text("utf-8"))
    return [(one, entry) for one in LANGUAGES for entry in given[one][HALVES[half] :: 2]]


def known_from(*texts: str) -> list[Memory]:
    """What is known of a person who said these."""
    known: dict[str, Memory] = {}
    for text in texts:
        learn(known, text)
    return [*known.values()]


@pytest.mark.parametrize(("half", "floor"), [("tuned", 40), ("first sight", 39)])
def test_what_people_tell_of_themselves_is_stored(half: str, floor: int) -> None:
    """Of forty statements this many are stored, and quote it."""
    statements = [text for _, text in listed("statements", half)]
    stored = {text: known_from(text) for text in statements}
    assert len(statements) == 40
    assert sum(map(bool, stored.values())) >= floor
    for text, memories in stored.items():
        assert {one["quote"] for one in memories} <= {text}


@pytest.mark.parametrize(("half", "most"), [("tuned", 0), ("first sight", 1)])
def test_what_is_no_fact_is_not_stored(half: str, most: int) -> None:
    """Of thirty phrases that say nothing lasting of the person at most this many are stored."""
    phrases = [text for _, text in listed("not_facts", half)]
    assert len(phrases) == 30
    assert len([text for text in phrases if known_from(text)]) <= most


@pytest.mark.parametrize(("half", "floor"), [("tuned", 30), ("first sight", 29)])
def test_a_question_is_answered_with_the_sentence_that_answers_it(half: str, floor: int) -> None:
    """It is quoted first, out of all statements of the language."""
    found = 0
    questions = listed("questions", half)
    for language, question in questions:
        every = tomllib.loads((DATA / "statements.toml").read_text("utf-8"))
        say = {name: text[LANGUAGES.index(language)] for name, text in SCRIPT["replies"].items()}
        (said,) = read(question["question"])
        answer = reply(said, known_from(*every[language]), say)
        right = reply(said, known_from(question["answer"]), say)
        first = [line for line in answer.splitlines() if line.startswith("- ")][:1]
        found += first == [line for line in right.splitlines() if line.startswith("- ")][:1] != []
    assert len(questions) == 30
    assert found >= floor
