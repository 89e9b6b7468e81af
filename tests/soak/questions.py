"""What is asked and what must be answered: both follow from a question's marker."""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterator
from dataclasses import dataclass

from tests.e2e.messages import Json
from tests.person import Said

MARKER = re.compile(r"zq\d{5}")


@dataclass(frozen=True, slots=True)
class Question:
    """A message that was sent, its marker, and the whole of its answer."""

    said: Said
    marker: str
    answer: str
    states: bool = False


def markers() -> Iterator[str]:
    """Return markers, each of its own."""
    return (f"zq{number:05d}" for number in itertools.count())


def statement(marker: str) -> str:
    """Return words that say what somebody likes, which is to be remembered."""
    return f"I love {marker} soup. What else is there?"


def question(marker: str) -> str:
    """Return words that say nothing of anybody."""
    return f"How is {marker} made?"


def answer(marker: str, *, parts: int) -> str:
    """Return the answer to a marker: it begins and ends with it.

    The last digit of the marker makes it longer, `parts` sentences for each.
    """
    return _text(marker, int(marker[-1]), parts)


def scripts(*, parts: int) -> list[Json]:
    """Return what makes the stand-in model answer every marker so."""
    return [
        {
            "endpoint": "responses",
            "kind": "reply",
            # The question comes last: recent words before it have markers of their own.
            "pattern": rf"zq\d{{4}}{digit}(?=(?: made\?| soup\. What else is there\?)$)",
            "output": {"text": _text(r"\g<0>", digit, parts)},
            "times": -1,
        }
        for digit in range(10)
    ]


def _text(marker: str, digit: int, parts: int) -> str:
    middle = " ".join(f"Part {number} of it." for number in range(2 + digit * parts))
    return f"{marker} begins. {middle} That was {marker}."
