"""What a message brings besides typed words: forwarded messages, tables and files.

It is shown to the model for one turn, kept nowhere, and never forms a memory.
"""

from __future__ import annotations

import asyncio
import base64
import logging
import re
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from typing import Any

from bot.app import App
from bot.locale import Language, say
from bot.logs import fault
from bot.pipeline.links import checked
from bot.slack.client import (
    SLACK_FAULTS,
    TURN_PATIENCE_SECONDS,
    error_code,
    find_message,
)
from bot.slack.content import FORWARDED_CHARACTERS, THUMBNAILS, Content, read_content
from bot.slack.files import FileTrouble, FileUnreadable, read_file
from bot.slack.messages import Message, excerpt

log = logging.getLogger(__name__)

MOST_FILES = 4
FILE_BYTES = 8_000_000
# The limit of one message, whose files are held as base64 until its answer is complete.
ALL_BYTES = 12_000_000
_THUMBNAIL_BYTES = 2_000_000
_TEXT_BYTES = 100_000  # of a text file that are decoded
_NAME_CHARACTERS = 60
_NOT_IN_CODE = str.maketrans(dict.fromkeys("`<"))
# The first bytes of an image tell its type.
_BEGINNINGS: Mapping[bytes, str] = {
    b"\x89PNG\r\n\x1a\n": "image/png",
    b"\xff\xd8\xff": "image/jpeg",
    b"GIF87a": "image/gif",
    b"GIF89a": "image/gif",
    b"RIFF": "image/webp",
}
_IMAGES = frozenset(_BEGINNINGS.values())
_OPEN_XML = "application/vnd.openxmlformats-officedocument."
# The media types that the Responses API reads itself, by file extension.
# Source: https://developers.openai.com/api/docs/guides/file-inputs
_DOCUMENTS: Mapping[str, str] = {
    "pdf": "application/pdf",
    "docx": f"{_OPEN_XML}wordprocessingml.document",
    "pptx": f"{_OPEN_XML}presentationml.presentation",
    "xlsx": f"{_OPEN_XML}spreadsheetml.sheet",
    "csv": "text/csv",
    "tsv": "text/tab-separated-values",
    "md": "text/markdown",
    "json": "application/json",
    "html": "text/html",
}
_ENDINGS = {kind: ending for ending, kind in _DOCUMENTS.items()}
_CODE = re.compile(
    r"c|cpp|cs|css|go|h|ini|java|js|jsx|kt|log|lua|php|pl|py|r|rb|rs|scala|sh|sql|swift|tex|toml"
    r"|tsx?|txt|xml|ya?ml"
)

_NOT_NOW = "could not be read just now; it is not gone, and may be read in a minute"


@dataclass(frozen=True, slots=True, kw_only=True)
class AttachedFile:
    """One file: its name, what the Responses API takes or its `text`, or why it is not shown.

    With a `url` it is still to be downloaded, at most `size` bytes; an image has no `kind` yet.
    """

    name: str
    kind: str = ""
    size: int = 0
    url: str = ""
    content: Mapping[str, Any] | None = None
    text: str = ""
    trouble: FileTrouble | None = None
    earlier: bool = False

    @property
    def shown(self) -> bool:
        """Whether the model is shown its content."""
        return bool(self.content or self.text)

    @property
    def line(self) -> dict[str, Any]:
        """The description that the model gets besides the content, with the text of a text file."""
        if self.trouble:
            kind = self.trouble.removeprefix("files_")
            return {"name": self.name, "not_shown": _NOT_NOW if kind == "not_now" else kind}
        when = {"sent": "earlier"} if self.earlier else {}
        text = {"text": self.text} if self.text else {}
        return {"name": self.name, "type": self.kind, "bytes": self.size, **when, **text}


@dataclass(frozen=True, slots=True)
class Brought:
    """What came with a message: files, and ``{from, channel, text}`` of what was forwarded."""

    files: Sequence[AttachedFile] = ()
    forwarded: Sequence[Mapping[str, str]] = ()

    @property
    def asks(self) -> bool:
        """Whether it can be a question by itself, without words of the person."""
        now = [one for one in self.forwarded if "sent" not in one]
        return bool(now) or any(one.shown and not one.earlier for one in self.files)


