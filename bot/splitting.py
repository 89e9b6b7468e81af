"""Long Markdown in parts that each stand on their own."""

from __future__ import annotations

import re

_FENCE = re.compile(r"^(```+|~~~+)[^\n]*$", re.MULTILINE)


def open_fence(text: str) -> str | None:
    """Return the opening line of a code block that `text` leaves open, if it does."""
    opened: str | None = None
    for match in _FENCE.finditer(text):
        if opened is None:
            opened = match[0]
        elif match[0].rstrip() == match[1] and opened.startswith(match[1]):
            opened = None
    return opened


def break_point(text: str, limit: int) -> int:
    """Return where to break `text`, at most `limit` in: a paragraph, a line, a sentence, a word."""
    if len(text) <= limit:
        return len(text)
    window = text[:limit]
    for mark in ("\n\n", "\n", "。", ". ", "、", " "):
        at = window.rfind(mark)
        if at >= limit // 2:
            return at + len(mark)
    return limit


def split_markdown(text: str, limit: int) -> list[str]:
    """Split Markdown into parts of at most `limit` characters; code blocks stay code blocks."""
    parts: list[str] = []
    rest = text
    while len(rest) > limit:
        # Room for closing a code block here and opening it again in the next part.
        at = break_point(rest, limit - 64)
        part, rest = rest[:at], rest[at:]
        if fence := open_fence(part):
            marker = _FENCE.match(fence)
            closing = marker[1] if marker else "```"
            part = f"{part.rstrip()}\n{closing}"
            rest = f"{fence[:64]}\n{rest}"
        parts.append(part)
    return [*parts, rest]
