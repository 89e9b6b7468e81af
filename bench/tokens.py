"""About how many tokens a text has, for prompts of every system alike; no tokenizer is loaded."""

from __future__ import annotations

import re

_PIECE = re.compile(r"[A-Za-z0-9_]+|[!-/:-@\[-^`{-~]+|[぀-ヿ㐀-鿿々〆ー]+|\S")


def tokens(text: str) -> int:
    """Count one for four Latin letters of a word, a run of ASCII marks, any other character.

    Of Japanese, two for three characters. It is an estimate of its own: what budgets count, in the
    app or a peer, is not measured by itself.
    """
    return sum(map(_tokens_of, _PIECE.findall(text)))


def _tokens_of(piece: str) -> int:
    if piece.isascii():
        return (len(piece) + 3) // 4 if piece[0].isalnum() else 1
    return -(-len(piece) * 2 // 3)
