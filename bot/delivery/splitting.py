"""Splits long Markdown into parts that are each complete."""

from __future__ import annotations

import re

# As CommonMark has it, within lists too; a line with both ends is inline code. Source:
# https://spec.commonmark.org/0.31.2/#fenced-code-blocks
_FENCE = re.compile(r"^([ \t]{0,12})(`{3,30}(?=[^`\n]*$)|~{3,30}(?!~))([^\n]*)$", re.MULTILINE)
# A longer one, repeated in each part, could fill the part.
_FENCE_LENGTH = 64


def open_fence(text: str) -> str | None:
    """Return the opening line, cut to 64 characters, of a code block that `text` leaves open."""
    opened: re.Match[str] | None = None
    for match in _FENCE.finditer(text):
        if opened is None:
            opened = match
        elif match[2].startswith(opened[2]) and not match[3].strip():
            opened = None
    return opened[0][:_FENCE_LENGTH] if opened else None


def closing_fence(fence: str) -> str:
    """Return the line that closes the code block which the line `fence` opened."""
    match = _FENCE.match(fence)
    return match[1] + match[2] if match else "```"


def break_point(text: str, limit: int) -> int:
    """Return where to break a `text` that is longer than `limit`, at most `limit` in.

    At the last paragraph, line, sentence or word that ends in the second half, in this order.
    """
    for mark in ("\n\n", "\n", "。", ". ", "、", " "):
        at = text.rfind(mark, 0, limit)
        if at >= limit // 2:
            return at + len(mark)
    return limit


def split_markdown(text: str, limit: int) -> list[str]:
    """Split Markdown into parts of at most `limit` characters; code goes on in each."""
    parts: list[str] = []
    while len(text) > limit:
        # A code block that is split needs room for a closing line here and an opening one after it.
        at = break_point(text, limit - _FENCE_LENGTH)
        part, text = text[:at], text[at:]
        if fence := open_fence(part):
            part = f"{part.rstrip()}\n{closing_fence(fence)}"
            text = f"{fence}\n{text}"
        parts.append(part)
    return [*parts, text]
