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
    return {**body, "blocks": blocks} if blocks else body


def translated(markdown: str) -> int:
    """Return how many blocks Slack makes of a markdown block; all of them count in a message.

    Slack makes a header, table or divider of each such part, and rich text of what is between them.
    """
    count, inside, fence = 0, "", ""
    lines = markdown.split("\n")
    for line, following in zip(lines, [*lines[1:], ""], strict=True):
        mark, bare = _FENCE.match(line), "".join(line.split())
        if fence:
            if mark and mark[1].startswith(fence) and set(bare) == {fence[0]}:
                fence = ""
            continue
        if mark and "`" not in line[mark.end(1) :]:
            kind, fence = "text", mark[1]
        elif not bare:
            inside = "" if inside == "table" else inside
            continue
        elif "|" in line and (inside == "table" or _TABLE.fullmatch("".join(following.split()))):
            kind = "table"
        else:
            is_rule = len(bare) > 2 and bare[0] in "-*_" and len(set(bare)) == 1
            kind = "own" if is_rule or _HEADING_MARK.match(line) else "text"
        count += kind == "own" or kind != inside
        inside = kind
    return max(count, 1)
