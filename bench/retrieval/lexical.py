"""A lexical order to compare with: BM25 over words, and over pairs of characters of Japanese."""

from __future__ import annotations

import math
import re
import unicodedata
from collections import Counter
from collections.abc import Sequence

_RUN = re.compile(r"[a-z0-9]+|[^\W_a-z0-9]+")
_K1, _B = 1.2, 0.75


def terms(text: str) -> list[str]:
    """Return the words of a text; of a run without spaces, every two characters."""
    found: list[str] = []
    for run in _RUN.findall(unicodedata.normalize("NFKC", text).casefold()):
        if run.isascii() or len(run) == 1:
            found.append(run)
        else:
            found += [run[start : start + 2] for start in range(len(run) - 1)]
    return found


class Lexical:
    """The texts of one person, scored for a question.

    Source: Robertson and Zaragoza, "The Probabilistic Relevance Framework: BM25 and Beyond"
    (2009), with its usual constants.
    """

    def __init__(self, texts: Sequence[str]) -> None:
        self._counts = [Counter(terms(text)) for text in texts]
        self._lengths = [sum(count.values()) for count in self._counts]
        self._mean = sum(self._lengths) / max(len(texts), 1) or 1.0
        self._found_in = Counter(term for count in self._counts for term in count)

    def scores(self, question: str) -> list[float]:
        """Return one score for each text, at least 0."""
        asked = set(terms(question))
        return [
            sum(self._weight(term) * self._share(count[term], length) for term in asked)
            for count, length in zip(self._counts, self._lengths, strict=True)
        ]

    def _weight(self, term: str) -> float:
        found = self._found_in[term]
        return math.log(1 + (len(self._counts) - found + 0.5) / (found + 0.5))

    def _share(self, count: int, length: int) -> float:
        return count * (_K1 + 1) / (count + _K1 * (1 - _B + _B * length / self._mean))
