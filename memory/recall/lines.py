"""Memories as the model that replies reads them: a short line each, within a budget of tokens."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from memory.model.schemas import EPISODE_KIND, INSTRUCTION_KIND, subject, subject_fields
from memory.model.text import estimated_tokens
from memory.store.memories import Memory

_LINE_END_TOKENS = 1
# A fact names itself, and each of the others is in a frame of its own.
_WITHOUT_KIND = frozenset({"UserFact", INSTRUCTION_KIND, EPISODE_KIND})


def memory_line(kind: str, content: Mapping[str, Any], since: str) -> str:
    """Return what a memory says, and since when, such as ``2026-11-26 Lives in Osaka``.

    The subject comes first, then each other field that has a value, by its name.
    """
    named = subject_fields(kind, content) if kind not in _WITHOUT_KIND else set()
    about = subject(kind, content)
    parts = [f"{kind}: {about}" if named else about]
    for name, value in content.items():
        if value is not None and value != about:
            parts.append(f"{name}: {value}")
    return f"{since} {'; '.join(parts)}"


def line_tokens(memory: Memory) -> int:
    """Return an estimate of the tokens of a memory's line."""
    line = memory_line(memory.kind, memory.content, memory.said_on)
    return estimated_tokens(line) + _LINE_END_TOKENS


def memories_within(memories: Iterable[Memory], budget: int) -> list[Memory]:
    """Return the first memories whose lines have at most `budget` tokens together."""
    kept: list[Memory] = []
    for memory in memories:
        budget -= line_tokens(memory)
        if budget < 0:
            break
        kept.append(memory)
    return kept
