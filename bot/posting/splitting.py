"""Long Markdown in parts that each stand on their own."""

from __future__ import annotations

import re

# As CommonMark has it, within lists too; a line with both ends is inline code. Source:
# https://spec.commonmark.org/0.31.2/#fenced-code-blocks
_FENCE = re.compile(r"^([ \t]{0,12})(`{3,30}(?=[^`\n]*$)|~{3,30}(?!~))([^\n]*)$", re.MULTILINE)


def open_fence(text: str) -> str | None:
    """Return the opening line of a code block that `text` leaves open, if it does."""
    opened: re.Match[str] | None = None
    for match in _FENCE.finditer(text):
        if opened is None:
            opened = match
        elif match[2].startswith(opened[2]) and not match[3].strip():
            opened = None
    return opened[0] if opened else None


def closing_fence(fence: str) -> str:
    """Return the line that closes the code block which the line `fence` opened."""
    match = _FENCE.match(fence)
    return match[1] + match[2] if match else "```"


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
            part = f"{part.rstrip()}\n{closing_fence(fence)}"
            rest = f"{fence[:64]}\n{rest}"
        parts.append(part)
    return [*parts, rest]
