"""Markdown as Slack stores it: a message's markdown blocks are read back as rich_text.

Source: https://docs.slack.dev/reference/block-kit/blocks/markdown-block. Here the rich text has the
Markdown as one text; Slack would turn its marks into styles, lists and links.
"""

import re
from itertools import pairwise

from slack_playground.records import Json

_FENCE = re.compile(r" {0,3}(`{3,}|~{3,})[ \t]*([\w+-]*)")
_HEADING_MARK = re.compile(r" {0,3}#{1,6}(?:[ \t]|$)")
_RULE = re.compile(r"-{3,}|\*{3,}|_{3,}")
_TABLE = re.compile(r"(?=[^|]*\|)\|?:?-+:?(?:\|:?-+:?)*\|?")


def as_read(body: Json) -> Json:
    """A message object as Slack returns it; every other block stays as it is, with its id."""
    blocks = list(body.get("blocks", []))
    for index, block in enumerate(blocks):
        if block["type"] == "markdown":
            text = {"type": "text", "text": block["text"]}
            section = {"type": "rich_text_section", "elements": [text]}
            blocks[index] = {**block, "type": "rich_text", "elements": [section]}
            del blocks[index]["text"]
    if not blocks:
        return body
    return {**body, "blocks": blocks}


def count_translated_blocks(markdown: str) -> int:
    """Return how many blocks Slack makes of a markdown block; all of them count in a message.

    Slack makes a header, table or divider of each such part, and rich text of what is between them.
    """
    count = 0
    inside = ""
    fence = ""
    lines = [*markdown.split("\n"), ""]
    for line, following in pairwise(lines):
        if fence:
            if _closes(fence, line):
                fence = ""
            continue
        if not _bare(line):
            if inside == "table":
                inside = ""
            continue
        fence = _fence_on(line)
        kind = "text" if fence else _kind(line, following, inside)
        if kind == "own" or kind != inside:
            count += 1
        inside = kind
    return max(count, 1)


def _fence_on(line: str) -> str:
    """The fence with which code begins on this line; "" if none does."""
    mark = _FENCE.match(line)
    if mark is None or "`" in line[mark.end(1) :]:
        return ""
    return mark[1]


def _closes(fence: str, line: str) -> bool:
    """Whether code that began with `fence` ends on this line."""
    mark = _FENCE.match(line)
    if mark is None or not mark[1].startswith(fence):
        return False
    return set(_bare(line)) == {fence[0]}


def _kind(line: str, following: str, inside: str) -> str:
    """The kind of a line after a part of the kind `inside`: a block of its "own", a table, text."""
    if "|" in line and (inside == "table" or _TABLE.fullmatch(_bare(following))):
        return "table"
    if _HEADING_MARK.match(line) or _RULE.fullmatch(_bare(line)):
        return "own"
    return "text"


def _bare(line: str) -> str:
    """The line without its blanks."""
    return "".join(line.split())
