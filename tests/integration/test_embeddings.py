"""Texts to vectors: the real OpenAI client against the stand-in model."""

from __future__ import annotations

import math
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any

import openai
import pytest
from aiohttp import web

from memory import Embedder, EmbeddingSpace, EmbeddingsUnavailable, embedding_space
from memory.embeddings.embedder import MAX_BYTES, beginning
from memory.model import estimated_tokens
from openai_double.conformance import recorded
from tests.conftest import Server
from tests.databases import SPACE
from tests.loopback import serving


def asked(stand_in: Server) -> list[list[str]]:
    """Return the texts of each embeddings request so far."""
    entries = stand_in.call("/_model/journal")["entries"]
    inputs = [e["body"]["input"] for e in entries if e["endpoint"] == "embeddings"]
    return [[i] if isinstance(i, str) else i for i in inputs]


async def test_one_vector_for_each_text_in_order(
    embedder: Embedder, stand_in: Server
) -> None:
    """Texts become normalised vectors of the space's size, in their order, in one request."""
    vectors = await embedder.embed(["ラーメン", "AWS", "ラーメン"])
    assert [len(v) for v in vectors] == [SPACE.dimensions] * 3
    assert vectors[0] == vectors[2] != vectors[1]
    assert math.dist(vectors[0], [0.0] * SPACE.dimensions) == pytest.approx(1, abs=1e-3)
    assert asked(stand_in) == [["ラーメン", "AWS", "ラーメン"]]
    assert await embedder.embed([]) == []


@pytest.mark.parametrize(
    "text",
    [
        "a" * 9_000,
        "あ" * 9_000,
        "a" + "🍜" * 3_000,
        "ab" + "é" * 9_000,
        "👩‍👩‍👧‍👦" * 1_000,
        "\x00" * 9_000 + "é",
        "\ud83d" * 9_000,
        "",
    ],
)
def test_what_is_embedded_fits_every_tokenizer_of_bytes(text: str) -> None:
    """At most `MAX_BYTES` of a text, whole characters and as many as fit; twice the same."""
    cut = beginning(text)
    assert cut == beginning(text) == beginning(cut)
    assert 1 <= len(cut.encode()) <= MAX_BYTES
    whole = text.replace("\x00", "").encode("utf-8", "replace").decode() or " "
    assert whole.startswith(cut)
    rest = whole[len(cut) :]
    assert not rest or len((cut + rest[0]).encode()) > MAX_BYTES


@pytest.mark.parametrize(
    "fault",
    [
        {"status": 500},
        {"status": 429},
        {"drop": True},
        {"error_code": "invalid_api_key"},
    ],
)
async def test_a_model_that_is_away(
    embedder: Embedder, stand_in: Server, fault: dict[str, Any]
) -> None:
    """Whatever keeps the model from answering is one error; afterwards it is asked again."""
    stand_in.call("/_model/faults", {"endpoint": "embeddings", **fault})
    with pytest.raises(EmbeddingsUnavailable, match="did not answer"):
        await embedder.embed(["away"])
    assert len(await embedder.embed(["away"])) == 1


async def test_vectors_of_another_size_are_refused(
    model_client: openai.AsyncOpenAI,
) -> None:
    """A model that answers in another size than the stored one is not believed."""
    embedder = Embedder(model_client, EmbeddingSpace(SPACE.model, 7))
    with pytest.raises(EmbeddingsUnavailable, match="vectors of 7 dimensions"):
        await embedder.embed(["x"])


@asynccontextmanager
async def answering(body: dict[str, Any]) -> AsyncIterator[openai.AsyncOpenAI]:
    """Serve one answer to every embeddings request, and give a client of that server."""

    async def answer(_: web.Request) -> web.Response:
        return web.json_response({"object": "list", "model": "own", **body})

    async with own_server(answer) as client:
        yield client