@asynccontextmanager
async def read_brought(
    app: App, message: Message, *, earlier: str | None = None
) -> AsyncIterator[Brought]:
    """Yield what a message brought, from its event; files are downloaded now, in order.

    Their bytes are taken from `app.file_bytes` until the end; a file for which too few are free is
    reported as not readable just now. If the message brought nothing, and `earlier` is the ts of
    another message in its thread, what that message brought is read from Slack, except files that
    cannot be shown.
    """
    forwarded = message.forwarded
    found = message.files
    if earlier is not None and not message.brings:
        content = await _read_earlier(app, message, earlier)
        forwarded = [{"sent": "earlier", **one} for one in content.parts]
        found = content.files
    if not (forwarded or found):
        yield Brought()
        return
    bot_user_id = await app.slack.bot_user_id(message.team_id)
    lines = await asyncio.to_thread(_readable, forwarded, bot_user_id) if forwarded else []
    held = list[int]()
    try:
        files = [
            await _read_attached(app, message.team_id, file, held, number)
            for number, file in enumerate(found)
        ]
        if not message.brings:
            files = [replace(file, earlier=True) for file in files if file.shown]
        if files:
            seen = sum(file.shown for file in files)
            log.info("a message brought %d file(s), %d of them shown", len(files), seen)
        yield Brought(files, lines)
    finally:
        app.file_bytes.give_back(sum(held))


async def _read_attached(
    app: App, team_id: str, file: Mapping[str, Any], held: list[int], number: int
) -> AttachedFile:
    """Return a file of a message as the model is shown it; add the bytes taken for it to `held`."""
    name = file_name(file)
    if number >= MOST_FILES:
        return AttachedFile(name=name, trouble="files_many")
    try:
        one = planned(file, ALL_BYTES - sum(held))
        if not one.url:
            return one
        if not app.file_bytes.take(one.size):
            return AttachedFile(name=name, trouble="files_not_now")
        held.append(one.size)
        return read(one, await read_file(app.slack, team_id, one.url, most=one.size))
    except FileUnreadable as unreadable:
        return AttachedFile(name=name, trouble=unreadable.trouble)


async def _read_earlier(app: App, message: Message, ts: str) -> Content:
    try:
        client = app.slack.client(message.team_id, patience=TURN_PATIENCE_SECONDS)
        found = await find_message(client, message.channel_id, message.thread_ts, ts)
    except SLACK_FAULTS as error:
        log.warning("an earlier message was not read: %s", error_code(error) or fault(error))
        return Content()
    return read_content(found or {})


def _readable(forwarded: Sequence[Mapping[str, str]], bot_user_id: str) -> list[dict[str, str]]:
    """Return forwarded texts without credentials, at most `FORWARDED_CHARACTERS` together."""
    lines: list[dict[str, str]] = []
    left = FORWARDED_CHARACTERS
    for one in forwarded:
        lines.append({**one, "text": excerpt(one["text"], bot_user_id, left)})
        left -= len(lines[-1]["text"])
    return lines


