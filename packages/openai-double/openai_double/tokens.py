"""Token counts without a tokenizer, accurate enough for budgets and bills."""

from __future__ import annotations

import re
from functools import lru_cache
from typing import Final

_WORD: Final = re.compile(r"[A-Za-z0-9_']+|[^\sA-Za-z0-9_']")


# Instructions and tools are the same in many requests.
@lru_cache(maxsize=512)
def count_tokens(text: str) -> int:
    """Tokens of `text`: one per four Latin letters of a word, one per other character."""
    return sum((len(word) + 3) // 4 if word[0].isascii() else 1 for word in _WORD.findall(text))


def cut_to_tokens(text: str, limit: int) -> str:
    """The longest beginning of `text` with at most `limit` tokens."""
    used = 0
    for match in _WORD.finditer(text):
        word = match.group()
        used += (len(word) + 3) // 4 if word[0].isascii() else 1
        if used > limit:
            return text[: match.start()]
    return text
