"""Embedding of texts through an OpenAI-compatible endpoint, with a cache of the newest texts."""

from __future__ import annotations

import hashlib
from array import array
from collections import OrderedDict
from collections.abc import Iterable, Iterator, Sequence
from itertools import islice

import openai

from memory.embeddings.vectors import packed
from memory.model.embedding_space import EmbeddingSpace
from memory.model.errors import EmbeddingsUnavailable
from memory.tracing import measured

# The models take 8,192 tokens, and a token is at least one byte. Two are left for servers whose
# tokenizer adds one at either end.
MAX_BYTES = 8_190
# Of one request: 2,048 texts and 300,000 tokens.
# Source: https://platform.openai.com/docs/api-reference/embeddings/create
REQUEST_TEXTS = 2_048
REQUEST_BYTES = 300_000
BATCH = 128  # texts of one request of `packed`; other callers' requests run between batches
# The client raises a plain ValueError for a response without vectors.
_NO_ANSWER = (openai.OpenAIError, ValueError)
_KNOWN_DIMENSIONS = {
    "text-embedding-3-small": 1536,
    "text-embedding-3-large": 3072,
    "text-embedding-ada-002": 1536,
    "kioku-stand-in-embedding": 256,
}


def clean(text: str) -> str:
    """Return `text` without NUL bytes, which PostgreSQL refuses."""
    return text.replace("\x00", "")


def beginning(text: str) -> str:
    """Return the start of `text` that is embedded: at most `MAX_BYTES` of UTF-8, whole characters.

    Never empty, because the API refuses an empty text. Half a surrogate pair becomes "?".
    """
    encoded = clean(text)[:MAX_BYTES].encode("utf-8", "replace")
    return encoded[:MAX_BYTES].decode("utf-8", "ignore") or " "


def requests_of(texts: Iterable[str]) -> Iterator[list[str]]:
    """Split texts, each at most `MAX_BYTES` long, into lists that fit one request."""
    request: list[str] = []
    size = 0
    for text in texts:
        length = len(text.encode())
        if request and (len(request) == REQUEST_TEXTS or size + length > REQUEST_BYTES):
            yield request
            request, size = [], 0
        request.append(text)
        size += length
    if request:
        yield request


class Embedder:
    """Embeds texts through an OpenAI-compatible ``/embeddings`` endpoint; caches recent vectors.

    Vectors are lists of `space.dimensions` floats. Holds no database connection. Source:
    https://platform.openai.com/docs/api-reference/embeddings
    """

    def __init__(
        self, client: openai.AsyncOpenAI, space: EmbeddingSpace, *, cache_size: int = 1_000
    ) -> None:
        self.space = space
        self._client = client
        # Vectors as float32 bytes: 1,536 dimensions take 6 kB, as a list of Python floats 49 kB.
        self._cache: OrderedDict[bytes, array[float]] = OrderedDict()
        self._cache_size = cache_size

    async def embed(self, texts: Sequence[str]) -> list[list[float]]:
        """Return one vector for each text, in order; of a long text the `beginning` is embedded.

        Raises `EmbeddingsUnavailable` when the model does not answer or answers in another size.
        """
        cut = list(map(beginning, texts))
        keys = [hashlib.blake2b(text.encode()).digest() for text in cut]
        missing = {key: text for key, text in zip(keys, cut, strict=True) if key not in self._cache}
        # While the model answers, another call can take these out of the cache.
        found = {key: self._cache[key] for key in keys if key not in missing}
        if missing:
            vectors = [
                array("f", vector)
                for request in requests_of(missing.values())
                for vector in await self._request(request)
            ]
            fresh = dict(zip(missing, vectors, strict=True))
            self._cache.update(fresh)
            found |= fresh
        while len(self._cache) > self._cache_size:
            self._cache.popitem(last=False)
        return [list(found[key]) for key in keys]

    async def packed(self, texts: Sequence[str]) -> dict[str, bytes]:
        """Return the vector of each text in pgvector's binary format, requested in batches.

        Takes any number of texts. Raises `EmbeddingsUnavailable`.
        """
        found: dict[str, bytes] = {}
        left = iter(dict.fromkeys(texts))
        while batch := list(islice(left, BATCH)):
            vectors = await self.embed(batch)
            found.update(zip(batch, map(packed, vectors), strict=True))
        return found

    @measured("embed")
    async def _request(self, texts: list[str]) -> list[list[float]]:
        try:
            answer = await self._client.embeddings.create(model=self.space.model, input=texts)
        except _NO_ANSWER as fault:
            raise EmbeddingsUnavailable("The embedding model did not answer.") from fault
        vectors = [item.embedding for item in answer.data]
        if len(vectors) != len(texts) or any(len(v) != self.space.dimensions for v in vectors):
            raise EmbeddingsUnavailable(
                f"{self.space.model} did not return vectors of {self.space.dimensions} dimensions."
            )
        return vectors


async def embedding_space(client: openai.AsyncOpenAI, model: str) -> EmbeddingSpace:
    """Return the space of `model`; for an unlisted model, one request determines its dimensions.

    Raises `EmbeddingsUnavailable` if the model does not answer.
    """
    if known := _KNOWN_DIMENSIONS.get(model):
        return EmbeddingSpace(model, known)
    try:
        answer = await client.embeddings.create(model=model, input="dimensions")
    except _NO_ANSWER as fault:
        raise EmbeddingsUnavailable(
            f"The embedding model {model} did not answer, so its size is not known:"
            " check KIOKU_EMBEDDING_MODEL, OPENAI_API_KEY and OPENAI_BASE_URL."
        ) from fault
    return EmbeddingSpace(model, len(answer.data[0].embedding))


def literal(vector: Sequence[float]) -> str:
    """Return pgvector's text form of a vector."""
    return "[" + ",".join(map(repr, vector)) + "]"
