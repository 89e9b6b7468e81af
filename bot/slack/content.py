"""What a Slack message holds: the one reader of text, blocks, attachments and files.

An event, a message of a thread and a forwarded message have the same fields, whoever wrote them.
A person's words are in `text`. An app's may be anywhere: many alerts have an empty `text` and all
their words in `attachments` or `blocks`. What cannot be read is counted, not silently left out.
Sources: https://docs.slack.dev/reference/block-kit/blocks,
https://docs.slack.dev/reference/objects/file-object, and for ``attachments``, which Slack does not
document, recorded events (docs/reality.md).
"""

from __future__ import annotations

import html
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import islice
from typing import Any

import regex

from memory.model import Json

FORWARDED_CHARACTERS = 16_000
"""The most characters that are read of one part, and of all parts that the model is shown."""
THUMBNAILS = (
    "thumb_1024",
    "thumb_960",
    "thumb_800",
    "thumb_720",
    "thumb_480",
    "thumb_360",
)
"""Slack's own pictures of an image, the largest first."""
NAME_CHARACTERS = 40

_MOST_PARTS = 10
_MOST_FILES = 20
_MOST_BLOCKS = 100
_MOST_PIECES = 5_000  # texts that are looked at in one block or attachment
_FORWARDS = ("is_share", "is_msg_unfurl", "is_reply_unfurl")
_PREVIEWS = ("from_url", "original_url")
_FILE_TEXTS = (
    "id",
    "name",
    "title",
    "mimetype",
    "filetype",
    "mode",
    "file_access",
    "url_private",
    "url_private_download",
    *THUMBNAILS,
)
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
# Blocks that are lines by themselves, although their words are in `elements` or a plain `text`.
_LINES = frozenset(
    {
        "context",
        "markdown",
        "rich_text_preformatted",
        "rich_text_quote",
        "rich_text_section",
    }
)
_TABLES = frozenset({"table", "data_table"})
# A link to a canvas or a list, which Slack adds to `files` only for those who may see it.
_DOCUMENT = re.compile(
    r"https://[a-z0-9.-]{1,80}\.slack\.com/(?:docs|canvas|lists)/T[A-Z0-9]+/F"
)
# A name is one short line of letters, marks, numbers, and what is usual between them. A full stop,
# a slash, a colon or an at sign could make it an address, and an angle bracket markup.
_NOT_IN_NAMES = regex.compile(r"[^\p{L}\p{M}\p{N} '’()&+,_・·-]++")
# What makes an emoji of a character, and joins letters: nothing of it is seen by itself.
_JOINERS = re.compile("[\u200c\u200d\u20e3\ufe0e\ufe0f]")
_SPACES = re.compile(r"\s+")


@dataclass(frozen=True, slots=True, kw_only=True)
class MessageContent:
    """What a message holds.

    `text` is what its author wrote, in Slack's markup. `parts` are what it has besides, in the same
    markup: a forwarded message as ``{from, channel, text}``, a table as ``{from: "a pasted table",
    text}``, and words of blocks and attachments as ``{text}``; names that Slack does not give are
    left out. `files` have the fields that `bot.pipeline.attachments` reads. `unread` counts parts
    without readable words, apart from `files`.
    """

    text: str = ""
    parts: Sequence[Mapping[str, str]] = field(default_factory=list)
    files: Sequence[Json] = field(default_factory=list)
    unread: int = 0


def read_content(message: Json) -> MessageContent:
    """Return what a message holds; the work is linear in its size, and bounded."""
    text = _text(message, "text")
    found = _Found(files=objects(message.get("files")))
    found.read_blocks(_own_blocks(message, text), said=text)
    for attachment in objects(message.get("attachments")):
        found.read_attachment(attachment)
    documents = len(_DOCUMENT.findall(text))
    hidden_documents = max(documents - len(found.files), 0)
    more_parts = max(len(found.parts) - _MOST_PARTS, 0)
    more_files = max(len(found.files) - _MOST_FILES, 0)
    return MessageContent(
        text=text,
        parts=found.parts[:_MOST_PARTS],
        files=[_file(one) for one in found.files[:_MOST_FILES]],
        unread=found.unread + hidden_documents + more_parts + more_files,
    )


