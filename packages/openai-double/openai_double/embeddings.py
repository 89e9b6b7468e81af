"""Lexical embeddings: hashed character n-grams, deterministic and L2-normalised.

Texts that share words, or parts of words, are near; nothing else counts. Japanese needs no
tokenizer, because n-grams of characters do not depend on one.
"""

from __future__ import annotations

import base64
import math
import re
import struct
import unicodedata
import zlib
from collections import Counter
from collections.abc import Iterator
from functools import lru_cache
from typing import Any, Final

from openai_double.errors import ApiError, bad_request
from openai_double.tokens import count_tokens
from openai_double.types import Json

MAX_INPUTS: Final = 2_048
MAX_TOKENS: Final = 8_192
MAX_TOKENS_IN_ALL: Final = 300_000

_RUN: Final = re.compile(r"[a-z0-9][a-z0-9+#.'-]*|[^\W_a-z0-9]+")
_PLAIN: Final = re.compile(r"[ぁ-ゖー]+")
_NOT_ASCII: Final = re.compile(r"[^\x00-\x7f]")
_STOP_WORDS: Final = (
    "a an and are as at be but by can do for from have i i'm in is it me my of on or so that "
    "the this to was we what with you your"
)
_STOP: Final = frozenset(_STOP_WORDS.split())


@lru_cache(maxsize=2_048)
def embed(text: str, dimensions: int) -> bytes:
    """The embedding of `text` as `dimensions` little-endian 32-bit floats."""
    vector = [0.0] * dimensions
    for gram, weight in _grams(text).items():
        code = zlib.crc32(gram.encode("utf-8", "surrogatepass"))
        index = (code >> 1) % dimensions
        vector[index] += weight if code & 1 else -weight
    norm = math.hypot(*vector) or 1.0
    normalised = [value / norm for value in vector]
    return struct.pack(f"<{dimensions}f", *normalised)


def _grams(text: str) -> dict[str, float]:
    counts: Counter[str] = Counter()
    weights: dict[str, float] = {}
    normalised = unicodedata.normalize("NFKC", text)  # noqa: TID251
    for run in _RUN.findall(normalised.casefold()):
        word = run
        if run[0].isascii():
            word = f" {run.rstrip('.')} "
        weight = 0.1 if run in _STOP else 1.0
        for gram in _pieces(word):
            counts[gram] += 1
            weights[gram] = weight * 0.2 if _PLAIN.fullmatch(gram) else weight
    if not counts:
        return {f"\0{text}": 1.0}
    for gram, count in counts.items():
        weights[gram] *= math.sqrt(count)
    return weights


def _pieces(word: str) -> Iterator[str]:
    """Yield all pieces of two to four characters; a single character is itself one."""
    if len(word) == 1:
        yield word
    for size in (2, 3, 4):
        for start in range(len(word) - size + 1):
            yield word[start : start + size]


def answer(body: Json, full: int) -> Json:
    """The body of `POST /v1/embeddings` for a checked request.

    `full` is the size of the model's embeddings.
    """
    model = body["model"]
    dimensions = body.get("dimensions", full)
    if not 1 <= dimensions <= full:
        message = (
            f"Invalid value for 'dimensions': must be between 1 and {full} for {model}."
        )
        raise bad_request(message, code="invalid_value", param="dimensions")
    texts = _texts(body["input"])
    total = _checked_tokens([most_tokens(text) for text in texts])
    as_base64 = body.get("encoding_format") == "base64"
    data: list[Json] = []
    for index, text in enumerate(texts):
        vector = embed(text, dimensions)
        embedding: str | list[float]
        if as_base64:
            embedding = base64.b64encode(vector).decode()
        else:
            embedding = list(struct.unpack(f"<{dimensions}f", vector))
        data.append({"object": "embedding", "index": index, "embedding": embedding})
    usage = {"prompt_tokens": total, "total_tokens": total}
    return {"object": "list", "data": data, "model": model, "usage": usage}


def _checked_tokens(counts: list[int]) -> int:
    """Return the tokens of all texts, given those of each, or raise `ApiError`."""
    if not counts:
        raise _bad_input("it must hold at least one text")
    if len(counts) > MAX_INPUTS:
        many = f"at most {MAX_INPUTS} texts are allowed, there are {len(counts)}"
        raise _bad_input(many, code="array_above_max_length")
    if not min(counts):
        raise _bad_input("input cannot be an empty string")
    if max(counts) > MAX_TOKENS:
        message = (
            f"This model's maximum context length is {MAX_TOKENS} tokens, however you requested"
            f" {max(counts)} tokens. Please reduce your prompt."
        )
        raise bad_request(message, code="context_length_exceeded", param="input")
    total = sum(counts)
    if total > MAX_TOKENS_IN_ALL:
        raise _bad_input(
            f"holds {total} tokens, {MAX_TOKENS_IN_ALL} are allowed in a request"
        )
    return total


def _texts(given: Any) -> list[str]:
    """Return the texts of an input, or raise `ApiError` for token ids."""
    if isinstance(given, str):
        return [given]
    if not all(isinstance(text, str) for text in given):
        raise _bad_input("this double reads texts, not token ids")
    return list(given)


def most_tokens(text: str) -> int:
    """Return the most tokens that a text can have if its ASCII letters form common words.

    A byte-level tokenizer needs up to one token per byte for any other character.
    """
    if not text:
        return 0
    ascii_only = _NOT_ASCII.sub(" ", text)
    others = "".join(_NOT_ASCII.findall(text))
    of_others = len(others.encode("utf-8", "replace"))
    return max(1, count_tokens(ascii_only) + of_others)


def _bad_input(why: str, *, code: str = "invalid_value") -> ApiError:
    return bad_request(f"Invalid 'input': {why}.", code=code, param="input")
