"""Which of a person's sentences are nearest to a question: by the rare words that they share."""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Sequence
from typing import Final

from kioku_stand_in.sentences import SCRIPT, pattern

_COMMON: Final = frozenset(SCRIPT["common"]["words"].split())
_RELATED: Final = {f"~{name}": pattern(words) for name, words in SCRIPT["related"].items()}
_STEM: Final = 5  # characters that make two English words the same
_SHOWN: Final = 3


def nearest(question: str, sentences: Sequence[str]) -> list[str]:
    """Return the sentences that share most with a question, best first, at most three."""
    asked = _pieces(question)
    pieces = [_pieces(one) for one in sentences]
    frequency = Counter(piece for of_one in pieces for piece in of_one)
    weights = {piece: math.log(1 + len(pieces) / count) for piece, count in frequency.items()}
    scores = [_score(asked, of_one, weights) for of_one in pieces]
    best = max(scores, default=0.0)
    order = sorted(range(len(scores)), key=lambda at: (-scores[at], at))
    return [sentences[at] for at in order[:_SHOWN] if scores[at] > best / 2]


def _score(asked: set[str], pieces: set[str], weights: dict[str, float]) -> float:
    """Return what a question and a sentence share, a word at least; a longer one needs more."""
    shared = asked & pieces
    if shared <= _RELATED.keys():
        return 0.0
    return sum(weights[piece] for piece in shared) / math.sqrt(4 + len(pieces))


def _pieces(text: str) -> set[str]:
    """Return the stems of words; of Japanese, characters and their pairs; and their relations."""
    american = text.casefold().replace("our", "or")
    words = {one.rstrip("s") for one in re.findall(r"[a-z0-9]{2,}", american)}
    pieces = {one[:_STEM] for one in words}
    for run in re.findall(r"[ァ-ヺー一-鿿々]+", text):
        pieces |= {run[at : at + 2] for at in range(len(run) - 1)}
        pieces |= {one for one in run if re.match("[一-鿿]", one)}
    related = {name for name, words in _RELATED.items() if words.search(text)}
    return pieces - _COMMON | related
