"""Where a long Markdown text is split into Slack messages. All functions are pure.

A part has a limited number of characters and of blocks, as Slack counts them. It does not end after
a heading or within the row of a table. If a code block, a code span or a table is split, it is
closed in one part and opened again in the next.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise
from typing import Literal, TypeAlias

# As in CommonMark, also within lists; a line with both ends is inline code. Source:
# https://spec.commonmark.org/0.31.2/#fenced-code-blocks
_FENCE = re.compile(
    r"^([ \t]{0,12})(`{3,30}(?=[^`\n]*$)|~{3,30}(?!~))([^\n]*)$", re.MULTILINE
)
# A longer fence line, repeated in each part, could fill the part.
_FENCE_LENGTH = 64
_LINE = re.compile(r"[^\n]*\n|[^\n]+")
_HEADING = re.compile(r"[ \t]{0,3}#{1,6}(?:[ \t]|$)")
_RULE = re.compile(r"[ \t]{0,3}(?:(?:-[ \t]*){3,}|(?:\*[ \t]*){3,}|(?:_[ \t]*){3,})$")
_DELIMITERS = re.compile(
    r"[ \t]*\|?[ \t]*:?-+:?[ \t]*(?:\|[ \t]*:?-+:?[ \t]*)*\|?[ \t]*$"
)
# Where to break, the best first: after paragraphs, lines, sentences, clauses and words.
_BREAKS = ("\n\n", "\n", "。", ". ", "、", " ")

_Kind: TypeAlias = Literal["blank", "heading", "rule", "table", "code", "text"]


@dataclass(frozen=True, slots=True)
class Limits:
    """How much one message can hold: characters, and blocks as Slack counts them."""

    characters: int
    blocks: int

    def fit(self, text: str) -> bool:
        """Return whether a text fits into one message."""
        return len(text) <= self.characters and count_blocks(text) <= self.blocks


@dataclass(frozen=True, slots=True)
class Split:
    """Where a text is split: after `at` characters; `closing` ends a part, `opening` begins one."""

    at: int
    closing: str = ""
    opening: str = ""


@dataclass(frozen=True, slots=True)
class _Line:
    """A line of Markdown, from `start` to `end`; `block`: Slack begins another block with it.

    `head` is the beginning of the table that the line is a row of, "" for its first two lines.
    """

    start: int
    end: int
    kind: _Kind
    block: bool
    head: str = ""


def count_blocks(text: str) -> int:
    """Return how many blocks Slack makes of a Markdown text.

    Each heading, table and rule is one, and so is the text between them. Source: docs/reality.md,
    "Posting, changing, deleting"
    """
    return max(sum(line.block for line in _lines(text)), 1)


def split_markdown(text: str, limits: Limits) -> list[str]:
    """Split Markdown into parts that fit into a message each."""
    parts: list[str] = []
    opening = ""
    while not limits.fit(text):
        split = split_point(text, limits, at_least=len(opening) + 1)
        parts.append(text[: split.at] + split.closing)
        opening = split.opening
        text = opening + text[split.at :]
    return [*parts, text]


def split_point(text: str, limits: Limits, *, at_least: int) -> Split:
    """Return where to split a text that does not fit into one message.

    The first `at_least` characters are in the part in any case.
    """
    lines = list(_lines(text[: limits.characters * 2]))
    # A code block that is split needs room for the line that closes it.
    most = min(limits.characters - _FENCE_LENGTH, _end_of_blocks(lines, limits.blocks))
    at = break_point(text, max(most, at_least), at_least=at_least)
    back = _moved_back(lines, at)
    if back >= at_least:
        at = back
    part = text[:at]
    if fence := open_fence(part):
        line_end = "" if part.endswith("\n") else "\n"
        return Split(at, f"{line_end}{closing_fence(fence)}", f"{fence}\n")
    if ends_in_code(part):
        return Split(at, "`", "`")
    for line in lines:
        if line.start == at and len(line.head) <= limits.characters // 4:
            return Split(at, opening=line.head)
    return Split(at)


def shown_end(text: str) -> int:
    """Return how many characters of a growing text may be shown now.

    A heading is held back until text follows it, and a row of a table until it has ended, because
    a message must not end after them.
    """
    end = len(text)
    # The line end makes a row that has not ended longer than what may be shown.
    lines = list(_lines(f"{text}\n"))
    for line in reversed(lines):
        # The next line, which has to be whole, shows whether this one is the head of a table.
        is_last = line.start < end <= line.end
        if is_last and line.kind == "text" and "|" in text[line.start : end]:
            end = line.start
    return _moved_back(lines, end)


def open_fence(text: str) -> str | None:
    """Return the first line, cut to 64 characters, of a code block that `text` leaves open."""
    opened: re.Match[str] | None = None
    for match in _FENCE.finditer(text):
        if opened is None:
            opened = match
        elif match[2].startswith(opened[2]) and not match[3].strip():
            opened = None
    if opened is None:
        return None
    return opened[0][:_FENCE_LENGTH]


def closing_fence(fence: str) -> str:
    """Return the line that closes the code block which the line `fence` opened."""
    match = _FENCE.match(fence)
    if match is None:
        return "```"
    return match[1] + match[2]


def break_point(text: str, limit: int, *, at_least: int = 0) -> int:
    """Return where to break a `text` that is longer than `limit`: `limit` characters in, or less.

    The break is after the last paragraph in the second half, else the last line, sentence or word
    there, and not before `at_least`.
    """
    earliest = max(limit // 2, at_least)
    for mark in _BREAKS:
        at = text.rfind(mark, 0, limit)
        if at >= earliest:
            return at + len(mark)
    return limit


def ends_in_code(text: str) -> bool:
    """Return whether a code span is open at the end of a text, in its last line."""
    last_line = text[text.rfind("\n") + 1 :]
    return last_line.count("`") % 2 == 1


def _lines(text: str) -> Iterator[_Line]:
    """Yield the lines of a Markdown text, each with how Slack reads it."""
    before: _Kind = "blank"
    fence = ""
    head = ""
    start = 0
    for line, following in pairwise([*_LINE.findall(text), ""]):
        end = start + len(line)
        match = _FENCE.match(line.rstrip("\n"))
        kind = _kind(line, following, before)
        if fence:
            kind = "code"
            if match and match[2].startswith(fence) and not match[3].strip():
                fence = ""
        elif match:
            kind = "code"
            fence = match[2]
        is_row = kind == before == "table"
        row_head = ""
        if is_row and not _DELIMITERS.match(line):
            row_head = head
        if kind == "table" and not is_row:
            head = line + following
        yield _Line(start, end, kind, _begins_block(kind, before), row_head)
        # A blank line ends a table; between paragraphs it begins no new block.
        if kind != "blank" or before == "table":
            before = kind
        start = end


def _kind(line: str, following: str, before: _Kind) -> _Kind:
    """Return the kind of a line outside of code blocks."""
    bare = line.rstrip()
    if not bare:
        return "blank"
    if _HEADING.match(bare):
        return "heading"
    if "|" in bare and before == "table":
        return "table"
    if "|" in bare and "|" in following and _DELIMITERS.match(following.rstrip()):
        return "table"
    return "rule" if _RULE.match(bare) else "text"


def _begins_block(kind: _Kind, before: _Kind) -> bool:
    if kind in ("heading", "rule"):
        return True
    if kind == "blank":
        return False
    if kind == "table":
        return before != "table"
    return before not in ("code", "text")


def _end_of_blocks(lines: list[_Line], most: int) -> int:
    """Return where the first `most` blocks end."""
    count = 0
    for line in lines:
        count += line.block
        if count > most:
            return line.start
    return lines[-1].end if lines else 0


def _moved_back(lines: list[_Line], at: int) -> int:
    """Return the last place up to `at` that is not within a row or after a heading."""
    before = [line for line in lines if line.start < at]
    while before:
        line = before.pop()
        is_cut_row = line.kind == "table" and (at < line.end or not line.head)
        if line.kind == "heading" or is_cut_row:
            at = line.start
        elif line.kind != "blank":
            break
    return at
