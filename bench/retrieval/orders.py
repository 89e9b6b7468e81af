"""The orders that are compared: the app's own recall, a lexical one, and a blend of the two."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from bench.retrieval.lexical import Lexical
from bench.retrieval.questions import Someone
from memory import DM, Embedder, Person, Pool, add_memory, memory_view, recall_memories

ORDERS = ("cosine", "lexical", "blend")
MOST = 10


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
        change = await add_memory(pool, embedder, namespace, one.kind, one.content, source)
        names[change.reference] = one.name
    asked = await _embedded(embedder, [question.text for question in someone.questions])
    lexical, best = Lexical(texts), {order: list[list[str]]() for order in ORDERS}
    surest: list[float] = []
    for question, vector in zip(someone.questions, asked, strict=True):
        found = await recall_memories(
            pool, embedder, memory_view(namespace), question.text, whole=0, instructions=False
        )
        best["cosine"].append([names[memory.reference] for memory in found.memories])
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
