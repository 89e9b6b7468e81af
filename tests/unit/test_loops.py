"""A model that only repeats itself is noticed; texts that repeat for a reason are not."""

from __future__ import annotations

from pathlib import Path

import pytest

from bot.answering.filters import (
    LOOP_CHARACTERS,
    LoopDetector,
    period,
    without_repetitions,
)

ROOT = Path(__file__).parents[2]

LOOPS = {
    "sentence": "I'm happy to share that. ",
    "line": "- Be kind to people\n",
    "several lines": "1. Open the door.\n2. Close the door.\n\n| a | b |\n|---|---|\n| c | d |\n",
    "Japanese": "承知しました。ほかにご質問はありますか？\n",
    "one word": "the ",
    "one character": "あ",
    "long block": "".join(
        f"Step {n}: look at the result of step {n - 1}. " for n in range(1, 9)
    ),
}
TEXTS = {
    "matrix": "\n".join("| 0 | 0 | 0 | 0 | 0 |" for _ in range(40)),
    "checklist": "\n".join(
        f"- [ ] Room {n}: windows closed, heating off" for n in range(200)
    ),
    "table": "\n".join(f"| {n} | open | Osaka | 10:00 | yes |" for n in range(200)),
    "braces": "def f():\n    pass\n\n\n" * 60,
    "poem": (
        "Row, row, row your boat,\nGently down the stream.\n" * 2
        + "Merrily, merrily.\n"
    )
    * 12,
    "refrain": "\n\n".join(
        f"Verse {n}\nwent on its way\n" + "Hey ho, the wind and the rain,\n" * 4
        for n in range(20)
    ),
    "punishment": "I will not talk in class.\n" * 50,
    "dates": "\n".join(f"2026-11-{day:02}: 休み" for day in range(1, 31)) * 1,
    "sutra": "羯諦羯諦波羅羯諦波羅僧羯諦菩提薩婆訶\n" * 21,
    "ruler": "-" * 1_200,
}
# Texts of this repository: documents, code, catalogues and data, English and Japanese.
FILES = sorted(
    path
    for folder in ("bot", "memory", "docs", "packages", "deploy", "bench")
    for path in (ROOT / folder).rglob("*")
    if path.suffix
    in {".md", ".py", ".po", ".sql", ".toml", ".yaml", ".css", ".html", ".mjs"}
)


def loops(text: str, size: int = 7) -> bool:
    """Return whether a text that comes in pieces is found to be a loop."""
    detector = LoopDetector()
    found = [detector.feed(text[at : at + size]) for at in range(0, len(text), size)]
    return any(found)


@pytest.mark.parametrize("block", LOOPS.values(), ids=LOOPS)
@pytest.mark.parametrize("size", [1, 7, 4_000])
def test_a_loop_is_found_soon(block: str, size: int) -> None:
    """Whatever comes before it, and in whatever pieces: it is found in 2,500 characters."""
    before = "This is the answer to your question. It has a beginning.\n\n"
    looped = block * (2_500 // len(block) + 1)
    assert loops(before + looped, size)
    assert without_repetitions(before + looped) == (before + block).rstrip()


@pytest.mark.parametrize("text", TEXTS.values(), ids=TEXTS)
def test_what_repeats_for_a_reason_is_no_loop(text: str) -> None:
    """Tables, lists, code, poems and prayers stay whole."""
    assert not loops(text)


def test_no_text_of_the_repository_is_a_loop() -> None:
    """Of a thousand real texts none is taken for a loop."""
    assert len(FILES) > 200
    assert [path for path in FILES if loops(path.read_text("utf-8"), 4_000)] == []


@pytest.mark.parametrize(
    ("text", "length"),
    [("a", 1), ("abab", 2), ("ababa", 2), ("abcd", 4), ("aabaab", 3)],
)
def test_the_period_is_the_shortest_block(text: str, length: int) -> None:
    """Also where the last repetition is cut off."""
    assert period(text) == length


def test_a_text_that_does_not_repeat_itself_is_unchanged() -> None:
    """Only a block that is repeated several times is taken away."""
    text = "one two three two three"
    assert without_repetitions(text) == text
    assert without_repetitions("") == ""
    assert len(without_repetitions("ab" * LOOP_CHARACTERS)) == 2
