"""Memories as the replying model reads them: one short line each, within a token budget."""

from __future__ import annotations

from collections.abc import Iterable
from itertools import groupby

from memory.model.text import Line, estimated_tokens, framed
from memory.store.memories import Memory

_DAY_TOKENS = 2  # and the end of the line


def dated_lines(said: Iterable[tuple[str, str]]) -> list[Line]:
    """Return dated texts as lines: a line for each month, such as ``2026-11``, then its texts.

    Each text, framed and without quotes, follows its day of the month, as in ``26 Lives in Osaka``:
    a full date would be a third of the line's tokens.
    """
    in_order = sorted(said, key=lambda one: one[0])
    lines: list[Line] = []
    for month, texts in groupby(in_order, key=lambda one: one[0][:7]):
        lines.append(Line(month))
        for day, text in texts:
            without_quotes = framed(text)[1:-1]
            lines.append(Line(f"{day[8:]} {without_quotes}"))
    return lines


def line_tokens(memory: Memory) -> int:
    """Return an estimate of the tokens of a memory's line."""
    return estimated_tokens(memory.text) + _DAY_TOKENS


def memories_within(memories: Iterable[Memory], budget: int) -> list[Memory]:
    """Return the first memories whose lines have at most `budget` tokens together."""
    kept: list[Memory] = []
    for memory in memories:
        budget -= line_tokens(memory)
        if budget < 0:
            break
        kept.append(memory)
    return kept
