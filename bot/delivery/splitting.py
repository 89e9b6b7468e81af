"""Splits long Markdown into parts that are each complete."""

from __future__ import annotations

import re

# As CommonMark has it, within lists too; a line with both ends is inline code. Source:
# https://spec.commonmark.org/0.31.2/#fenced-code-blocks
_FENCE = re.compile(r"^([ \t]{0,12})(`{3,30}(?=[^`\n]*$)|~{3,30}(?!~))([^\n]*)$", re.MULTILINE)
# A longer one, repeated in each part, could fill the part.
_FENCE_LENGTH = 64

_HEADING = re.compile(r"^ {0,3}#{1,6}[ \t][^\n]*\n\s*\Z", re.MULTILINE)
# Source: https://github.github.com/gfm/#tables-extension-
_RULE = re.compile(
    r"\A[ \t]*+(?:\|[ \t]*+)?:?-++:?[ \t]*+(?:\|[ \t]*+:?-++:?[ \t]*+)*+(?:\|[ \t]*+)?"
)


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


def open_table(text: str, rest: str) -> str | None:
    """Return head and rule of a table whose rows go on in `rest`, which follows `text`."""
    if not text.endswith("\n") or "|" not in rest.partition("\n")[0]:
        return None
    rows: list[str] = []
    for line in reversed(text.splitlines()):
        if "|" not in line:
            break
        rows.append(line)
    for above, rule in zip(rows[1:], rows, strict=False):
        if _RULE.fullmatch(rule):
            return f"{above}\n{rule}"
    return None


def break_point(text: str, limit: int) -> int:
    """Return where to break a `text` that is longer than `limit`, at most `limit` in.

    At a paragraph, a line, a sentence or a word. A paragraph's end is better where no code block is
    cut, and no heading left alone before it.
    """
    window = text[:limit]
    at = window.rfind("\n\n")
    while at >= limit // 2:
        before = window[: at + 2]
        if open_fence(before) is None and not _HEADING.search(before):
            return at + 2
        at = window.rfind("\n\n", 0, at)
    for mark in ("\n\n", "\n", "。", ". ", "、", " "):
        at = window.rfind(mark)
        if at >= limit // 2:
            return at + len(mark)
    return limit


def split_markdown(text: str, limit: int) -> list[str]:
    """Split Markdown into parts of at most `limit` characters; code and tables go on in each."""
    parts: list[str] = []
    rest = text
    while len(rest) > limit:
        # Room for closing a code block here and opening it again in the next part.
        at = break_point(rest, limit - _FENCE_LENGTH)
        part, rest = rest[:at], rest[at:]
        if fence := open_fence(part):
            part = f"{part.rstrip()}\n{closing_fence(fence)}"
            rest = f"{fence}\n{rest}"
        elif (head := open_table(part, rest)) and len(head) < limit // 4:
            rest = f"{head}\n{rest}"
        parts.append(part)
    return [*parts, rest]
