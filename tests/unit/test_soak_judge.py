"""The judge of the long fault run finds what it is there to find."""

from __future__ import annotations

import pytest

from bot.locale import say
from tests.e2e.messages import Human, Json, Said
from tests.soak_judge import Question, foreign_words, judge

ANN, BO = Human("U1", "Ann"), Human("U2", "Bo")


def question(number: int, human: Human, thread: str) -> Question:
    """Return a question in a thread of the channel C1."""
    marker = f"zq{number:04d}"
    said = Said(human, "C1", f"{thread}{number}", thread, f"I love {marker} soup")
    return Question(said, marker, f"{marker} begins. That was {marker}.")


FIRST, SECOND = question(1, ANN, "10."), question(2, BO, "20.")


def shown(text: str, thread: str, *, streaming: bool = False) -> Json:
    """Return a message of the app."""
    return {"channel": "C1", "thread_ts": thread, "text": text, "streaming": streaming}


GOOD = [shown(FIRST.answer, "10."), shown(SECOND.answer, "20.")]


def found(*messages: Json) -> dict[str, int]:
    """Return how often each kind of violation is found."""
    rows = judge([FIRST, SECOND], messages).rows()
    return {name: len(lines) for name, lines in rows if lines}


def test_one_whole_answer_to_each_is_no_violation() -> None:
    """Where each question has its answer, whole and once, nothing is found."""
    assert found(*GOOD) == {}


@pytest.mark.parametrize(
    ("messages", "violations"),
    [
        (GOOD[:1], {"lost": 1}),
        ([*GOOD, GOOD[0]], {"answered twice": 1}),
        ([*GOOD, shown("zq0001 beg", "10.")], {"answered twice": 1, "cut short": 1}),
        ([*GOOD, shown(say("en", "turn_failed"), "20.")], {"answered twice": 1}),
        ([GOOD[0], shown(say("ja", "model_down"), "20.")], {"answered with an apology only": 1}),
        ([GOOD[0], shown(SECOND.answer, "10.")], {"lost": 1, "in another's thread": 1}),
        ([GOOD[0], shown(SECOND.answer[:-9], "20.")], {"cut short": 1}),
        ([GOOD[0], shown(SECOND.answer, "20.", streaming=True)], {"cut short": 1}),
        ([*GOOD, shown("Hello.", "10.")], {"messages that answer nothing": 1}),
    ],
    ids=lambda given: "+".join(given) if isinstance(given, dict) else "",
)
def test_each_violation_is_found(messages: list[Json], violations: dict[str, int]) -> None:
    """Each way to fail is counted under its own name."""
    counted = {name.removesuffix(" or still streaming"): n for name, n in found(*messages).items()}
    assert counted == violations


def test_another_persons_words_in_a_prompt_are_found() -> None:
    """A prompt may hold its person's words and its thread's, nobody else's."""
    third, joined = question(3, ANN, "30."), question(4, BO, "10.")
    everything = [FIRST, SECOND, third, joined]
    asks = FIRST.said.text
    assert foreign_words(everything, [(asks, "zq0001 zq0003 zq0004")]) == []
    assert foreign_words(everything, [(asks, "zq0001 zq0002")]) == ["zq0002 for zq0001"]