@asynccontextmanager
async def own_server(
    answer: Callable[[web.Request], Awaitable[web.Response]],
) -> AsyncIterator[openai.AsyncOpenAI]:
    """Let `answer` answer embeddings requests, and give a client of that server."""
    app = web.Application(middlewares=[recorded])
    app.router.add_post("/v1/embeddings", answer)
    async with (
        serving(app) as url,
        openai.AsyncOpenAI(api_key="x", base_url=f"{url}/v1", max_retries=0) as client,
    ):
        yield client


@asynccontextmanager
async def small_server(
    *, texts: int = 2_048, tokens: int = 8_192, status: int = 400, message: str = "no"
) -> AsyncIterator[tuple[openai.AsyncOpenAI, list[list[str]]]]:
    """Serve vectors for at most `texts` texts of `tokens` tokens (four letters, one of any other).

    Gives a client and the texts of each request. A vector is a text's size in bytes.
    """
    came: list[list[str]] = []

    async def answer(request: web.Request) -> web.Response:
        given = (await request.json())["input"]
        came.append(given)
        if len(given) > texts or any(estimated_tokens(text) > tokens for text in given):
            return web.json_response({"error": {"message": message}}, status=status)
        data = [
            {
                "object": "embedding",
                "index": at,
                "embedding": [float(len(text.encode()))],
            }
            for at, text in enumerate(given)
        ]
        return web.json_response({"object": "list", "model": "own", "data": data})

    async with own_server(answer) as client:
        yield client, came


async def test_a_server_that_takes_few_texts() -> None:
    """A request that is refused is made again in halves."""
    texts = [f"text {number:04}" for number in range(100)]
    async with small_server(texts=10, status=413) as (client, came):
        embedder = Embedder(client, EmbeddingSpace("own", 1))
        assert await embedder.embed(texts) == [[9.0]] * 100
        assert [len(one) for one in came[:5]] == [100, 50, 25, 12, 6]
        assert sum(len(one) for one in came if len(one) <= 10) == 100


LLAMA = (
    "input (601 tokens) is too large to process. increase the physical batch size (current batch"
    " size: 512)"
)


@pytest.mark.parametrize("status", [400, 500])
async def test_a_server_with_a_short_context(status: int) -> None:
    """The beginning of a long text is embedded, and the other texts of its batch are, whole."""
    texts = [f"text {number:04}" for number in range(128)]
    texts[7:9] = ["word " * 1_000, "あ" * 1_000]
    async with small_server(tokens=512, status=status, message=LLAMA) as (client, _):
        embedder = Embedder(client, EmbeddingSpace("own", 1))
        sizes = [size for [size] in await embedder.embed(texts)]
        assert sizes == [9.0] * 7 + [1_250.0, 1_500.0] + [9.0] * 119


@pytest.mark.parametrize("whole", [False, True], ids=["500", "null"])
async def test_a_text_for_which_the_model_computes_nan(whole: bool) -> None:
    """Its longest half without that is embedded in its place, and the other texts are, whole."""

    def vector(text: str) -> list[float | None]:
        return [None if "risk" in text else float(len(text))]

    async def answer(request: web.Request) -> web.Response:
        vectors = [vector(text) for text in (await request.json())["input"]]
        if [None] in vectors and not whole:
            error = {
                "message": "failed to encode response: json: unsupported value: NaN"
            }
            return web.json_response({"error": error}, status=500)
        data = [
            {"object": "embedding", "index": at, "embedding": one}
            for at, one in enumerate(vectors)
        ]
        return web.json_response({"object": "list", "model": "own", "data": data})

    texts = [*map(str, range(9)), "no projects, no decisions, no risks", "risk"]
    async with own_server(answer) as client:
        embedder = Embedder(client, EmbeddingSpace("own", 1))
        assert await embedder.embed(texts) == [[1.0]] * 9 + [[17.0], [2.0]]