def author_of(message: Json) -> str:
    """Return who wrote a message: a person or app user as ``<@ID>``, any other app by its name.

    No app gets the name "you", which only Kioku has, or one with an at sign, like a person.
    """
    user = _text(message, "user")
    if user:
        return f"<@{user}>"
    name = _text(message, "username") or _text(message.get("bot_profile"), "name")
    name = clean_name(name)
    return f"{name} (app)" if name else "an app"


def clean_name(name: str) -> str:
    """Return a display name as one short line without markup, addresses or ends of frames."""
    letters = _JOINERS.sub("", name[: 4 * NAME_CHARACTERS])
    words = _NOT_IN_NAMES.sub(" ", letters)
    return _SPACES.sub(" ", words)[:NAME_CHARACTERS].strip()


def objects(value: Any) -> list[dict[str, Any]]:
    """Return the objects in a list of a payload; none if it is not a list."""
    if not isinstance(value, list):
        return []
    return [one for one in value if isinstance(one, dict)]


@dataclass(slots=True)
class _Found:
    """What was found in a message so far."""

    files: list[dict[str, Any]]
    parts: list[dict[str, str]] = field(default_factory=list)
    unread: int = 0

    def read_blocks(self, blocks: Iterable[dict[str, Any]], *, said: str) -> None:
        """Read blocks beside a text; words that the text already contains are left out."""
        words: list[str] = []
        letters_said = _letters(said)
        for block in blocks:
            if block.get("type") in _CONTROLS:
                continue
            shown = _words(block)
            if not shown or block.get("type") in _PICTURES:
                self.unread += 1
            if shown and block.get("type") == "table":
                self.parts.append({"from": "a pasted table", "text": shown})
            elif shown and _letters(shown) not in letters_said:
                words.append(shown)
        if words:
            self.parts.append({"text": "\n".join(words)[:FORWARDED_CHARACTERS]})

    def read_attachment(self, one: dict[str, Any]) -> None:
        """Read a forwarded message, a table, or the words of an app.

        Link previews are skipped: a site or app made them, and no one sent them.
        """
        if one.get("is_app_unfurl"):
            return
        if any(one.get(name) is True for name in _FORWARDS):
            self._read_forwarded(one)
        elif not any(_text(one, name) for name in _PREVIEWS):
            self._read_alert(one)

    def _read_forwarded(self, one: dict[str, Any]) -> None:
        files = objects(one.get("files"))
        text = _forwarded_text(one)
        if not (text or files):
            self.unread += 1
            return
        self.files += files
        part: dict[str, str] = {}
        if author := _named("@", one, "author"):
            part["from"] = author
        if channel := _named("#", one, "channel"):
            part["channel"] = channel
        part["text"] = text[:FORWARDED_CHARACTERS]
        self.parts.append(part)

    def _read_alert(self, one: dict[str, Any]) -> None:
        blocks = objects(one.get("blocks"))
        blocks = [block for block in blocks if block.get("type") not in _CONTROLS]
        words = _attachment_words(one)
        if not (words or blocks):
            words = _text(one, "fallback")
        if words:
            self.parts.append({"text": words[:FORWARDED_CHARACTERS]})
        self.read_blocks(blocks, said=words)
        is_empty = not (words or blocks or one.get("actions"))
        if is_empty or _text(one, "image_url"):
            self.unread += 1


def _forwarded_text(one: Json) -> str:
    """Return the text of a forwarded message, from the first of the places where Slack puts it."""
    if text := _text(one, "text"):
        return text
    if words := _words([one.get("message_blocks"), one.get("blocks")]):
        return words
    attachments = [_attachment_words(part) for part in objects(one.get("attachments"))]
    return "\n".join(attachments).strip() or _text(one, "fallback")


def _named(sign: str, one: Json, what: str) -> str:
    """Return a forwarded message's author or channel: its name as models read it, or a reference.

    A reference gets a name later. It is empty if Slack names neither.
    """
    name = clean_name(_text(one, f"{what}_name"))
    if name:
        return f"{sign}{name}"
    identity = _text(one, f"{what}_id")
    return f"<{sign}{identity}>" if identity else ""


