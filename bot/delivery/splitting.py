"""Splits long Markdown into parts that are each complete."""

from __future__ import annotations

import re

# As CommonMark has it, within lists too; a line with both ends is inline code. Source:
# https://spec.commonmark.org/0.31.2/#fenced-code-blocks
_FENCE = re.compile(r"^([ \t]{0,12})(`{3,30}(?=[^`\n]*$)|~{3,30}(?!~))([^\n]*)$", re.MULTILINE)
# A longer one, repeated in each part, could fill the part.
_FENCE_LENGTH = 64

_CODE = re.compile(r"`[^`\n]*(?:`|\Z)")
_CODE_LENGTH = 400  # of more, `bot.pipeline.links` takes nothing for code

_HEADING = re.compile(r" {0,3}#{1,6}[ \t]")


def open_fence(text: str) -> str | None:
    """Return the opening line, cut to 64 characters, of a code block that `text` leaves open."""
    opened: re.Match[str] | None = None
    for match in _FENCE.finditer(text):
        if opened is None:
            opened = match
        elif match[2].startswith(opened[2]) and not match[3].strip():
            opened = None
    return opened[0][:_FENCE_LENGTH] if opened else None


def _fence_after(mark: re.Match[str], fence: str) -> str:
    """Return the marks of the code block that is open after the line of `mark`."""
    return "" if fence and mark[2].startswith(fence) and not mark[3].strip() else fence or mark[2]


def closing_fence(fence: str) -> str:
    """Return the line that closes the code block which the line `fence` opened."""
    match = _FENCE.match(fence)
    return match[1] + match[2] if match else "```"


def break_point(text: str, limit: int) -> int:
    """Return where to break a `text` that is longer than `limit`, at most `limit` in.

    At a paragraph, a line, a sentence or a word. A paragraph's end is better where no code block is
    cut, and no heading left alone before it. Half a code span is no code: none is cut.
    """
    window = _CODE.sub(lambda match: "`" * len(match[0]), text[:limit])
    if at := _paragraph_end(text[:limit], limit // 2 + 2):
        return at
    for mark in ("\n\n", "\n", "。", ". ", "、", " "):
        at = window.rfind(mark)
        if at >= limit // 2:
            return at + len(mark)
    before = len(window.rstrip("`"))
    return before if 0 < limit - before <= _CODE_LENGTH and before else limit


def _paragraph_end(window: str, least: int) -> int:
    """Return where the last paragraph but code and headings ends, from `least` on; else 0."""
    found = at = 0
    fence, heading = "", False
    for line in window.split("\n")[:-1]:
        at += len(line) + 1
        if mark := _FENCE.match(line):
            fence = _fence_after(mark, fence)
        if line.strip():
            heading = _HEADING.match(line) is not None
        elif not line and at >= least and not fence and not heading:
            found = at
    return found


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
