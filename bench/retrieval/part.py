"""The questions, asked of the app's own recall."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence

import openai

from bench.ground import SPACE, Ground
from bench.plan import Plan
from bench.retrieval.measure import measure_orders
from bench.retrieval.questions import Someone, our_people
from memory import Embedder, create_pool

Progress = Callable[[int, int], None]


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
        return await measure_orders(pool, embedder, people, progress)


def real_settings() -> dict[str, str] | None:
    """Return what leads to a real model's embeddings, where a key is set."""
    key = os.environ.get("OPENAI_API_KEY")
    if not key:
        return None
    base_url = os.environ.get("OPENAI_BASE_URL")
    return {"OPENAI_API_KEY": key, **({"OPENAI_BASE_URL": base_url} if base_url else {})}
