"""How much of what people really say the stand-in stores, and which questions it can answer.

Its rules are tuned on the sentences of `data/tuned`. Those of `first_sight` were
written before the rules, and no rule was changed for them: the floors are what was measured.
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
from kioku_stand_in.sentences import read

DATA = Path(__file__).with_name("data")
LANGUAGES = ("en", "ja")


def listed(folder: str, name: str) -> list[tuple[str, Any]]:
    """The entries of a list, each with its language."""
    given = tomllib.loads((DATA / folder / f"{name}.toml").read_text("utf-8"))
    return [(language, entry) for language in LANGUAGES for entry in given[language]]


def known_from(*texts: str) -> list[Memory]:
    """What is known about a person who said these texts."""
    known: dict[str, Memory] = {}
    for text in texts:
        learn(known, text)
    return [*known.values()]


@pytest.mark.parametrize(("folder", "floor", "of"), [("tuned", 80, 80), ("first_sight", 37, 40)])
def test_what_people_tell_of_themselves_is_stored(folder: str, floor: int, of: int) -> None:
    """At least `floor` of the statements are stored, with the statement as their quote."""
    stored = {text: known_from(text) for _, text in listed(folder, "statements")}
    assert len(stored) == of
    assert sum(map(bool, stored.values())) >= floor
    for text, memories in stored.items():
        assert {one.quote for one in memories} <= {text}


@pytest.mark.parametrize(("folder", "most", "of"), [("tuned", 0, 60), ("first_sight", 3, 40)])
def test_what_is_no_fact_is_not_stored(folder: str, most: int, of: int) -> None:
    """At most a few of the phrases that say nothing lasting about the person are stored."""
    phrases = [text for _, text in listed(folder, "not_facts")]
    assert len(phrases) == of
    assert len([text for text in phrases if known_from(text)]) <= most


@pytest.mark.parametrize(("folder", "floor", "of"), [("tuned", 60, 60), ("first_sight", 34, 40)])
def test_a_question_is_answered_with_the_sentence_that_answers_it(
    folder: str, floor: int, of: int
) -> None:
    """Among all statements in the language, that sentence is quoted first."""
    found = 0
    questions = listed(folder, "questions")
    for language, question in questions:
        every = [text for one, text in listed(folder, "statements") if one == language]
        say = {name: text[LANGUAGES.index(language)] for name, text in SCRIPT["replies"].items()}
        (said,) = read(question["question"])
        answer = reply(said, known_from(*every), say)
        right = reply(said, known_from(question["answer"]), say)
        first = [line for line in answer.splitlines() if line.startswith("- ")][:1]
        found += first == [line for line in right.splitlines() if line.startswith("- ")][:1] != []
    assert len(questions) == of
    assert found >= floor
