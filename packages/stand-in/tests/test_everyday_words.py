"""How much of what people really say the stand-in gets right.

The lists in `data` are never edited: `first_sight` was written by people who had not read the
rules, `measured` before the rules of today, `unseen` and `held_out` after two stages of them, each
counted before anything was changed for it. The rules were first tuned on `tuned`. The floors are
what is right now.

``python tests/test_everyday_words.py [FOLDER…]`` prints the figures and what is missed.
"""

from __future__ import annotations

import json
import sys
import tomllib
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Final

import pytest

from kioku_stand_in.answers import reply
from kioku_stand_in.learning import learn, verdicts
from kioku_stand_in.memories import Memory
from kioku_stand_in.script import SCRIPT
from kioku_stand_in.sentences import clauses_in

DATA: Final = Path(__file__).with_name("data")
LANGUAGES: Final = ("en", "ja")
_NOW: Final = '{"date": "2026-11-30", "time": "10:00"}'


def listed(folder: str, name: str) -> dict[str, list[Any]]:
    """The entries of a list by their languages."""
    return tomllib.loads((DATA / folder / f"{name}.toml").read_text("utf-8"))


def known_from(*texts: str) -> list[Memory]:
    """What is known about a person who said these texts."""
    known: dict[str, Memory] = {}
    for text in texts:
        learn(known, text)
    return [*known.values()]


def missed(folder: str, name: str, language: str) -> list[Any]:
    """The entries of a list that the stand-in gets wrong."""
    entries = listed(folder, name)[language]
    is_right = RIGHT[name](entries, language)
    return [entry for entry in entries if not is_right(entry)]


def _statements(entries: Sequence[Any], language: str) -> Callable[[Any], bool]:
    """It is stored with the words that it must keep, and quotes what was said."""

    def is_right(entry: Any) -> bool:
        said = entry
        keeps: list[str] = []
        if isinstance(entry, dict):
            said, keeps = entry["said"], entry["keeps"]
        known = known_from(said)
        names = " ".join(memory.name for memory in known)
        quoted = all(memory.quote in said for memory in known)
        return bool(known) and quoted and all(word in names for word in keeps)

    return is_right


def _not_facts(entries: Sequence[Any], language: str) -> Callable[[Any], bool]:
    """Nothing is stored."""
    return lambda said: not known_from(said)


def _questions(entries: Sequence[Any], language: str) -> Callable[[Any], bool]:
    """The sentence that answers it is quoted first, of those that answer all questions."""
    every = known_from(*(one["answer"] for one in entries))

    def is_right(entry: Any) -> bool:
        right = _quoted(entry["question"], known_from(entry["answer"]), language)
        return right[:1] == _quoted(entry["question"], every, language)[:1] != []

    return is_right


def _corrections(entries: Sequence[Any], language: str) -> Callable[[Any], bool]:
    """What was said first is gone, and the question is answered with what was said then."""

    def is_right(entry: Any) -> bool:
        old = known_from(entry["before"])
        known = known_from(entry["before"], entry["correction"])
        names = {memory.name for memory in known}
        if not old or names.intersection(memory.name for memory in old):
            return False
        answer = _quoted(entry["question"], known, language)
        return entry.get("now", "") in "\n".join(answer[:1])

    return is_right


def _days(entries: Sequence[Any], language: str) -> Callable[[Any], bool]:
    """It is a promise that is due then, or without a day where it must be asked for."""

    def is_right(entry: Any) -> bool:
        promises = [one for one in known_from(entry["said"]) if one.kind == "Promise"]
        expected = entry["due"].replace("ask", "")
        # Noon is the only time of these lists that a word names.
        either = (expected, f"{expected}T12:00")
        return bool(promises) and _due(promises[0]) in either

    def _due(memory: Memory) -> str:
        proposal = {
            "index": 0,
            "kind": memory.kind,
            "change": "create",
            "old": None,
            "values": {**memory.content},
            "sentence": memory.quote,
        }
        [verdict] = verdicts(
            f"<now>\n{_NOW}\n</now>\n<typed>\n{json.dumps(memory.quote)}\n</typed>\n"
            f"<proposals>\n{json.dumps(proposal)}\n</proposals>"
        )["verdicts"]
        stated = (verdict.get("due"), verdict.get("due_time"))
        return "T".join(part for part in stated if part)

    return is_right