def _own_blocks(message: Json, text: str) -> list[dict[str, Any]]:
    """Return the blocks of a message that may say more than its text.

    In a person's message the rich text only repeats the text.
    """
    blocks = objects(message.get("blocks"))[:_MOST_BLOCKS]
    is_of_app = message.get("bot_id") or message.get("bot_profile")
    if is_of_app or not text:
        return blocks
    return [block for block in blocks if block.get("type") != "rich_text"]


def _attachment_words(one: Json) -> str:
    """Return the words of an app's attachment: title, text and fields, line by line."""
    lines = [_text(one, name) for name in ("pretext", "author_name", "title", "text")]
    for entry in objects(one.get("fields")):
        parts = [_text(entry, "title"), _text(entry, "value")]
        lines.append(": ".join(filter(None, parts)))
    return "\n".join(filter(None, lines))


def _words(part: Any) -> str:
    """Return the words of blocks in Slack's markup, each block on lines of its own.

    Only the beginning of long blocks is read.
    """
    kept: list[str] = []
    left = FORWARDED_CHARACTERS
    for piece in islice(_pieces(part), _MOST_PIECES):
        kept.append(piece[:left])
        left -= len(piece)
        if left <= 0:
            break
    return "".join(kept).strip()


def _pieces(part: Any) -> Iterator[str]:
    if isinstance(part, list):
        for one in part:
            yield from _pieces(one)
    if not isinstance(part, dict):
        return
    kind = part.get("type")
    if reference := _reference(part):
        yield reference
    elif kind in _TABLES and isinstance(part.get("rows"), list):
        for row in part["rows"]:
            yield from _row(row)
    elif kind != "button" and "action_id" not in part:
        yield from _fields(part)


def _fields(part: Json) -> Iterator[str]:
    """Yield the words in the fields of a block, or of part of one, line by line."""
    kind = part.get("type")
    others = [name for name in part if name not in _WORDS]
    for name in (*_WORDS, *others):
        value = part.get(name)
        if isinstance(value, str) and name in _WORDS:
            yield value if kind in _MARKUP else html.escape(value, quote=False)
            if name != "text":
                yield "\n"
            continue
        if isinstance(value, dict):
            value = [value]
        if isinstance(value, list):
            for one in value:
                yield from _pieces(one)
                yield _between(kind, name)
    if kind in _LINES:
        yield "\n"


def _between(kind: object, name: str) -> str:
    """Return what separates parts: a line end, but not between the elements of a text."""
    if name != "elements":
        return "\n"
    return " " if kind == "context" else ""


def _row(row: Any) -> Iterator[str]:
    """Yield a row of a table as one line."""
    cells = row if isinstance(row, list) else []
    for number, cell in enumerate(cells):
        if number:
            yield " | "
        words = "".join(_pieces(cell))
        yield " ".join(words.split())
    yield "\n"


def _reference(part: Json) -> str:
    """Return an element that refers to someone or something, in the markup of a text."""
    match part:
        case {"type": "user", "user_id": str(identity)}:
            return f"<@{identity}>"
        case {"type": "usergroup", "usergroup_id": str(identity)}:
            return f"<!subteam^{identity}>"
        case {"type": "channel", "channel_id": str(identity)}:
            return f"<#{identity}>"
        case {"type": "broadcast", "range": str(who)}:
            return f"<!{who}>"
        case {"type": "emoji", "name": str(name)}:
            return f":{name}:"
        case {"type": "date", "fallback": str(shown)}:
            return html.escape(shown, quote=False)
        case {"type": "link", "url": str(url)}:
            label = html.escape(_text(part, "text"), quote=False)
            if label:
                return f"<{url}|{label}>"
            return f"<{url}>"
    return ""


def _file(file: Json) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for name in _FILE_TEXTS:
        if text := _text(file, name):
            found[name] = text
    if isinstance(file.get("size"), int):
        found["size"] = file["size"]
    if file.get("is_external") is True:
        found["is_external"] = True
    return found


def _letters(text: str) -> str:
    """Return the letters and numbers of a text, to compare what blocks and a text say."""
    return "".join(filter(str.isalnum, text)).casefold()


def _text(part: Any, name: str) -> str:
    value = part.get(name) if isinstance(part, Mapping) else None
    return value.strip() if isinstance(value, str) else ""