def planned(file: Mapping[str, Any], left: int) -> AttachedFile:
    """Return what to download for a file, itself or a thumbnail; a whole transcript needs none."""
    mode = file.get("mode")
    access = file.get("file_access")
    mimetype = str(file.get("mimetype") or "")
    name = file_name(file)
    # Slack sends only the id of a file from another organization.
    if access in ("access_denied", "check_file_info"):
        raise FileUnreadable("files_elsewhere")
    if access == "file_not_found" or mode in ("tombstone", "hidden_by_limit"):
        raise FileUnreadable("files_gone")
    if file.get("is_external") or mode == "external":
        raise FileUnreadable("files_elsewhere")
    size = int(file.get("size") or 0)
    most = min(FILE_BYTES, left)
    url = str(file.get("url_private_download") or file.get("url_private") or "")
    thumbnail = next((str(file[one]) for one in THUMBNAILS if file.get(one)), "")
    named = name.rpartition(".")[2].lower()
    endings = (named, str(file.get("filetype")), _ENDINGS.get(mimetype, ""))
    kind = next((_DOCUMENTS[one] for one in endings if one in _DOCUMENTS), "")
    if file.get("transcript"):
        if not (file.get("has_more") and file.get("vtt")):
            return AttachedFile(name=name, kind="transcript", size=size, text=file["transcript"])
        url = str(file["vtt"])
        kind = "text/vtt"
        size = _TEXT_BYTES
    elif mode == "snippet" or mimetype == "text/plain":
        kind = "text/plain"
    elif thumbnail and mimetype.startswith("image/") and (size > most or mimetype not in _IMAGES):
        url = thumbnail
        kind = ""
        size = _THUMBNAIL_BYTES
    elif mimetype in _IMAGES:
        kind = ""
    elif not kind and (mimetype.startswith("text/") or _CODE.fullmatch(named)):
        kind = "text/plain"
    elif not kind:
        raise FileUnreadable("files_kind")
    if size > most:
        raise FileUnreadable("files_large")
    if not url:
        raise FileUnreadable("files_gone")
    return AttachedFile(name=name, kind=kind, size=size or most, url=url)


def read(file: AttachedFile, content: bytes) -> AttachedFile:
    """Return a downloaded file as the model is shown it; raises `FileUnreadable`."""
    image = next((one for begins, one in _BEGINNINGS.items() if content.startswith(begins)), "")
    name = file.name
    kind = file.kind or image
    if not kind:
        raise FileUnreadable("files_kind")
    if kind in ("text/plain", "text/vtt"):
        text = _decoded(content)
        if kind == "text/vtt":
            text = "\n".join(line for line in text.splitlines() if line and "-->" not in line)
        return AttachedFile(name=name, kind=kind, size=len(content), text=text)
    data = f"data:{kind};base64,{base64.b64encode(content).decode()}"
    shown = {"type": "input_image", "image_url": data, "detail": "auto"}
    if file.kind:
        # The API recognizes a PDF by its extension. Its pages are shown as small pictures, too.
        named = name if name.lower().endswith(f".{_ENDINGS[kind]}") else f"{name}.{_ENDINGS[kind]}"
        detail = {"detail": "low"} if kind == "application/pdf" else {}
        shown = {"type": "input_file", "filename": named, "file_data": data, **detail}
    return AttachedFile(name=name, kind=kind, size=len(content), content=shown)


def _decoded(content: bytes) -> str:
    """Return the beginning of a text file; raises `FileUnreadable` if not in UTF-8 or UTF-16."""
    wide = content.startswith((b"\xff\xfe", b"\xfe\xff"))
    text = content[:_TEXT_BYTES].decode("utf-16" if wide else "utf-8-sig", "replace")
    text = text.rstrip("\ufffd") if len(content) > _TEXT_BYTES else text
    if not text.strip() or "\x00" in text or "\ufffd" in text:
        raise FileUnreadable("files_kind")
    return text


def file_name(file: Mapping[str, Any]) -> str:
    """Return the first characters of a file's name, in one line.

    It has no backticks or ``<``, because an answer shows it as code.
    """
    name = str(file.get("name") or file.get("title") or "").translate(_NOT_IN_CODE)
    return " ".join(name.split())[:_NAME_CHARACTERS].strip()


def unseen_lines(language: Language, files: Sequence[AttachedFile]) -> list[str]:
    """Return one sentence for each reason why files were not shown, with what to do about it.

    Addresses in the names of files follow the rules for links in answers.
    """
    lines = list[str]()
    for trouble in dict.fromkeys(file.trouble for file in files if file.trouble):
        names = [file.name for file in files if file.trouble == trouble]
        quoted = say(language, "listed").join(f"`{name}`" for name in names if name)
        named = quoted or say(language, "files_nameless")
        limits = {"megabytes": FILE_BYTES // 1_000_000, "most": MOST_FILES}
        lines.append(checked(say(language, trouble, names=named, **limits)))
    return lines
