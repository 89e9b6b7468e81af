"""The questions, asked of the app's own recall, and quality metrics of the orders."""

from __future__ import annotations

import statistics
from collections.abc import Sequence
from typing import TypeAlias

import openai

from bench.ground import SPACE, Ground
from bench.plan import Plan
from bench.results import quantile
from bench.retrieval.orders import ORDERS, ranked
from bench.retrieval.questions import ASKS, Question, Someone, our_people
from bench.side_by_side import Progress
from memory import Embedder, Pool, create_pool

_ALL = 1_000

Found: TypeAlias = tuple[Question, list[str]]


def recall_at(count: int, found: Sequence[Found]) -> float:
    """Return the mean share of the answering memories among the first `count`."""
    return statistics.fmean(
        len(question.answers & set(best[:count])) / len(question.answers)
        for question, best in found
    )


async def measure(ground: Ground, _plan: Plan, progress: Progress) -> dict[str, float]:
    """Return the metrics of the set that comes with the bench, by the stand-in's embeddings."""
    return await ask(ground, our_people(), progress, settings=ground.model_settings())


async def ask(
    ground: Ground, people: Sequence[Someone], progress: Progress, *, settings: dict[str, str]
) -> dict[str, float]:
    """Return the metrics of some people; `settings` lead to the embeddings, as an operator's do."""
    await ground.pace(embedding_ms=0)
    address = ground.app_database("retrieval")
    client = openai.AsyncOpenAI(
        api_key=settings["OPENAI_API_KEY"], base_url=settings.get("OPENAI_BASE_URL")
    )
    async with client, create_pool(address, min_size=1, max_size=4, timeout=60) as pool:
        embedder = Embedder(client, SPACE, cache_size=20_000)
        return await _measure_orders(pool, embedder, people, progress)


async def _measure_orders(
    pool: Pool, embedder: Embedder, people: Sequence[Someone], progress: Progress
) -> dict[str, float]:
    """Return the metrics of each order: of all questions, by what is asked, and by language.

    `retrieval_in_view` is the share of the answering memories that the reply gets to see at all.
    `retrieval_cut_off_lost` is the share of known answers that a similarity cut-off would hide if
    it hid nine in ten of the questions to which nothing is known.
    """
    found: dict[str, list[Found]] = {order: [] for order in ORDERS}
    known: list[float] = []
    unknown: list[float] = []
    for number, someone in enumerate(people):
        progress(number, len(people))
        ranking = await ranked(pool, embedder, someone, number)
        for place, question in enumerate(someone.questions):
            (known if question.answers else unknown).append(ranking.surest[place])
            if question.answers:
                for order in ORDERS:
                    found[order].append((question, ranking.best[order][place]))
    progress(len(people), len(people))
    metrics: dict[str, float] = {
        "retrieval_questions": len(known) + len(unknown),
        "retrieval_in_view": round(recall_at(_ALL, found["cosine"]), 3),
    }
    for order in ORDERS:
        metrics |= _metrics(f"retrieval_{order}", found[order])
    if unknown:
        hidden = quantile(unknown, 0.9)
        lost = sum(cosine < hidden for cosine in known) / len(known)
        metrics["retrieval_cut_off_lost"] = round(lost, 3)
    return metrics


def _metrics(name: str, found: Sequence[Found]) -> dict[str, float]:
    groups: dict[str, list[Found]] = {"": list(found)}
    for asks in ASKS:
        groups[f"_{asks}"] = [one for one in found if one[0].asks == asks]
    for language in sorted({question.language for question, _ in found}):
        groups[f"_{language}"] = [one for one in found if one[0].language == language]
    metrics: dict[str, float] = {}
    for suffix, group in groups.items():
        if group:
            metrics[f"{name}_recall_at_5{suffix}"] = round(recall_at(5, group), 3)
            metrics[f"{name}_recall_at_10{suffix}"] = round(recall_at(10, group), 3)
    return metrics
