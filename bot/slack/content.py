"""The one reader of what Slack sends: a message, wherever it is from, as people read it.

An event, a message of a thread and a forwarded message have the same fields, whoever wrote them.
A person's words are in `text`. An app's may be anywhere: many alerts have an empty `text` and all
their words in `attachments` or `blocks`. Everything is read, however long it is, and what cannot be
read is counted: `bot.answering.limits` shortens it.
Sources: https://docs.slack.dev/reference/block-kit/blocks, and for ``attachments``, which Slack
does not document, recorded events (docs/reality.md).
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from bot.slack.messages import MAX_DEPTH, blocks_beside_text, is_forwarded, is_preview
from bot.slack.names import (
    UNKNOWN_GROUP,
    UNKNOWN_PERSON,
    channel_mark,
    clean_name,
    person_mark,
)
from bot.slack.reading import link_text, literal, plain
from memory.model import Json, depth, objects

# Blocks without content: their words only label what the reader can do.
_CONTROLS = frozenset({"actions", "context_actions", "divider"})
_PICTURES = frozenset({"image", "video", "file"})
# The fields of a block that hold its words, in the order they are shown. Other fields, also those
# of newer kinds of blocks, are searched for blocks.
_WORDS = (
    "title",
    "subtitle",
    "label",
    "text",
    "body",
    "caption",
    "fields",
    "description",
    "elements",
    "items",
    "cards",
    "columns",
    "details",
    "output",
    "alt_text",
)
_MARKUP = frozenset({"mrkdwn", "markdown"})
# What stands between the elements of a block that is one text; it is a line end in all others.
_BETWEEN = {
    "context": " ",
    "rich_text_preformatted": "",
    "rich_text_quote": "",
    "rich_text_section": "",
}
_TABLES = frozenset({"table", "data_table"})
# A link to a canvas or a list, which Slack adds to `files` only for those who may see it.
_DOCUMENT = re.compile(
    r"https://[a-z0-9.-]{1,80}\.slack\.com/(?:docs|canvas|lists)/T[A-Z0-9]+/F"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Content:
    """What people read of a message, with marks for names (`bot.slack.names`).

    `text` is what its author wrote, and `words` what its blocks and attachments say besides.
    `attached` are lines of what the author forwarded or pasted: ``{from, channel, text}``, of a
    table ``{from: "a pasted table", text}``. `files` are Slack's file objects, also those of
    forwarded messages. `unread` counts parts without readable words, apart from files.
    """

    author: str
    text: str = ""
    words: str = ""
    attached: Sequence[Mapping[str, str]] = ()
    files: Sequence[Json] = ()
    unread: int = 0

    @property
    def brought(self) -> list[Mapping[str, str]]:
        """What it says besides its author's text, in lines."""
        own = [{"text": self.words}] if self.words else []
        return [*own, *self.attached]


def read_content(message: Json, bot_user_id: str = "") -> Content:
    """Return what people read of a message without mentions of the app.

    Reading takes time in proportion to the message, which may be long.
    """
    author = _author(message)
    if depth(message) > MAX_DEPTH:
        return Content(author=author, unread=1)
    text = plain(_text(message, "text"), bot_user_id)
    files = objects(message.get("files"))
    for one in objects(message.get("attachments")):
        if is_forwarded(one):
            files += objects(one.get("files"))
    documents = len(_DOCUMENT.findall(_text(message, "text")))
    unread = max(documents - len(files), 0)
    words: list[str] = []
    attached: list[dict[str, str]] = []
    said = _letters(text)
    for part in _parts(message):
        letters = _letters(part.get("text", ""))
        if not part:
            unread += 1
        elif "from" in part:
            attached.append(part)
        elif letters not in said:
            # Apps say the same in a text and in blocks.
            words.append(part["text"])
            said += letters
    return Content(
        author=author,
        text=text,
        words="\n".join(words),
        attached=attached,
        files=files,
        unread=unread,
    )


def _author(message: Json) -> str:
    """Return who wrote a message: a person or app user by their mark, any other app by its name.

    No app gets the name "you", which only Kioku has, or one with an at sign, like a person.
    """
    user = _text(message, "user")
    if user:
        return person_mark(user)
    name = _text(message, "username") or _text(message.get("bot_profile"), "name")
    name = clean_name(name)
    return f"{name} (app)" if name else "an app"


def _parts(message: Json) -> Iterator[dict[str, str]]:
    """Yield what a message has besides its text: a line of words, ``{}`` for what has none.

    The line of a forwarded message and of a table says where it is from.
    """
    yield from _of_blocks(blocks_beside_text(message))
    for one in objects(message.get("attachments")):
        if is_forwarded(one):
            yield _forwarded(one)
        elif not is_preview(one):
            yield from _of_alert(one)


