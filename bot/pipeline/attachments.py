"""Files of a message that the model is shown: read from Slack for one turn, and kept nowhere."""

from __future__ import annotations

import asyncio
import base64
import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal, TypeAlias

from bot.locale import Language, say
from bot.logs import fault
from bot.slack.client import (
    SLACK_FAULTS,
    TURN_PATIENCE_SECONDS,
    Installations,
    error_code,
    find_message,
    is_passing,
    retry_on_rate_limit,
)
from bot.slack.files import FileNotNow, FileScopeMissing, FileUnreadable, SlackFiles
from bot.slack.messages import Message, storable

log = logging.getLogger(__name__)

MOST_FILES = 4
FILE_BYTES = 8_000_000
# Of one message: all of it is held, as base64, until its answer is complete.
ALL_BYTES = 12_000_000
_AT_ONCE = 4
_NAME_CHARACTERS = 60
# Slack keeps these elsewhere, or not any more.
_ELSEWHERE = frozenset({"external"})
_GONE = frozenset({"tombstone", "hidden_by_limit"})
# What a file begins with says what it is; its name may say anything.
_BEGINNINGS: Mapping[bytes, str] = {
    b"\x89PNG\r\n\x1a\n": "image/png",
    b"\xff\xd8\xff": "image/jpeg",
    b"GIF87a": "image/gif",
    b"GIF89a": "image/gif",
    b"%PDF-": "application/pdf",
}
_READABLE = frozenset({*_BEGINNINGS.values(), "image/webp"})

Trouble: TypeAlias = Literal[
    "files_scope",
    "files_kind",
    "files_large",
    "files_many",
    "files_gone",
    "files_not_now",
    "files_elsewhere",
    "files_connect",
    "files_model",
]


_REASONS: Mapping[str, str] = {
    "files_not_now": "could not be read just now; it is not gone, and may be read in a minute"
}


class _Unseen(Exception):
    """A file is not shown to the model; `trouble` names the sentence that says why."""

    def __init__(self, trouble: Trouble) -> None:
        super().__init__(f"A file is not shown: {trouble}.")
        self.trouble: Trouble = trouble


@dataclass(frozen=True, slots=True, kw_only=True)
class AttachedFile:
    """One file: its name, and what the Responses API takes, or why it is not shown."""

    name: str
    kind: str = ""
    size: int = 0
    content: Mapping[str, Any] | None = None
    trouble: Trouble | None = None
    earlier: bool = False

    @property
    def line(self) -> dict[str, Any]:
        """The description that the model gets besides the content."""
        if self.trouble:
            reason = _REASONS.get(self.trouble, self.trouble.removeprefix("files_"))
            return {"name": self.name, "not_shown": reason}
        when = {"sent": "earlier"} if self.earlier else {}
        return {"name": self.name, "type": self.kind, "bytes": self.size, **when}


