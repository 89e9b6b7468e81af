"""The judge of the long fault run finds what it is there to find."""

from __future__ import annotations

import dataclasses
import re

import pytest

from bot.locale import say
from tests.e2e.messages import Human, Json, Said
from tests.soak.judge import foreign_words, judge, judge_memories, out_of_order
from tests.soak.questions import Question, answer, scripts, statement
from tests.soak.questions import question as asks

ANN, BO = Human("U1", "Ann"), Human("U2", "Bo")


def question(number: int, human: Human, thread: str) -> Question:
    """Return a question in a thread of the channel C1."""
    marker = f"zq{number:05d}"
    said = Said(human, "C1", f"{thread}{number}", thread, f"I love {marker} soup")
    return Question(said, marker, f"{marker} begins. That was {marker}.", states=True)


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
        ([*GOOD, shown("zq00001 beg", "10.")], {"answered twice": 1, "cut short": 1}),
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
    assert foreign_words(everything, [(asks, "zq00001 zq00003 zq00004")]) == []
    assert foreign_words(everything, [(asks, "zq00001 zq00002")]) == ["zq00002 for zq00001"]


def test_answers_out_of_order_are_found() -> None:
    """In a thread the answer to an earlier question comes first; threads do not wait."""
    early, late, apart = question(1, ANN, "10."), question(2, BO, "10."), question(0, ANN, "20.")
    everything = [early, late, apart]
    one, two = ({**shown(q.answer, "10."), "ts": f"9{n}.0"} for n, q in enumerate((early, late)))
    other = {**shown(apart.answer, "20."), "ts": "99.0"}
    assert out_of_order(everything, [one, two, other]) == []
    swapped = [{**one, "ts": two["ts"]}, {**two, "ts": one["ts"]}, other]
    assert out_of_order(everything, swapped) == ["zq00001"]


def test_memories_that_are_lost_doubled_or_anothers_are_found() -> None:
    """Each thing that was said is once in its person's list, and in no other's."""
    both = [FIRST, SECOND, dataclasses.replace(question(3, BO, "30."), states=False)]
    found = judge_memories(both, {ANN: "zq00001 soup: I love zq00001 soup", BO: "zq00002"})
    assert (found.lost, found.doubled, found.crossed) == ([], [], [])
    found = judge_memories(both, {ANN: "zq00001\nzq00001", BO: "zq00001"})
    assert (found.lost, found.doubled) == (["zq00002"], ["zq00001"])
    assert found.crossed == ["zq00001 with Bo"]


def test_the_scripts_answer_each_marker_as_the_judge_expects() -> None:
    """What the stand-in model makes of a script is the answer that is asked for."""
    for marker in ("zq00000", "zq12345", "zq00019"):
        for words in (statement(marker), asks(marker)):
            found = [(one, re.search(one["pattern"], words)) for one in scripts(parts=3)]
            [given] = [match.expand(one["output"]["text"]) for one, match in found if match]
            assert given == answer(marker, parts=3)
