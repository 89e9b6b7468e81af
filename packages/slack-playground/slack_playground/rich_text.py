"""Markdown as Slack stores it: a message's markdown blocks are read back as rich_text.

Source: https://docs.slack.dev/reference/block-kit/blocks/markdown-block. Here the rich text has the
Markdown as one text; Slack would turn its marks into styles, lists and links.
"""

import re

from slack_playground.records import Json

_FENCE = re.compile(r" {0,3}(`{3,}|~{3,})[ \t]*([\w+-]*)")
_HEADING_MARK = re.compile(r" {0,3}#{1,6}(?:[ \t]|$)")
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


def translated(markdown: str) -> int:
    """Return how many blocks Slack makes of a markdown block; all of them count in a message.

    Slack makes a header, table or divider of each such part, and rich text of what is between them.
    """
    count = 0
    inside = ""
    fence = ""
    lines = markdown.split("\n")
    for line, following in zip(lines, [*lines[1:], ""], strict=True):
        mark = _FENCE.match(line)
        bare = _bare(line)
        if fence:
            if mark and mark[1].startswith(fence) and set(bare) == {fence[0]}:
                fence = ""
            continue
        if not bare:
            if inside == "table":
                inside = ""
            continue
        kind = "text"
        if mark and "`" not in line[mark.end(1) :]:
            fence = mark[1]
        elif "|" in line and (inside == "table" or _TABLE.fullmatch(_bare(following))):
            kind = "table"
        elif _is_rule(bare) or _HEADING_MARK.match(line):
            kind = "own"
        if kind == "own" or kind != inside:
            count += 1
        inside = kind
    return max(count, 1)


def _bare(line: str) -> str:
    """The line without its blanks."""
    return "".join(line.split())


def _is_rule(bare: str) -> bool:
    return len(bare) > 2 and bare[0] in "-*_" and len(set(bare)) == 1
