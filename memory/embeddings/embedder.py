"""Embedding of texts through an OpenAI-compatible endpoint."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Callable, Sequence

import openai
from openai.types import CreateEmbeddingResponse

from memory.metrics import step
from memory.model.embedding_space import EmbeddingSpace
from memory.model.errors import EmbeddingsUnavailable
from memory.model.model_errors import name_in

# The models take 8,192 tokens, and a token is at least one byte. Two are left for servers whose
# tokenizer adds one at either end.
MAX_BYTES = 8_190
# The statuses of a server that takes fewer or shorter texts. llama.cpp's answers a 500 instead:
# "input (601 tokens) is too large to process. increase the physical batch size". So does Ollama's,
# with "NaN", for a text for which its model computes that; others send it as null.
_REFUSALS = (400, 413, 422)
_ABOUT_TEXTS = re.compile(
    r"too (?:large|long)|batch size|context (?:size|length)|\bNaN\b", re.IGNORECASE
)
# The client raises a plain ValueError for a response without vectors, and the others for one of
# another form, which it does not check.
_NO_ANSWER = (openai.OpenAIError, ValueError, TypeError, AttributeError)
_LARGEST = 65_504  # of half precision
_KNOWN_DIMENSIONS = {
    "text-embedding-3-small": 1536,
    "text-embedding-3-large": 3072,
    "text-embedding-ada-002": 1536,
    "kioku-stand-in-embedding": 256,
}


def beginning(text: str, most: int = MAX_BYTES) -> str:
    """Return the start of `text` that is embedded: whole characters, at most `most` UTF-8 bytes.

    It is never empty, because the API refuses an empty text. NULs are removed, and half a surrogate
    pair becomes "?".
    """
    encoded = text.replace("\x00", "")[:most].encode("utf-8", "replace")
    return encoded[:most].decode("utf-8", "ignore") or " "


class Embedder:
    """Embeds texts through an OpenAI-compatible ``/embeddings`` endpoint.

    Vectors are lists of `space.dimensions` floats. Without a client, no embedding model is set:
    nothing is embedded, and recall returns the newest memories. Holds no database connection.
    Source: https://platform.openai.com/docs/api-reference/embeddings
    """

    def __init__(
        self, client: openai.AsyncOpenAI | None, space: EmbeddingSpace
    ) -> None:
        self.space = space
        self.client = client

    async def embed(self, texts: Sequence[str]) -> list[list[float]]:
        """Return one vector for each text, in order; only the `beginning` of a text is embedded.

        Raises `EmbeddingsUnavailable` if the model does not answer, or its vectors have another
        size.
        """
        if not texts:
            return []
        return await self._vectors([beginning(text) for text in texts])

    async def _vectors(self, texts: list[str]) -> list[list[float]]:
        """Return the vectors of texts; a refused request is made again in halves.

        If a single text is refused, its first half is embedded.
        """
        try:
            return await self._request(texts)
        except EmbeddingsUnavailable as fault:
            size = len(texts[0].encode())
            is_smallest = len(texts) == 1 and size == 1
            if is_smallest or not _is_about_texts(fault.__cause__):
                raise
        if len(texts) == 1:
            return await self._vectors([beginning(texts[0], size // 2)])
        half = len(texts) // 2
        first = await self._vectors(texts[:half])
        second = await self._vectors(texts[half:])
        return first + second

    @step("embed")
    async def _request(self, texts: list[str]) -> list[list[float]]:
        if self.client is None:
            raise EmbeddingsUnavailable("No embedding model is set.")
        vectors = await _request_vectors(self.client, self.space.model, texts)
        sizes = {len(vector) for vector in vectors}
        if len(vectors) != len(texts) or sizes != {self.space.dimensions}:
            raise EmbeddingsUnavailable(
                f"{self.space.model} did not return vectors of {self.space.dimensions} dimensions."
            )
        return vectors


async def _request_vectors(
    client: openai.AsyncOpenAI, model: str, texts: list[str]
) -> list[list[float]]:
    """Return the vectors of an answer, in order. Raises `EmbeddingsUnavailable`."""
    try:
        raw = await client.embeddings.with_raw_response.create(model=model, input=texts)
        return await asyncio.to_thread(_vectors_of, raw.parse)
    except _NO_ANSWER as fault:
        why = type(fault).__name__
        if isinstance(fault, openai.APIStatusError):
            why = ", ".join(
                filter(None, [f"HTTP {fault.status_code}", name_in(fault.code)])
            )
        raise EmbeddingsUnavailable(
            f"The embedding model {model} did not answer ({why}): check KIOKU_EMBEDDING_MODEL, and"
            " its server's address and key."
        ) from fault


def _vectors_of(parse: Callable[[], CreateEmbeddingResponse]) -> list[list[float]]:
    """Parse an answer, which can be large; return its vectors, in order."""
    # Some servers leave the place of a vector out, and keep the order.
    in_order = sorted(parse().data, key=lambda item: getattr(item, "index", None) or 0)
    return [_numbers(item.embedding) for item in in_order]


class _NotStorable(ValueError):
    """A vector that a server sent holds null, NaN or a number that is too large to store."""


def _numbers(vector: object) -> list[float]:
    """Return a vector as it came; raises `_NotStorable`, or TypeError if it is no list."""
    if not isinstance(vector, list):
        raise TypeError("A vector is a list.")
    try:
        # NaN is not less than anything.
        is_storable = all(abs(number) <= _LARGEST for number in vector)
    except TypeError:
        raise _NotStorable("A vector has numbers only.") from None
    if not is_storable:
        raise _NotStorable(f"A vector has finite numbers, of at most {_LARGEST}.")
    return vector


def _is_about_texts(fault: BaseException | None) -> bool:
    """Return whether a request failed because of its texts, so that fewer or shorter ones may do.

    They are too many or too long, or the model computed NaN, which it does for some texts.
    """
    if not isinstance(fault, openai.APIStatusError):
        return isinstance(fault, _NotStorable)
    if fault.status_code == 500:
        return bool(_ABOUT_TEXTS.search(fault.message))
    return fault.status_code in _REFUSALS


async def embedding_space(
    client: openai.AsyncOpenAI | None, model: str
) -> EmbeddingSpace:
    """Return the space of `model`; for an unlisted model, one request determines its dimensions.

    Raises `EmbeddingsUnavailable` if the model does not answer, or there is no client to ask it.
    """
    if known := _KNOWN_DIMENSIONS.get(model):
        return EmbeddingSpace(model, known)
    if client is None:
        raise EmbeddingsUnavailable(
            f"No server is set that could embed with {model}: write OPENAI_API_KEY, or"
            " KIOKU_EMBEDDING_BASE_URL, or leave KIOKU_EMBEDDING_MODEL empty."
        )
    vectors = await _request_vectors(client, model, ["dimensions"])
    return EmbeddingSpace(model, len(vectors[0]))


def literal(vector: Sequence[float]) -> str:
    """Return pgvector's text form of a vector."""
    numbers = ",".join(f"{number:.5g}" for number in vector)  # 16 bits hold no more
    return f"[{numbers}]"
