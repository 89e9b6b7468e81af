"""Memories as the replying model reads them: one short line each, within a token budget."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from itertools import groupby
from typing import Any

from memory.model.schemas import EPISODE_KIND, INSTRUCTION_KIND, subject, subject_fields
from memory.model.text import estimated_tokens
from memory.store.memories import Memory

_DAY_TOKENS = 2  # and the end of the line
# The text of a fact shows its kind, and each of the other two kinds has a frame of its own.
_WITHOUT_KIND = frozenset({"UserFact", INSTRUCTION_KIND, EPISODE_KIND})


def memory_text(kind: str, content: Mapping[str, Any]) -> str:
    """Return what a memory says, such as ``UserFoodPreference: ramen; preference: 90``.

    The subject comes first, then each other field that has a value, by its name.
    """
    named = subject_fields(kind, content) if kind not in _WITHOUT_KIND else set()
    about = subject(kind, content)
    parts = [f"{kind}: {about}" if named else about]
    for name, value in content.items():
        if value is not None and value != about:
            parts.append(f"{name}: {value}")
    return "; ".join(parts)


def dated_lines(said: Iterable[tuple[str, str]]) -> list[str]:
    """Return dated texts as lines: a line for each month, such as ``2026-11``, then its texts.

    Each text follows its day of the month, as in ``26 Lives in Osaka``: a full date would be a
    third of the line's tokens.
    """
    in_order = sorted(said, key=lambda one: one[0])
    lines: list[str] = []
    for month, texts in groupby(in_order, key=lambda one: one[0][:7]):
        lines.append(month)
        lines += [f"{day[8:]} {text}" for day, text in texts]
    return lines


def line_tokens(memory: Memory) -> int:
    """Return an estimate of the tokens of a memory's line."""
    return estimated_tokens(memory_text(memory.kind, memory.content)) + _DAY_TOKENS


def memories_within(memories: Iterable[Memory], budget: int) -> list[Memory]:
    """Return the first memories whose lines have at most `budget` tokens together."""
    kept: list[Memory] = []
    for memory in memories:
        budget -= line_tokens(memory)
        if budget < 0:
            break
        kept.append(memory)
    return kept
