"""Memories as the replying model reads them: one short line each, within a token budget."""

from __future__ import annotations

from collections.abc import Iterable
from itertools import groupby

from memory.model.text import Line, estimated_tokens, framed
from memory.store.memories import Memory

_DAY_TOKENS = 4  # the day, the mark and the end of the line


def dated_lines(marked: Iterable[tuple[str, Memory]]) -> list[Line]:
    """Return memories, each with its mark, as lines below those of the months, as ``2026-11``.

    A text, framed and without quotes, follows the mark and the day of the month, as in ``m3 26
    Lives in Osaka``: a full date would be a third of the line's tokens.
    """
    in_order = sorted(marked, key=lambda one: one[1].said_on)
    lines: list[Line] = []
    for month, said in groupby(in_order, key=lambda one: one[1].said_on[:7]):
        lines.append(Line(month))
        for mark, memory in said:
            without_quotes = framed(memory.text)[1:-1]
            lines.append(Line(f"{mark} {memory.said_on[8:]} {without_quotes}"))
    return lines


def line_tokens(memory: Memory) -> int:
    """Return an estimate of the tokens of a memory's line."""
    return estimated_tokens(memory.text) + _DAY_TOKENS


def memories_within(memories: Iterable[Memory], budget: int) -> list[Memory]:
    """Return the first memories whose lines have at most `budget` tokens together."""
    fitting: list[Memory] = []
    for memory in memories:
        budget -= line_tokens(memory)
        if budget < 0:
            break
        fitting.append(memory)
    return fitting
