"""Finds the sentences of a person nearest to a question, by the rare words that they share."""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Sequence
from typing import Final

from kioku_stand_in.script import COMMON, SCRIPT, compiled

_ONLY: Final = SCRIPT["subjects"]["only"]
_SUBJECTS: Final = compiled(
    {
        name: [*phrases, *_ONLY.get(name, ())]
        for name, phrases in SCRIPT["subjects"]["shared"].items()
    }
)
_WORD: Final = re.compile(r"[a-z0-9]{2,}")
_KANJI: Final = re.compile(r"[一-鿿]")
_RUN: Final = re.compile(r"[ァ-ヺー一-鿿々]+")
_ENDING: Final = re.compile(r"(?<=\w\w\w)(?:ing|ed|ly|es|e|s)$")
_ONESELF: Final = re.compile(
    r"\b(?:i|my|(?<!tell )(?<!show )(?<!remind )me|mine|myself)\b|[私僕俺]|自分", re.I
)
_STEM: Final = 5  # English words with the same first characters are the same word
_SHOWN: Final = 5


def _stem(word: str) -> str:
    """Return what forms of an English word share; a name with digits has no other form."""
    if not word.isalpha():
        return word
    return _ENDING.sub("", word)[:_STEM]


_COMMON: Final = {*COMMON, *map(_stem, COMMON)}


def nearest(question: str, sentences: Sequence[str]) -> list[int]:
    """Return the indexes of the sentences that share most with a question, at most five."""
    wanted = pieces_of(question)
    pieces = [pieces_of(sentence) for sentence in sentences]
    frequency = Counter[str]()
    for of_one in pieces:
        frequency.update(of_one)
    scores: list[float] = []
    for of_one in pieces:
        score = 0.0
        for piece in wanted & of_one:
            rarity = len(pieces) / frequency[piece]
            score += math.log(1 + rarity)
        scores.append(score)
    least = max(scores, default=0.0) / 2
    near = [index for index, score in enumerate(scores) if score > least]
    near.sort(key=scores.__getitem__, reverse=True)
    return near[:_SHOWN]


def fits(question: str, line: str) -> bool:
    """Return whether somebody else's line may answer a question, which is not about the person.

    It has more than half of what distinguishes the question from others.
    """
    wanted = words_of(question)
    shared = wanted & words_of(line)
    about_oneself = bool(_ONESELF.search(question))
    return bool(shared) and not about_oneself and 2 * len(shared) > len(wanted)


def pieces_of(text: str) -> set[str]:
    """Return the words of a text, and the subjects that it is about."""
    subjects = {
        f"<{name}>" for name, phrases in _SUBJECTS.items() if phrases.search(text)
    }
    return words_of(text) | subjects


def words_of(text: str) -> set[str]:
    """Return the stems of rare words; of Japanese, characters and their pairs."""
    pieces: set[str] = set()
    american = text.casefold().replace("our", "or")
    for word in _WORD.findall(american):
        pieces.add(_stem(word))
    pieces.update(_KANJI.findall(text))
    for run in _RUN.findall(text):
        for start in range(len(run) - 1):
            pieces.add(run[start : start + 2])
    return pieces - _COMMON
