"""The orders that are compared: the app's own recall, a lexical one, and a blend of the two."""

from __future__ import annotations

import math
import re
import unicodedata
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from bench.retrieval.questions import Someone
from memory import DM, Embedder, Person, Pool, add_memories, memory_view, recall_memories

ORDERS = ("cosine", "lexical", "blend")
MOST = 10
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


@dataclass(frozen=True, slots=True)
class Ranked:
    """For each question of a person, in their order: the best names, best first, by each order.

    By the app's own, "cosine", they are all that would be in view of the reply.

    `surest` is the cosine of the best one, at most 1.
    """

    best: dict[str, list[list[str]]]
    surest: list[float]


async def ranked(pool: Pool, embedder: Embedder, someone: Someone, number: int) -> Ranked:
    """Store what is known of a person as the app does, and ask."""
    person = Person("TBENCH", f"U{number:04}")
    namespace = person.namespace(DM)
    source = {"kind": "import"}
    texts = [one.text for one in someone.known]
    vectors = await _embedded(embedder, texts)
    names: dict[str, str] = {}
    for one in someone.known:
        given = [(one.content, source)]
        [change] = await add_memories(pool, embedder, namespace, one.kind, given)
        names[change.key] = one.name
    asked = await _embedded(embedder, [question.text for question in someone.questions])
    lexical, best = Lexical(texts), {order: list[list[str]]() for order in ORDERS}
    surest: list[float] = []
    for question, vector in zip(someone.questions, asked, strict=True):
        found = await recall_memories(
            pool, embedder, memory_view(namespace), question.text, whole=0, instructions=False
        )
        best["cosine"].append([names[memory.key] for memory in found.memories])
        cosines = [sum(map(float.__mul__, vector, one)) for one in vectors]
        surest.append(max(cosines))
        words = lexical.scores(question.text)
        best["lexical"].append(_first(someone, words))
        best["blend"].append(
            _first(someone, [a + b for a, b in zip(_even(cosines), _even(words), strict=True)])
        )
    return Ranked(best, surest)


async def _embedded(embedder: Embedder, texts: Sequence[str]) -> list[list[float]]:
    found: list[list[float]] = []
    for start in range(0, len(texts), 100):
        found += await embedder.embed(texts[start : start + 100])
    return found


def _first(someone: Someone, scores: Iterable[float]) -> list[str]:
    order = sorted(zip(scores, someone.known, strict=True), key=lambda pair: -pair[0])
    return [one.name for _, one in order[:MOST]]


def _even(scores: Sequence[float]) -> list[float]:
    """Return scores between 0 and 1, the least 0 and the most 1."""
    least, most = min(scores), max(scores)
    return [(score - least) / (most - least or 1.0) for score in scores]
