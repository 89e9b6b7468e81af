"""Lexical embeddings: hashed character n-grams, deterministic and L2-normalised.

Texts that share words, or parts of words, are near; nothing else counts. Japanese needs no
tokenizer, because n-grams of characters do not depend on one.
"""

from __future__ import annotations

import base64
import math
import re
import sys
import unicodedata
import zlib
from array import array
from collections import Counter
from collections.abc import Iterable
from functools import lru_cache
from typing import Any, Final

from openai_double.errors import ApiError, refused
from openai_double.tokens import count_tokens

MAX_INPUTS: Final = 2_048
MAX_TOKENS: Final = 8_192
MAX_TOKENS_IN_ALL: Final = 300_000

_RUN: Final = re.compile(r"[a-z0-9][a-z0-9+#.'-]*|[^\W_a-z0-9]+")
_PLAIN: Final = re.compile(r"[ぁ-ゖー]+")
_STOP_WORDS: Final = (
    "a an and are as at be but by can do for from have i i'm in is it me my of on or so that "
    "the this to was we what with you your"
)
_STOP: Final = frozenset(_STOP_WORDS.split())


@lru_cache(maxsize=2_048)
def embed(text: str, dimensions: int) -> bytes:
    """The embedding of `text` as `dimensions` little-endian 32-bit floats."""
    vector = array("d", bytes(8 * dimensions))
    for gram, weight in _grams(text).items():
        code = zlib.crc32(gram.encode("utf-8", "surrogatepass"))
        vector[(code >> 1) % dimensions] += weight if code & 1 else -weight
    norm = math.sqrt(sum(x * x for x in vector)) or 1.0
    floats = array("f", (x / norm for x in vector))
    if sys.byteorder == "big":  # pragma: no cover
        floats.byteswap()
    return floats.tobytes()


def _grams(text: str) -> dict[str, float]:
    counts: Counter[str] = Counter()
    weights: dict[str, float] = {}
    for run in _RUN.findall(unicodedata.normalize("NFKC", text).casefold()):  # noqa: TID251
        latin = run[0].isascii()
        word = f" {run.rstrip('.')} " if latin else run
        weight = 0.1 if latin and run in _STOP else 1.0
        sizes = range(2, 5) if len(word) > 1 else range(1, 2)
        for size in sizes:
            for start in range(len(word) - size + 1):
                gram = word[start : start + size]
                counts[gram] += 1
                weights[gram] = weight * (0.2 if _PLAIN.fullmatch(gram) else 1.0)
    if not counts:
        return {f"\0{text}": 1.0}
    return {gram: math.sqrt(count) * weights[gram] for gram, count in counts.items()}


def answer(body: dict[str, Any], full: int) -> tuple[dict[str, Any], int]:
    """The body of `POST /v1/embeddings` for a checked request, and its token count.

    `full` is the size of the model's embeddings.
    """
    model = body["model"]
    dimensions = body.get("dimensions", full)
    if not 1 <= dimensions <= full:
        message = f"Invalid value for 'dimensions': must be between 1 and {full} for {model}."
        raise refused(message, code="invalid_value", param="dimensions")
    texts = list(_texts(body["input"]))
    counts = [tokens for _, tokens in texts]
    if not texts:
        raise _bad_input("it must hold at least one text")
    if len(texts) > MAX_INPUTS:
        many = f"at most {MAX_INPUTS} texts are allowed, there are {len(texts)}"
        raise _bad_input(many, code="array_above_max_length")
    if not min(counts):
        raise _bad_input("input cannot be an empty string")
    if max(counts) > MAX_TOKENS:
        message = (
            f"This model's maximum context length is {MAX_TOKENS} tokens, however you requested"
            f" {max(counts)} tokens. Please reduce your prompt."
        )
        raise refused(message, code="context_length_exceeded", param="input")
    total = sum(counts)
    if total > MAX_TOKENS_IN_ALL:
        raise _bad_input(f"holds {total} tokens, {MAX_TOKENS_IN_ALL} are allowed in a request")
    encoded = body.get("encoding_format") == "base64"
    data = []
    for index, (text, _) in enumerate(texts):
        vector = embed(text, dimensions)
        shown = base64.b64encode(vector).decode() if encoded else array("f", vector).tolist()
        data.append({"object": "embedding", "index": index, "embedding": shown})
    usage = {"prompt_tokens": total, "total_tokens": total}
    return {"object": "list", "data": data, "model": model, "usage": usage}, total


def _texts(given: Any) -> Iterable[tuple[str, int]]:
    """Each text with its tokens; token ids stand for themselves."""
    if isinstance(given, str):
        yield given, most_tokens(given)
    elif given and isinstance(given[0], int):
        yield " ".join(f"token{number}" for number in given), len(given)
    else:
        for one in given:
            yield from _texts(one)


def most_tokens(text: str) -> int:
    """Return the most tokens that a text can have if its ASCII letters form common words.

    A byte-level tokenizer needs up to one token per byte for any other character.
    """
    rest = sum(len(char.encode("utf-8", "replace")) for char in text if not char.isascii())
    latin = count_tokens("".join(char if char.isascii() else " " for char in text))
    return max(latin + rest, 1 if text else 0)


def _bad_input(why: str, *, code: str = "invalid_value") -> ApiError:
    return refused(f"Invalid 'input': {why}.", code=code, param="input")
