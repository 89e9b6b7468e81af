"""Requests about memory: how many wordings are heard, and that ordinary sentences are not."""

from __future__ import annotations

import tomllib
from collections.abc import Iterator
from pathlib import Path

import pytest

from bot.acts.phrases import Request, heard, heard_after_forget, heard_after_memories

DATA = tomllib.loads(Path("tests/data/requests.toml").read_text(encoding="utf-8"))
# What a wording of a group with values means: the name of the request, and what is said of it.
MEANS = {"pause_for": ("pause", 1), "forget_since": ("since", 60)}


def wordings() -> Iterator[tuple[str, Request]]:
    """Yield each wording of the list with what it asks for, but for the rest of its message."""
    for name, group in DATA["heard"].items():
        if isinstance(group, list):
            for said in group:
                yield said, Request(what=name)
            continue
        for value, all_said in group.items():
            request = Request(what="forget", words=value)
            if name in MEANS:
                what, minutes = MEANS[name]
                request = Request(what=what, minutes=minutes * int(value))  # type: ignore[arg-type]
            for said in all_said:
                yield said, request


def test_most_wordings_are_heard_as_what_they_mean() -> None:
    """Of 120 wordings, half of them Japanese, 85 % at least."""
    missed: list[tuple[str, Request | None]] = []
    count = 0
    for said, expected in wordings():
        count += 1
        found = heard(said)
        words = found.words.casefold() if found else ""
        if expected.what in ("not_this", "keep"):
            words = ""
        is_same = found is not None and (found.what, words, found.minutes) == (
            expected.what,
            expected.words.casefold(),
            expected.minutes,
        )
        if not is_same:
            missed.append((said, found))
    assert count == 120
    assert len(missed) <= 0.15 * count, missed


def test_ordinary_sentences_are_no_requests() -> None:
    """Of 200 sentences, 1 % at most is taken for one."""
    sentences = [*DATA["ordinary"]["english"], *DATA["ordinary"]["japanese"]]
    assert len(sentences) == 200
    taken = [said for said in sentences if heard(said)]
    assert len(taken) <= 2, taken


@pytest.mark.parametrize("name", ["everyday_sentences.txt"])
def test_no_everyday_sentence_is_a_request(name: str) -> None:
    """Sentences that other tests read, too."""
    for said in Path("tests/data", name).read_text(encoding="utf-8").splitlines():
        assert heard(said) is None, said


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        ("", Request(what="list")),
        ("ramen", Request(what="list", words="ramen")),
        ("pause", Request(what="pause")),
        ("pause 2 hours", Request(what="pause", minutes=120)),
        ("停止 30分", Request(what="pause", minutes=30)),
        # A search would leave memory on.
        ("pause until the fair", Request(what="pause")),
        ("resume", Request(what="resume")),
        ("WHY", Request(what="changes")),
        ("forget what I said about ramen", Request(what="forget", words="ramen")),
        ("help", Request(what="help")),
    ],
)
def test_what_is_typed_after_memories(words: str, expected: Request) -> None:
    """A word of its own, a request, or what is searched for."""
    assert heard_after_memories(words) == expected


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        ("ramen", Request(what="forget", words="ramen")),
        ("C++, and Go.", Request(what="forget", words="C++, and Go.")),
        ("what I said about ramen", Request(what="forget", words="ramen")),
        ("ラーメンのこと", Request(what="forget", words="ラーメン")),
        ("everything", Request(what="everything")),
        ("すべて", Request(what="everything")),
        ("all my data", Request(what="data")),
        ("that", Request(what="before")),
        ("the last 2 hours", Request(what="since", minutes=120)),
    ],
)
def test_what_is_typed_after_forget(words: str, expected: Request) -> None:
    """Everything, a time, the message before, or what has some words."""
    assert heard_after_forget(words) == expected


@pytest.mark.parametrize(
    ("words", "what"),
    [
        ("what have you got stored on me so far?", "list"),
        ("これまでに何を記憶したか見せてもらえますか", "list"),
        ("覚えたことを1つずつ確認したい", "list"),
        ("can I get a download of my memories?", "export"),
        ("記憶を全部ファイルで欲しいんだけど", "export"),
        ("設定を変えたい", "settings"),
        ("delete that last one please", "before"),
        ("今の変更、なかったことにして", "undo"),
        ("stop learning about me for today", "tomorrow"),
        ("Between us, please keep this out of your notes: I'm ill", "not_this"),
        (
            "ここだけの話なので記録には残さないでほしいんですが、転職を考えています",
            "not_this",
        ),
    ],
)
def test_what_was_missed_at_first_sight_is_heard(words: str, what: str) -> None:
    """Wordings of people who had not seen the table."""
    found = heard(words)
    assert found is not None
    assert found.what == what


@pytest.mark.parametrize(
    "unit", ["please ", "forget ", "ください", "no, ", "覚え", "a "]
)
def test_hearing_takes_linear_time(unit: str) -> None:
    """What people paste is no reason to wait."""
    assert heard(unit * 10_000) is None
