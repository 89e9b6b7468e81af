"""`/v1/embeddings`: lexical, deterministic, normalised."""

from __future__ import annotations

import math
from typing import Any

import openai
import pytest

SMALL = "text-embedding-3-small"


async def vectors(
    client: openai.AsyncOpenAI, *texts: str, **more: Any
) -> list[list[float]]:
    """The embeddings of `texts`, in order."""
    more.setdefault("model", SMALL)
    answer = await client.embeddings.create(input=list(texts), **more)
    assert [one.index for one in answer.data] == list(range(len(texts)))
    return [one.embedding for one in answer.data]


def cosine(one: list[float], other: list[float]) -> float:
    """The cosine of two vectors of length one."""
    return sum(x * y for x, y in zip(one, other, strict=True))


@pytest.mark.parametrize(
    ("model", "size"),
    [(SMALL, 1536), ("text-embedding-3-large", 3072), ("local-embedding", 256)],
)
async def test_each_model_has_its_size(
    client: openai.AsyncOpenAI, model: str, size: int
) -> None:
    """Vectors are as long as the model's and of length one."""
    (vector,) = await vectors(client, "味噌ラーメン", model=model)
    assert len(vector) == size
    assert math.isclose(cosine(vector, vector), 1, abs_tol=1e-5)


@pytest.mark.parametrize(
    ("near", "query", "far"),
    [
        ("I love miso ramen", "which ramen do I like?", "Kubernetes and Rust at work"),
        ("ラーメンが大好きです", "味噌ラーメンのお店", "量子コンピューティングの基礎"),
        ("AWSとAzureを学んでいる", "azureの資格", "パスタは嫌いになりました"),
    ],
)
async def test_texts_that_share_words_are_near(
    client: openai.AsyncOpenAI, near: str, query: str, far: str
) -> None:
    """A shared word outweighs shared particles, in both languages."""
    one, asked, other = await vectors(client, near, query, far)
    assert cosine(one, asked) > cosine(other, asked) + 0.1


@pytest.mark.parametrize(
    "change",
    [
        {"input": ""},
        pytest.param({"input": []}, marks=pytest.mark.nonconforming),
        {"input": ["a", ""]},
        {"input": "x", "dimensions": 1537},
        pytest.param({"input": "x", "dimensions": 0}, marks=pytest.mark.nonconforming),
        {"input": "記" * 2731},
        {"input": "word " * 8193},
        {"input": ["word " * 8000] * 38},
        pytest.param({"input": ["x"] * 2049}, marks=pytest.mark.nonconforming),
        pytest.param(
            {"input": "x", "encoding_format": "hex"}, marks=pytest.mark.nonconforming
        ),
        {"input": "x", "model": "gpt-6-luna"},
    ],
)
async def test_what_openai_refuses_is_refused(
    client: openai.AsyncOpenAI, change: dict[str, Any]
) -> None:
    """Empty, too long and misshapen input gets 400."""
    body = {"model": SMALL, **change}
    with pytest.raises(openai.BadRequestError):
        await client.post("/embeddings", body=body, cast_to=object)