def _of_blocks(blocks: Iterable[Json]) -> Iterator[dict[str, str]]:
    for block in blocks:
        kind = str(block.get("type"))
        if kind in _CONTROLS:
            continue
        shown = _words(block).strip()
        if not shown or kind in _PICTURES:
            yield {}
        if shown and kind in _TABLES:
            yield {"from": "a pasted table", "text": shown}
        elif shown:
            yield {"text": shown}


def _of_alert(one: Json) -> Iterator[dict[str, str]]:
    blocks = [*_of_blocks(objects(one.get("blocks")))]
    words = _attachment_words(one)
    if not (words or blocks):
        words = plain(_text(one, "fallback"))
    if words:
        yield {"text": words}
    yield from blocks
    is_empty = not (words or blocks or one.get("actions"))
    if is_empty or _text(one, "image_url"):
        yield {}


def _forwarded(one: Json) -> dict[str, str]:
    """Return the line of a forwarded message; its text is in the first of several places."""
    text = plain(_text(one, "text"))
    text = text or _words([one.get("message_blocks"), one.get("blocks")]).strip()
    if not text:
        attachments = map(_attachment_words, objects(one.get("attachments")))
        text = "\n".join(attachments).strip() or plain(_text(one, "fallback"))
    if not (text or objects(one.get("files"))):
        return {}
    author = clean_name(_text(one, "author_name"))
    identity = _text(one, "author_id")
    line = {"from": f"@{author}" if author else UNKNOWN_PERSON}
    if identity and not author:
        line["from"] = person_mark(identity)
    channel = clean_name(_text(one, "channel_name"))
    if channel:
        line["channel"] = f"#{channel}"
    elif identity := _text(one, "channel_id"):
        line["channel"] = channel_mark(identity)
    return {**line, "text": text}


def _attachment_words(one: Json) -> str:
    """Return the words of an app's attachment: title, text and fields, line by line."""
    lines = [_text(one, name) for name in ("pretext", "author_name", "title", "text")]
    for entry in objects(one.get("fields")):
        parts = [_text(entry, "title"), _text(entry, "value")]
        lines.append(": ".join(filter(None, parts)))
    return plain("\n".join(filter(None, lines)))


def _words(part: Any, between: str = "\n") -> str:
    """Return the words of a block, or of the parts of one, which stand `between`."""
    if isinstance(part, list):
        return between.join(filter(None, [_words(one) for one in part]))
    if not isinstance(part, dict):
        return ""
    if part.get("type") == "button" or "action_id" in part:
        return ""
    if shown := _reference(part):
        return shown
    if str(part.get("type")) in _TABLES and isinstance(part.get("rows"), list):
        return "\n".join(map(_row, part["rows"]))
    others = [name for name in part if name not in _WORDS]
    fields = [_field(part, name) for name in (*_WORDS, *others)]
    return "\n".join(filter(None, fields))


def _field(part: Json, name: str) -> str:
    """Return the words in a field of a block, or of a part of one."""
    value = part.get(name)
    kind = str(part.get("type"))
    if not isinstance(value, str):
        return _words(value, _BETWEEN.get(kind, "\n"))
    if name not in _WORDS:
        return ""
    return plain(value) if kind in _MARKUP else literal(value)


def _row(row: Any) -> str:
    """Return a row of a table as one line."""
    cells = row if isinstance(row, list) else []
    return " | ".join(" ".join(_words(cell).split()) for cell in cells)


def _reference(part: Json) -> str:
    """Return what people read of an element that refers to someone or something."""
    match part:
        case {"type": "user", "user_id": str(identity)}:
            return person_mark(identity)
        case {"type": "usergroup"}:
            return UNKNOWN_GROUP
        case {"type": "channel", "channel_id": str(identity)}:
            return channel_mark(identity)
        case {"type": "broadcast", "range": str(who)}:
            return literal(f"@{who}")
        case {"type": "emoji", "name": str(name)}:
            return literal(f":{name}:")
        case {"type": "date", "fallback": str(shown)}:
            return literal(shown)
        case {"type": "link", "url": str(url)}:
            return literal(link_text(url, _text(part, "text")))
    return ""


def _letters(text: str) -> str:
    """Return the letters and numbers of a text, to compare what blocks and a text say."""
    return "".join(filter(str.isalnum, text)).casefold()


def _text(part: Any, name: str) -> str:
    match part:
        case {**fields} if isinstance(fields.get(name), str):
            return str(fields[name]).strip()
    return ""
