"""What Slack sends: texts that can be stored, and what a message holds besides typed words.

That is forwarded messages, tables and files; in a direct message also what its author looks at
beside the app. Sources: https://docs.slack.dev/reference/objects/file-object, and for
``attachments``, which Slack does not document, recorded events (docs/reality.md).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from psycopg import DataError

from memory import InvalidNamespace

MOST_FORWARDED = 10
MOST_ATTACHED_FILES = 20
FORWARDED_CHARACTERS = 16_000
"""Characters of all forwarded messages and tables of a message that the model is shown."""
THUMBNAILS = tuple(f"thumb_{size}" for size in (1024, 960, 800, 720, 480, 360))
"""Slack's own pictures of an image, the largest first."""

_FORWARDS = ("is_share", "is_msg_unfurl", "is_reply_unfurl")
_TEXTS = (
    *("id", "name", "title", "mimetype", "filetype", "mode", "subtype", "file_access"),
    *("url_private", "url_private_download", "vtt", *THUMBNAILS),
)

MAX_CHARACTERS = 40_000
"""Characters kept of one text: as many as a message of Slack's can have.

Source: https://docs.slack.dev/changelog/2018-truncating-really-long-messages
"""
MAX_DEPTH = 60
"""Levels of nesting; Slack's deepest payloads, views of Block Kit, have about 15."""

UNREADABLE = (
    *(LookupError, TypeError, ValueError, AttributeError, ArithmeticError, RecursionError),
    *(InvalidNamespace, DataError),
)
"""Exceptions of reading a payload of unexpected form."""


def received(value: Any, depth: int = 0) -> Any:
    """Return a part of a payload with texts that PostgreSQL can store, and of limited length.

    None takes the place of what is nested more deeply than `MAX_DEPTH`.
    """
    if isinstance(value, str):
        return storable(value[:MAX_CHARACTERS])
    if not isinstance(value, dict | list):
        return value
    if depth > MAX_DEPTH:
        return None
    if isinstance(value, list):
        return [received(one, depth + 1) for one in value]
    return {storable(str(key)): received(one, depth + 1) for key, one in value.items()}


def storable(text: str) -> str:
    """Return `text` without what PostgreSQL cannot hold: NUL, and halves of characters."""
    if text.isascii() and "\x00" not in text:
        return text
    return text.replace("\x00", "").encode("utf-8", "replace").decode()


def objects(value: Any) -> list[dict[str, Any]]:
    """Return the objects of a list in a payload; none where it is no list."""
    return [one for one in value if isinstance(one, dict)] if isinstance(value, list) else []


def attached_to(
    message: Mapping[str, Any],
) -> tuple[list[dict[str, str]], list[dict[str, Any]]]:
    """Return the forwarded messages and pasted tables of a message, and the files of all of it.

    A forwarded message is ``{from, channel, text}`` with Slack's markup, a table ``{from: "a pasted
    table", text}``; without their name or conversation where Slack gives none. The preview of a
    link is neither: it is of the app or site that made it, and is left out. Of a file those fields
    are returned that `bot.pipeline.attachments` reads, with ``transcript`` for a voice clip's.
    """
    files = objects(message.get("files"))
    forwarded: list[dict[str, str]] = []
    for one in objects(message.get("attachments")):
        if one.get("is_app_unfurl"):
            continue
        if any(one.get(name) is True for name in _FORWARDS):
            files += objects(one.get("files"))
            forwarded += _forwarded(one)
        tables = [block for block in objects(one.get("blocks")) if block.get("type") == "table"]
        forwarded += [{"from": "a pasted table", "text": _words(table)} for table in tables]
    return forwarded[:MOST_FORWARDED], [_file(one) for one in files[:MOST_ATTACHED_FILES]]


def _forwarded(one: Mapping[str, Any]) -> Iterator[dict[str, str]]:
    blocks = [
        part["message"]
        for part in objects(one.get("message_blocks"))
        if isinstance(part.get("message"), dict)
    ]
    text = _text(one, "text") or _words([part.get("blocks") for part in blocks])
    author = _text(one, "author_name") or _text(one, "author_id")
    channel = _text(one, "channel_name") or _text(one, "channel_id")
    found = {"from": author, "channel": channel, "text": text or _text(one, "fallback")}
    if found["text"] or one.get("files"):
        yield {name: value for name, value in found.items() if value or name == "text"}


def _file(file: Mapping[str, Any]) -> dict[str, Any]:
    found: dict[str, Any] = {name: _text(file, name) for name in _TEXTS if _text(file, name)}
    if isinstance(file.get("size"), int):
        found["size"] = file["size"]
    if file.get("is_external") is True:
        found["is_external"] = True
    transcription = file.get("transcription")
    preview = transcription.get("preview") if isinstance(transcription, dict) else None
    if isinstance(preview, dict) and _text(preview, "content"):
        found |= {"transcript": preview["content"], "has_more": preview.get("has_more") is True}
    return found


def _text(part: Mapping[str, Any], name: str) -> str:
    value = part.get(name)
    return value.strip() if isinstance(value, str) else ""


def _words(part: Any) -> str:
    """Return the text of blocks, or of a part of one; a row of a table is a line."""
    if isinstance(part, list):
        return "".join(map(_words, part))
    if not isinstance(part, dict):
        return ""
    kind, text = part.get("type"), part.get("text")
    if kind == "table":
        rows = [row for row in part.get("rows") or [] if isinstance(row, list)]
        return "\n".join(" | ".join(_words(cell).strip() for cell in row) for row in rows)
    if kind in ("user", "emoji"):
        return f"@{part.get('user_id')}" if kind == "user" else f":{part.get('name')}:"
    own = text if isinstance(text, str) else _words(text)
    end = "\n" if kind in ("rich_text_section", "section", "header", "markdown") else ""
    return f"{own or _text(part, 'url')}{_words(part.get('elements'))}{end}"
