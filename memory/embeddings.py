"""Texts to vectors, once each."""

from __future__ import annotations

import hashlib
from array import array
from collections import OrderedDict
from collections.abc import Sequence
from itertools import islice

import openai

from memory.errors import EmbeddingsUnavailable
from memory.migrating import EmbeddingSpace
from memory.spans import measured
from memory.vectors import packed

# The models take 8,191 tokens; Japanese can need more than one token a character.
MAX_CHARACTERS = 6_000
BATCH = 128  # texts of one request
# The client raises a plain ValueError for an answer that holds no vectors.
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


class Embedder:
    """Embeds through an OpenAI-compatible ``/embeddings`` endpoint; remembers the newest texts.

    Vectors are lists of `space.dimensions` floats. Holds no database connection. Source:
    https://platform.openai.com/docs/api-reference/embeddings
    """

    def __init__(
        self, client: openai.AsyncOpenAI, space: EmbeddingSpace, *, cache_size: int = 1_000
    ) -> None:
        self.space = space
        self._client = client
        # As PostgreSQL and the models keep them: a list of 1,536 numbers takes 49 kB, this six.
        self._cache: OrderedDict[bytes, array[float]] = OrderedDict()
        self._cache_size = cache_size

    async def embed(self, texts: Sequence[str]) -> list[list[float]]:
        """Return one vector for each text, in order.

        Raises `EmbeddingsUnavailable` when the model does not answer or answers in another size.
        """
        cut = [clean(text)[:MAX_CHARACTERS] or " " for text in texts]
        keys = [hashlib.blake2b(text.encode("utf-8", "replace")).digest() for text in cut]
        missing = {key: text for key, text in zip(keys, cut, strict=True) if key not in self._cache}
        fresh: dict[bytes, array[float]] = {}
        if missing:
            vectors = await self._request(list(missing.values()))
            single = (array("f", vector) for vector in vectors)
            fresh = dict(zip(missing, single, strict=True))
            self._cache.update(fresh)
        result = [list(fresh[key] if key in fresh else self._cache[key]) for key in keys]
        while len(self._cache) > self._cache_size:
            self._cache.popitem(last=False)
        return result

    async def packed(self, texts: Sequence[str]) -> dict[str, bytes]:
        """Return the vector of each text in pgvector's binary format, asked for in batches.

        Any number of texts: a request of the API takes 2,048. Raises `EmbeddingsUnavailable`.
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
    """Return the space of `model`; a model not known here is asked for one vector.

    Raises `EmbeddingsUnavailable` when it does not answer.
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