class Attachments:
    """Reads the files of messages, a few at a time.

    Asked of Slack when the turn runs: what has been deleted by then is not read.
    """

    def __init__(self, slack: Installations, files: SlackFiles) -> None:
        self._slack = slack
        self._files = files
        self._slots = asyncio.Semaphore(_AT_ONCE)

    async def read(self, message: Message, *, earlier: str | None = None) -> list[AttachedFile]:
        """Return the files of a message, in their order.

        If it brought none, and `earlier` is the ts of another message of its thread, the files of
        that one are returned, except those that cannot be shown.
        """
        if message.has_files:
            return await self._all(message, message.ts)
        if earlier is None:
            return []
        found = await self._all(message, earlier)
        return [replace(file, earlier=True) for file in found if file.content]

    async def _all(self, message: Message, ts: str) -> list[AttachedFile]:
        try:
            found = await self._of(message, ts)
        except _Unseen as unseen:
            return [AttachedFile(name="", trouble=unseen.trouble)]
        read: list[AttachedFile] = []
        left = ALL_BYTES
        async with self._slots:
            for number, file in enumerate(found):
                one = await self._read(message.team_id, file, left, beyond=number >= MOST_FILES)
                left -= one.size
                read.append(one)
        log.info(
            "a message brought %d file(s), %d of them shown",
            len(read),
            sum(one.content is not None for one in read),
        )
        return read

    async def _of(self, message: Message, ts: str) -> list[dict[str, Any]]:
        try:
            found = await find_message(
                self._slack.client(message.team_id),
                message.channel_id,
                message.thread_ts,
                ts,
                seconds=TURN_PATIENCE_SECONDS,
            )
        except SLACK_FAULTS as error:
            log.warning("a message's files were not found: %s", error_code(error) or fault(error))
            raise _Unseen("files_not_now" if is_passing(error) else "files_gone") from error
        if found is None:
            raise _Unseen("files_gone")
        return list(found.get("files") or [])

    async def _read(
        self, team_id: str, file: Mapping[str, Any], left: int, *, beyond: bool
    ) -> AttachedFile:
        if beyond:
            return AttachedFile(name=_name(file), trouble="files_many")
        try:
            return await self._shown(team_id, await self._whole(team_id, file), left)
        except _Unseen as unseen:
            return AttachedFile(name=_name(file), trouble=unseen.trouble)

    async def _whole(self, team_id: str, file: Mapping[str, Any]) -> Mapping[str, Any]:
        """Return what is known of a file; from another organization Slack sends its id alone.

        Source: https://docs.slack.dev/apis/slack-connect/#files
        """
        if file.get("file_access") != "check_file_info":
            return file
        try:
            answer = await retry_on_rate_limit(
                lambda: self._slack.client(team_id).files_info(file=str(file.get("id"))),
                seconds=TURN_PATIENCE_SECONDS,
            )
        except SLACK_FAULTS as error:
            log.warning("a shared file was not found: %s", error_code(error) or fault(error))
            if is_passing(error):
                raise _Unseen("files_not_now") from error
            missing = error_code(error) == "missing_scope"
            raise _Unseen("files_scope" if missing else "files_connect") from error
        return dict(answer.get("file") or {})

    async def _shown(self, team_id: str, file: Mapping[str, Any], left: int) -> AttachedFile:
        if file.get("file_access") == "access_denied":
            raise _Unseen("files_connect")
        if file.get("mode") in _GONE or file.get("file_access") == "file_not_found":
            raise _Unseen("files_gone")
        if file.get("is_external") or file.get("mode") in _ELSEWHERE:
            raise _Unseen("files_elsewhere")
        if file.get("mimetype") not in _READABLE:
            raise _Unseen("files_kind")
        most = min(FILE_BYTES, left)
        if int(file.get("size") or 0) > most:
            raise _Unseen("files_large")
        url = str(file.get("url_private_download") or file.get("url_private") or "")
        try:
            content = await self._files.read(team_id, url, most=most)
        except FileScopeMissing:
            raise _Unseen("files_scope") from None
        except FileNotNow:
            raise _Unseen("files_not_now") from None
        except FileUnreadable:
            raise _Unseen("files_gone") from None
        kind = kind_of(content)
        if kind is None:
            raise _Unseen("files_kind")
        name = _name(file)
        return AttachedFile(
            name=name, kind=kind, size=len(content), content=_as_input(name, kind, content)
        )


def kind_of(content: bytes) -> str | None:
    """Return the media type of what the model can be shown, by its first bytes; else None."""
    if content[:4] == b"RIFF" and content[8:12] == b"WEBP":
        return "image/webp"
    return next((k for begins, k in _BEGINNINGS.items() if content.startswith(begins)), None)


def _as_input(name: str, kind: str, content: bytes) -> dict[str, Any]:
    data = f"data:{kind};base64,{base64.b64encode(content).decode()}"
    if kind == "application/pdf":
        # The API tells a PDF by the end of its name.
        named = name if name.lower().endswith(".pdf") else f"{name}.pdf"
        return {"type": "input_file", "filename": named, "file_data": data}
    return {"type": "input_image", "image_url": data, "detail": "auto"}


def _name(file: Mapping[str, Any]) -> str:
    name = " ".join(storable(str(file.get("name") or file.get("title") or "")).split())
    return name[:_NAME_CHARACTERS]


def unseen_lines(language: Language, files: Sequence[AttachedFile]) -> list[str]:
    """Return one sentence for each reason why files were not shown, with what to do about it."""
    troubles = dict.fromkeys(file.trouble for file in files if file.trouble)
    return [
        _sentence(language, trouble, [file.name for file in files if file.trouble == trouble])
        for trouble in troubles
    ]


def _sentence(language: Language, trouble: Trouble, names: Sequence[str]) -> str:
    quoted = [f"`{bare}`" for name in names if (bare := name.replace("`", "").strip())]
    limits = {
        "files_large": {"megabytes": FILE_BYTES // 1_000_000},
        "files_many": {"most": MOST_FILES},
    }
    return say(
        language,
        trouble,
        names=say(language, "listed").join(quoted) or say(language, "files_nameless"),
        **limits.get(trouble, {}),
    )