def _quoted(question: str, known: Sequence[Memory], language: str) -> list[str]:
    """The lines of the answer to a question that quote a memory."""
    replies = {
        name: texts[LANGUAGES.index(language)]
        for name, texts in SCRIPT["replies"].items()
    }
    lines: list[str] = []
    for clause in clauses_in(question):
        lines += reply(clause, known, replies).splitlines()
    return [line for line in lines if line.startswith("- ")]


RIGHT: Final = {
    "statements": _statements,
    "not_facts": _not_facts,
    "questions": _questions,
    "corrections": _corrections,
    "days": _days,
}


@pytest.mark.parametrize(
    ("folder", "name", "language", "floor", "of"),
    [
        ("tuned", "statements", "en", 205, 231),
        ("tuned", "statements", "ja", 287, 295),
        ("tuned", "not_facts", "en", 260, 261),
        ("tuned", "not_facts", "ja", 296, 305),
        ("tuned", "questions", "en", 28, 30),
        ("tuned", "questions", "ja", 30, 30),
        ("first_sight", "statements", "en", 70, 80),
        ("first_sight", "statements", "ja", 75, 80),
        ("first_sight", "not_facts", "en", 119, 120),
        ("first_sight", "not_facts", "ja", 115, 119),
        ("first_sight", "questions", "en", 19, 20),
        ("first_sight", "questions", "ja", 20, 20),
        ("measured", "statements", "en", 39, 40),
        ("measured", "statements", "ja", 40, 40),
        ("measured", "questions", "en", 30, 30),
        ("measured", "questions", "ja", 30, 30),
        ("measured", "not_facts", "en", 30, 30),
        ("measured", "not_facts", "ja", 30, 30),
        ("measured", "corrections", "en", 20, 20),
        ("measured", "corrections", "ja", 19, 20),
        ("measured", "days", "en", 20, 20),
        ("measured", "days", "ja", 20, 20),
        ("unseen", "statements", "en", 15, 15),
        ("unseen", "statements", "ja", 15, 15),
        ("unseen", "questions", "en", 14, 15),
        ("unseen", "questions", "ja", 15, 15),
        ("unseen", "not_facts", "en", 15, 15),
        ("unseen", "not_facts", "ja", 15, 15),
        ("unseen", "corrections", "en", 15, 15),
        ("unseen", "corrections", "ja", 15, 15),
        ("unseen", "days", "en", 15, 15),
        ("unseen", "days", "ja", 15, 15),
        ("held_out", "statements", "en", 15, 15),
        ("held_out", "statements", "ja", 13, 15),
        ("held_out", "questions", "en", 12, 15),
        ("held_out", "questions", "ja", 14, 15),
        ("held_out", "not_facts", "en", 15, 15),
        ("held_out", "not_facts", "ja", 15, 15),
        ("held_out", "corrections", "en", 15, 15),
        ("held_out", "corrections", "ja", 14, 15),
        ("held_out", "days", "en", 15, 15),
        ("held_out", "days", "ja", 15, 15),
    ],
)
def test_people_are_understood(
    folder: str, name: str, language: str, floor: int, of: int
) -> None:
    """At least `floor` of the entries of a list are right."""
    assert len(listed(folder, name)[language]) == of
    assert of - len(missed(folder, name, language)) >= floor


def main(folders: Sequence[str]) -> None:
    """Print the figures of lists, and what is missed."""
    for folder in folders:
        for path in sorted((DATA / folder).glob("*.toml")):
            for language, entries in listed(folder, path.stem).items():
                wrong = missed(folder, path.stem, language)
                right = len(entries) - len(wrong)
                lines = [f"{folder} {path.stem} {language}: {right} of {len(entries)}"]
                lines += [f"    {entry}" for entry in wrong]
                sys.stdout.write("\n".join([*lines, ""]))


if __name__ == "__main__":
    main(sys.argv[1:] or ["measured"])
