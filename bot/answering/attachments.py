"""The files of a message: shown to the model for one turn, kept nowhere, and never a memory."""

from __future__ import annotations

import base64
import logging
import re
from collections.abc import AsyncIterator, Iterable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from typing import Any

from bot.answering.limits import shorten_all
from bot.app import App
from bot.locale import Localizer
from bot.slack.files import FileTrouble, FileUnreadable, read_file
from bot.slack.messages import storable
from memory.model import Json

log = logging.getLogger(__name__)

MOST_FILES = 4
FILE_TOKENS = 8_000  # of the text files of a message, together
FILE_BYTES = 8_000_000
# The limit of one message, whose files are held as base64 until its answer is complete.
ALL_BYTES = 12_000_000
_THUMBNAIL_BYTES = 2_000_000
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
# Slack's own pictures of an image, the largest first.
_THUMBNAILS = (
    "thumb_1024",
    "thumb_960",
    "thumb_800",
    "thumb_720",
    "thumb_480",
    "thumb_360",
)
_NO_ACCESS = ("access_denied", "check_file_info", "file_not_found")
_NOT_HERE = ("external", "hidden_by_limit", "tombstone")
_PDF = "application/pdf"
_TEXTS = ("text/", "application/json")
_TEXT_ENDING = re.compile(
    r"c|cpp|cs|css|csv|go|h|html|ini|java|js|json|jsx|kt|log|lua|md|php|pl|py|r|rb|rs|scala|sh|sql"
    r"|swift|tex|toml|tsv|tsx?|txt|xml|ya?ml"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class AttachedFile:
    """One file: its name, what the Responses API takes or its `text`, or why it is not shown.

    `is_cut`: the text is shortened.
    """

    name: str
    kind: str = ""
    content: Json | None = None
    text: str = ""
    is_cut: bool = False
    trouble: FileTrouble | None = None

    @property
    def is_shown(self) -> bool:
        """Whether the model is shown its content."""
        return bool(self.content or self.text)

    @property
    def description(self) -> dict[str, Any]:
        """The description that the model gets besides the content, with the text of a text file."""
        if self.trouble:
            return {"name": self.name, "not_shown": self.trouble.removeprefix("files_")}
        line = {"name": self.name, "type": self.kind}
        if self.text:
            line["text"] = self.text
        return line


@asynccontextmanager
async def reading_files(
    app: App, team_id: str, files: Sequence[Json]
) -> AsyncIterator[list[AttachedFile]]:
    """Yield files of a message, Slack's file objects, which are downloaded now, in order.

    Their bytes are taken from `app.file_bytes` until the end; a file for which too few are free is
    reported as not readable just now.
    """
    held: list[int] = []
    try:
        read = [
            await _read_attached(app, team_id, file, held)
            for file in files[:MOST_FILES]
        ]
        read += [_not_shown(file, "files_many") for file in files[MOST_FILES:]]
        if read:
            seen = sum(file.is_shown for file in read)
            log.info("a message brought %d file(s), %d of them shown", len(read), seen)
        texts = shorten_all([file.text for file in read], FILE_TOKENS)
        yield [
            replace(file, text=text, is_cut=text != file.text)
            for file, text in zip(read, texts, strict=True)
        ]
    finally:
        app.file_bytes.give_back(sum(held))


async def _read_attached(
    app: App, team_id: str, file: Json, held: list[int]
) -> AttachedFile:
    """Return a file of a message as the model is shown it; add the bytes taken for it to `held`."""
    name = file_name(file)
    try:
        # Slack sends only the id of a file from another organization.
        is_refused = file.get("file_access") in _NO_ACCESS
        is_elsewhere = file.get("mode") in _NOT_HERE or file.get("is_external")
        if is_refused or is_elsewhere:
            return _not_shown(file, "files_gone")
        url, most = _download(file, ALL_BYTES - sum(held))
        if not app.file_bytes.take(most):
            return _not_shown(file, "files_not_now")
        held.append(most)
        content = await read_file(app.slack, team_id, url, most=most)
        return _as_shown(name, content)
    except FileUnreadable as unreadable:
        return _not_shown(file, unreadable.trouble)


def _not_shown(file: Json, trouble: FileTrouble) -> AttachedFile:
    return AttachedFile(name=file_name(file), trouble=trouble)


def _download(file: Json, left: int) -> tuple[str, int]:
    """Return what to download of a file: its address and the most bytes.

    It is the file itself, or a thumbnail of an image that is too large or of another type than the
    API takes. Raises `FileUnreadable` if it is of no kind that a model reads, or larger than
    `FILE_BYTES` or the bytes that are `left`.
    """
    size = file.get("size")
    if not isinstance(size, int):
        size = 0
    most = min(FILE_BYTES, left)
    url = str(file.get("url_private_download") or file.get("url_private") or "")
    mimetype = str(file.get("mimetype") or "")
    thumbnails = [str(file[one]) for one in _THUMBNAILS if file.get(one)]
    is_shown = mimetype in _IMAGES and size <= most
    if mimetype.startswith("image/") and thumbnails and not is_shown:
        url = thumbnails[0]
        size = _THUMBNAIL_BYTES
    elif not (_is_text(file, mimetype) or mimetype in ("", _PDF, *_IMAGES)):
        raise FileUnreadable("files_kind")
    if size > most:
        raise FileUnreadable("files_large")
    if not url:
        # Slack can send a message before it has stored the files.
        raise FileUnreadable("files_not_now")
    return url, size or most


def _is_text(file: Json, mimetype: str) -> bool:
    """Return whether a file is said to be a text."""
    if file.get("mode") == "snippet" or mimetype.startswith(_TEXTS):
        return True
    ending = file_name(file).rpartition(".")[2].lower()
    return _TEXT_ENDING.fullmatch(ending) is not None


def _as_shown(name: str, content: bytes) -> AttachedFile:
    """Return a downloaded file as the model is shown it; its first bytes tell what it is.

    Raises `FileUnreadable`.
    Source: https://developers.openai.com/api/docs/guides/file-inputs
    """
    if content.startswith(b"%PDF-"):
        document = {
            "type": "input_file",
            # The API recognizes a PDF by its extension.
            "filename": name if name.lower().endswith(".pdf") else f"{name}.pdf",
            "file_data": _data_url(_PDF, content),
            # Its pages are shown as small pictures, too.
            "detail": "low",
        }
        return AttachedFile(name=name, kind=_PDF, content=document)
    for beginning, image in _BEGINNINGS.items():
        if content.startswith(beginning):
            shown = {
                "type": "input_image",
                "image_url": _data_url(image, content),
                "detail": "auto",
            }
            return AttachedFile(name=name, kind=image, content=shown)
    return AttachedFile(name=name, kind="text/plain", text=_decoded(content))


def _data_url(kind: str, content: bytes) -> str:
    return f"data:{kind};base64,{base64.b64encode(content).decode()}"


def _decoded(content: bytes) -> str:
    """Return the text of a file in UTF-8 or UTF-16; raises `FileUnreadable`."""
    encoding = "utf-8-sig"
    if content.startswith((b"\xff\xfe", b"\xfe\xff")):
        encoding = "utf-16"
    text = content.decode(encoding, "replace")
    if not text.strip():
        raise FileUnreadable("files_empty")
    if "\x00" in text or "\ufffd" in text:
        raise FileUnreadable("files_kind")
    return text


def file_name(file: Json) -> str:
    """Return the first characters of a file's name, in one line.

    It has no backticks or ``<``, because an answer shows it as code.
    """
    name = storable(str(file.get("name") or file.get("title") or ""))
    name = name.translate(_NOT_IN_CODE)
    return " ".join(name.split())[:_NAME_CHARACTERS].strip()


def trouble_lines(localizer: Localizer, files: Iterable[AttachedFile]) -> list[str]:
    """Return one sentence for each reason why files were not shown, with what to do about it."""
    lines: list[str] = []
    names: dict[FileTrouble, list[str]] = {}
    for file in files:
        if file.trouble:
            quoted = names.setdefault(file.trouble, [])
            if file.name:
                quoted.append(f"`{file.name}`")
    limits = {"megabytes": FILE_BYTES // 1_000_000, "most": MOST_FILES}
    for trouble, quoted in names.items():
        named = localizer.listed(quoted) or localizer.say("files_nameless")
        lines.append(localizer.say(trouble, names=named, **limits))
    return lines
