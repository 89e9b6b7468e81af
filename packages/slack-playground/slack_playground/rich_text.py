"""Markdown as Slack stores it: a message's markdown blocks come back as rich_text when read.

Source: https://docs.slack.dev/reference/block-kit/blocks/markdown-block. Headings become bold
lines, tables stay lines of text.
"""

import re
from collections.abc import Callable, Iterator

from slack_playground.records import Json

_FENCE = re.compile(r" {0,3}(`{3,}|~{3,})[ \t]*([\w+-]*)")
_HEADING = re.compile(r" {0,3}#{1,6}[ \t]+(.*?)[ \t#]*$")
_HEADING_MARK = re.compile(r" {0,3}#{1,6}(?:[ \t]|$)")
_TABLE = re.compile(r"(?=[^|]*\|)\|?:?-+:?(?:\|:?-+:?)*\|?")
_ITEM = re.compile(r"([ \t]*)(?:[-*+]|(\d{1,9})[.)])[ \t]+(.*)")
_QUOTE = re.compile(r" {0,3}> ?(.*)")
_INLINE = re.compile(
    r"\\(?P<escaped>[!-/:-@\[-`{-~])"
    r"|(?P<ticks>`+)(?P<code>[^`\n]+)(?P=ticks)"
    r"|!?\[(?P<label>[^\[\]\n]*)\]\((?P<target>[^()\s]+)\)"
    r"|<@(?P<user>[UW][A-Z0-9]+)>"
    r"|<#(?P<channel>[CG][A-Z0-9]+)>"
    r"|<?(?P<url>https?://[^\s<>()\[\]`*|]*[^\s<>()\[\]`*|.,:;!?'\"])>?"
    r"|(?P<bold>\*\*|__)(?=\S)(?P<strong>[^\n]+?)(?P=bold)"
    r"|~~(?=\S)(?P<struck>[^~\n]+)~~"
    r"|(?P<mark>\*|(?<!\w)_)(?=\S)(?P<slanted>[^*_\n]+)(?P=mark)(?!\w)"
)


def as_read(body: Json) -> Json:
    """A message object as Slack returns it; every other block stays as it is, with its id."""
    if not any(block["type"] == "markdown" for block in body.get("blocks", [])):
        return body
    return {**body, "blocks": [_read(block) for block in body["blocks"]]}


def translated(markdown: str) -> int:
    """Return how many blocks Slack makes of a markdown block; all of them count in a message.

    A header for each heading, a table, a divider, and rich text for what is between them.
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


def _read(block: Json) -> Json:
    if block["type"] != "markdown":
        return block
    return {
        "type": "rich_text",
        "block_id": block["block_id"],
        "elements": [*_elements(block["text"].split("\n"))],
    }


def _elements(lines: list[str]) -> Iterator[Json]:
    rest = iter(lines)
    plain: list[str] = []
    held: Json | None = None
    for line in rest:
        fence = _FENCE.match(line)
        item, quote = _ITEM.fullmatch(line), _QUOTE.fullmatch(line)
        element: Json | None = None
        if fence:
            element = _preformatted(rest, fence[1])
        elif item:
            element = _list(item)
        elif quote:
            element = {"type": "rich_text_quote", "elements": _inline(quote[1])}
        if element is None:
            plain.append(line)
            continue
        if plain:
            yield from filter(None, [held, _section(plain)])
            held, plain = None, []
        if held is not None and _same(held, element):
            _join(held, element)
            continue
        yield from filter(None, [held])
        held = element
    yield from filter(None, [held, _section(plain)])


def _section(lines: list[str]) -> Json | None:
    lines = "\n".join(lines).strip("\n").split("\n")
    elements: list[Json] = []
    for number, line in enumerate(lines):
        heading = _HEADING.fullmatch(line)
        style = {"bold": True} if heading else {}
        end = "\n" if number < len(lines) - 1 else ""
        elements += _inline((heading[1] if heading else line) + end, style)
    return {"type": "rich_text_section", "elements": _merged(elements)} if elements else None


def _preformatted(rest: Iterator[str], fence: str) -> Json:
    code: list[str] = []
    for line in rest:
        if line.strip().startswith(fence) and not line.strip().strip(fence[0]):
            break
        code.append(line)
    text = [{"type": "text", "text": "\n".join(code)}] if code else []
    return {"type": "rich_text_preformatted", "elements": text, "border": 0}


def _list(item: re.Match[str]) -> Json:
    return {
        "type": "rich_text_list",
        "style": "ordered" if item[2] else "bullet",
        "indent": min(len(item[1].expandtabs(4)) // 2, 8),
        "border": 0,
        "elements": [{"type": "rich_text_section", "elements": _inline(item[3])}],
    }


def _same(held: Json, element: Json) -> bool:
    """Whether an element goes on with what the one before began."""
    if held["type"] == "rich_text_preformatted":
        return False
    return all(held.get(key) == element.get(key) for key in ("type", "style", "indent"))


def _join(held: Json, element: Json) -> None:
    if held["type"] == "rich_text_quote":
        line: Json = {"type": "text", "text": "\n"}
        held["elements"] = _merged([*held["elements"], line, *element["elements"]])
    else:
        held["elements"] += element["elements"]


def _inline(text: str, style: Json | None = None) -> list[Json]:
    style = style or {}
    found: list[Json] = []
    position = 0
    for token in _INLINE.finditer(text):
        found.append(_text(text[position : token.start()], style))
        position = token.end()
        kind, value = next((k, v) for k, v in token.groupdict().items() if v is not None)
        found += _TOKENS[kind](token, value, style)
    found.append(_text(text[position:], style))
    return _merged(found)


def _text(text: str, style: Json) -> Json:
    return {"type": "text", "text": text, **({"style": style} if style else {})}


def _link(url: str, text: str, style: Json) -> Json:
    shown = {"text": text} if text and text != url else {}
    return {"type": "link", "url": url, **shown, **({"style": style} if style else {})}


def _styled(group: str, name: str) -> Callable[[re.Match[str], str, Json], list[Json]]:
    return lambda token, _, style: _inline(token[group], {**style, name: True})


_TOKENS: dict[str, Callable[[re.Match[str], str, Json], list[Json]]] = {
    "escaped": lambda _, value, style: [_text(value, style)],
    "ticks": lambda token, _, style: [_text(token["code"], {**style, "code": True})],
    "label": lambda token, value, style: [_link(token["target"], value, style)],
    "user": lambda _, value, _style: [{"type": "user", "user_id": value}],
    "channel": lambda _, value, _style: [{"type": "channel", "channel_id": value}],
    "url": lambda _, value, style: [_link(value, "", style)],
    "bold": _styled("strong", "bold"),
    "struck": _styled("struck", "strike"),
    "mark": _styled("slanted", "italic"),
}


def _merged(elements: list[Json]) -> list[Json]:
    """The elements without empty texts, neighbouring texts of one style as one."""
    merged: list[Json] = []
    for element in elements:
        if element["type"] != "text":
            merged.append(element)
        elif not element["text"]:
            continue
        elif merged and merged[-1]["type"] == "text" and _style(merged[-1]) == _style(element):
            merged[-1] = {**merged[-1], "text": merged[-1]["text"] + element["text"]}
        else:
            merged.append(element)
    return merged


def _style(element: Json) -> Json:
    style: Json = element.get("style", {})
    return style
