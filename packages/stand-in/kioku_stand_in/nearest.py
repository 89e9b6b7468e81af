"""Finds the sentences of a person nearest to a question, by the rare words that they share."""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Sequence
from typing import Final

from kioku_stand_in.script import COMMON, SCRIPT, compiled

_CONCEPTS: Final = compiled(SCRIPT["concepts"])
_STEM: Final = 5  # English words with the same first characters are the same word
_SHOWN: Final = 5


def nearest(question: str, sentences: Sequence[str]) -> list[int]:
    """Return the indexes of the sentences that share most with a question, at most five."""
    asked = _pieces(question)
    pieces = [_pieces(one) for one in sentences]
    frequency: Counter[str] = Counter()
    for of_one in pieces:
        frequency.update(of_one)
    scores = []
    for of_one in pieces:
        shared = sum(math.log(1 + len(pieces) / frequency[piece]) for piece in asked & of_one)
        # A longer sentence shares more words with any question.
        scores.append(shared / math.sqrt(4 + len(of_one)))
    best = max(scores, default=0.0)
    order = sorted(range(len(scores)), key=lambda at: -scores[at])
    return [at for at in order[:_SHOWN] if scores[at] > best / 2]


def _pieces(text: str) -> set[str]:
    """Return the stems of words; of Japanese, characters and their pairs; and concepts."""
    american = text.casefold().replace("our", "or")
    words = re.findall(r"[a-z0-9]{2,}", american)
    pieces = {word.rstrip("s")[:_STEM] for word in words}
    pieces.update(re.findall(r"[一-鿿]", text))
    for run in re.findall(r"[ァ-ヺー一-鿿々]+", text):
        pieces |= {run[at : at + 2] for at in range(len(run) - 1)}
    concepts = {name for name, phrases in _CONCEPTS.items() if phrases.search(text)}
    return pieces - COMMON | concepts