async def test_a_model_that_computes_only_nan_is_away() -> None:
    """It is asked a few times, whatever is to be embedded."""
    came: list[list[str]] = []

    async def answer(request: web.Request) -> web.Response:
        given = (await request.json())["input"]
        came.append(given)
        data = [
            {"object": "embedding", "index": at, "embedding": [None]}
            for at in range(len(given))
        ]
        return web.json_response({"object": "list", "model": "own", "data": data})

    async with own_server(answer) as client:
        with pytest.raises(EmbeddingsUnavailable):
            await Embedder(client, EmbeddingSpace("own", 1)).embed(
                ["あ" * 4_000, *map(str, range(99))]
            )
    assert len(came) < 30


async def test_an_outage_is_not_taken_for_a_long_text() -> None:
    """A 500 that says nothing of a size is one request, whatever was sent."""
    async with small_server(texts=0, status=500, message="internal error") as (
        client,
        came,
    ):
        with pytest.raises(EmbeddingsUnavailable, match="did not answer"):
            await Embedder(client, EmbeddingSpace("own", 1)).embed(
                ["word " * 1_000, "tea"]
            )
    assert len(came) == 1


async def test_what_is_refused_at_any_size_is_told() -> None:
    """A server that refuses every text is asked a few times, and its status is named."""
    async with small_server(texts=0) as (client, came):
        embedder = Embedder(client, EmbeddingSpace("own", 1))
        with pytest.raises(EmbeddingsUnavailable, match="HTTP 400"):
            await embedder.embed(["short"])
        assert len(came) == 3
        with pytest.raises(EmbeddingsUnavailable, match="HTTP 400"):
            await embedder.embed(["word " * 1_000, *map(str, range(99))])
        assert len(came) < 30


def vector(given: object) -> dict[str, Any]:
    """Return an answer with one vector."""
    return {"data": [{"object": "embedding", "index": 0, "embedding": given}]}


@pytest.mark.parametrize(
    "answer",
    [
        {"data": []},
        {"error": {"message": "no"}},
        {"data": None},
        {"data": [{}]},
        {"data": [5]},
        {"data": {"embedding": [1.0]}},
        vector(None),
        vector(1.0),
        vector({}),
    ],
    ids=str,
)
async def test_an_answer_without_vectors_is_no_answer(answer: dict[str, Any]) -> None:
    """A server that says 200 and gives no vectors counts as away."""
    async with answering(answer) as client:
        with pytest.raises(EmbeddingsUnavailable):
            await Embedder(client, SPACE).embed(["x"])
        with pytest.raises(EmbeddingsUnavailable):
            await embedding_space(client, "unknown")


@pytest.mark.parametrize(
    "number", [None, math.nan, math.inf, "1", [1.0], 1e300, 65_536.0], ids=str
)
async def test_a_vector_with_anything_but_numbers_is_none(number: object) -> None:
    """A server that writes null, or NaN, counts as away: PostgreSQL would refuse the vector."""
    numbers = [1.0] * (SPACE.dimensions - 1)
    async with answering(vector([*numbers, number])) as client:
        with pytest.raises(EmbeddingsUnavailable):
            await Embedder(client, SPACE).embed(["x"])


@pytest.mark.parametrize("places", [[1, 0], [None, None], [0, 0]], ids=str)
async def test_each_vector_has_its_place(places: list[int | None]) -> None:
    """A server need not keep the order of the texts: the index says it, if there is one."""
    data = [
        {"object": "embedding", "index": place, "embedding": [float(number)]}
        for number, place in enumerate(places, start=1)
    ]
    async with answering({"data": data}) as client:
        vectors = await Embedder(client, EmbeddingSpace("own", 1)).embed(["a", "b"])
    assert vectors == ([[2.0], [1.0]] if places == [1, 0] else [[1.0], [2.0]])


async def test_a_wrong_model_name_is_told(model_client: openai.AsyncOpenAI) -> None:
    """A model the server does not have stops with one sentence that says so, and what to check."""
    with pytest.raises(
        EmbeddingsUnavailable, match=r"model_not_found.*KIOKU_EMBEDDING_MODEL"
    ):
        await embedding_space(model_client, "no-such-model")
