"""Splits long Markdown into parts that are each complete."""

from __future__ import annotations

import re

# As CommonMark has it, within lists too; a line with both ends is inline code. Source:
# https://spec.commonmark.org/0.31.2/#fenced-code-blocks
_FENCE = re.compile(r"^([ \t]{0,12})(`{3,30}(?=[^`\n]*$)|~{3,30}(?!~))([^\n]*)$", re.MULTILINE)
# A longer one, repeated in each part, could fill the part.
_FENCE_LENGTH = 64

# Of 50: the last part has a footer, too, and what Slack makes of a text is an estimate.
_MOST_BLOCKS = 40
_MOST_PARTS = 20

_CODE = re.compile(r"`[^`\n]*(?:`|\Z)")
_CODE_LENGTH = 400  # of more, `bot.pipeline.links` takes nothing for code

_HEADING_MARK = re.compile(r" {0,3}#{1,6}(?=\s|\Z)")
_HEADING = re.compile(r" {0,3}#{1,6}[ \t]")
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


def block_starts(text: str, most: int | None = None) -> list[int]:
    """Return where each block begins that Slack makes of Markdown, the first `most` of them.

    Each heading, rule and table is one, and what is between them. All of them count among the 50 of
    a message that is posted or updated.
    Source: https://docs.slack.dev/reference/block-kit/blocks/markdown-block
    """
    starts: list[int] = []
    inside, fence, at = "", "", 0
    lines = text.split("\n")
    for line, following in zip(lines, [*lines[1:], ""], strict=True):
        mark = _FENCE.match(line)
        kind = "text" if fence or mark else _block_kind(line, following, inside)
        if mark:
            fence = _fence_after(mark, fence)
        if kind and (kind == "own" or kind != inside):
            starts.append(at)
            if len(starts) == most:
                break
        if kind or inside == "table":
            inside = kind
        at += len(line) + 1
    return starts


def _block_kind(line: str, following: str, inside: str) -> str:
    bare = "".join(line.split())
    if not bare:
        return ""
    if "|" in line and (inside == "table" or ("|" in following and _RULE.fullmatch(following))):
        return "table"
    is_rule = len(bare) > 2 and bare[0] in "-*_" and len(set(bare)) == 1
    return "own" if is_rule or _HEADING_MARK.match(line) else "text"


def _part_end(text: str, limit: int, most_blocks: int) -> int:
    # A code block that is split needs room for a closing line here and an opening one after it.
    room = len(text) if len(text) <= limit else limit - _FENCE_LENGTH
    starts = block_starts(text[:room], most_blocks + 1)
    if len(starts) <= most_blocks:
        return room if room == len(text) else break_point(text, room)
    last = most_blocks
    while last > most_blocks // 2 and _HEADING_MARK.match(text, starts[last - 1]):
        last -= 1
    return starts[last]


def split_markdown(text: str, limit: int) -> list[str]:
    """Split Markdown into parts of at most `limit` characters and 40 blocks.

    Code goes on in each. A text that would be more than 20 messages for its blocks is
    split by its characters alone.
    """
    return _parts(text, limit, _MOST_BLOCKS) or _parts(text, limit, len(text))


def _parts(text: str, limit: int, most_blocks: int) -> list[str]:
    """Return the parts; none if blocks are limited, and there would be more than 20 parts."""
    parts: list[str] = []
    rest = text
    while (at := _part_end(rest, limit, most_blocks)) < len(rest):
        part, rest = rest[:at], rest[at:]
        if fence := open_fence(part):
            part = f"{part.rstrip()}\n{closing_fence(fence)}"
            rest = f"{fence}\n{rest}"
        parts.append(part)
        if len(parts) == _MOST_PARTS and most_blocks == _MOST_BLOCKS:
            return []
    return [*parts, rest]
