"""What a message brings besides typed words: forwarded messages, tables and files.

It is shown to the model for one turn, kept nowhere, and never forms a memory.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from typing import Any

from bot.logs import fault
from bot.pipeline.file_contents import (
    ALL_BYTES,
    MOST_FILES,
    AttachedFile,
    Trouble,
    Unseen,
    Wanted,
    file_name,
    planned,
    shown_file,
)
from bot.slack.attached import FORWARDED_CHARACTERS, attached_to
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
from bot.slack.messages import Message, excerpt

log = logging.getLogger(__name__)

PROCESS_BYTES = 40_000_000
"""Bytes of the files of all messages that one process answers at a time."""


@dataclass(frozen=True, slots=True)
class Brought:
    """What came with a message: files, and ``{from, channel, text}`` of what was forwarded."""

    files: Sequence[AttachedFile] = ()
    forwarded: Sequence[Mapping[str, str]] = ()

    @property
    def asks(self) -> bool:
        """Whether it is a question without any word of the person's."""
        now = [one for one in self.forwarded if "sent" not in one]
        return bool(now) or any(one.shown and not one.earlier for one in self.files)


class _ByteBudget:
    """A semaphore of bytes: `take` waits until as many are free."""

    def __init__(self, size: int) -> None:
        self._free = size
        self._freed = asyncio.Event()

    async def take(self, size: int, *, seconds: float) -> None:
        """Take `size` bytes; raises `TimeoutError` after so many seconds."""
        async with asyncio.timeout(seconds):
            while size > self._free:
                self._freed.clear()
                await self._freed.wait()
        self._free -= size

    def give_back(self, size: int) -> None:
        """Free bytes that were taken."""
        self._free += size
        self._freed.set()


class Attachments:
    """Reads what messages bring, from the event itself; files are downloaded when the turn runs.

    A file waits for `wait_seconds` while those of other messages take up `process_bytes`, and is
    then said to be unreadable just now.
    """

    def __init__(
        self,
        slack: Installations,
        files: SlackFiles,
        *,
        process_bytes: int = PROCESS_BYTES,
        wait_seconds: float = TURN_PATIENCE_SECONDS,
    ) -> None:
        self._slack = slack
        self._files = files
        self._budget, self._wait_seconds = _ByteBudget(process_bytes), wait_seconds

    @asynccontextmanager
    async def read(self, message: Message, *, earlier: str | None = None) -> AsyncIterator[Brought]:
        """Yield what a message brought, files in their order; their bytes count until the end.

        If it brought nothing, and `earlier` is the ts of another message of its thread, what that
        one brought is read from Slack, except files that cannot be shown.
        """
        if not message.brings and earlier is None:
            yield Brought()
            return
        bot_user_id = await self._slack.bot_user_id(message.team_id)
        forwarded, found = message.forwarded, message.files
        if earlier is not None and not message.brings:
            forwarded, found = await self._earlier(message, earlier)
            forwarded = [{"sent": "earlier", **one} for one in forwarded]
        lines = await asyncio.to_thread(_readable, forwarded, bot_user_id) if forwarded else []
        plans = await self._plans(message.team_id, found)
        size = sum(one.most for one in plans if isinstance(one, Wanted))
        try:
            await self._budget.take(size, seconds=self._wait_seconds)
        except TimeoutError:
            log.warning("files were not read: those of other messages take up the memory for them")
            plans, size = [_not_now(one) for one in plans], 0
        try:
            files = [await self._downloaded(message.team_id, one) for one in plans]
            if not message.brings:
                files = [replace(file, earlier=True) for file in files if file.shown]
            if files:
                seen = sum(file.shown for file in files)
                log.info("a message brought %d file(s), %d of them shown", len(files), seen)
            yield Brought(files, lines)
        finally:
            self._budget.give_back(size)

    async def _earlier(
        self, message: Message, ts: str
    ) -> tuple[Sequence[Mapping[str, str]], Sequence[Mapping[str, Any]]]:
        try:
            found = await find_message(
                self._slack.client(message.team_id),
                message.channel_id,
                message.thread_ts,
                ts,
                seconds=TURN_PATIENCE_SECONDS,
            )
        except SLACK_FAULTS as error:
            log.warning("an earlier message was not read: %s", error_code(error) or fault(error))
            return (), ()
        return attached_to(found or {})

    async def _plans(
        self, team_id: str, files: Sequence[Mapping[str, Any]]
    ) -> list[AttachedFile | Wanted]:
        plans: list[AttachedFile | Wanted] = []
        left = ALL_BYTES
        for number, file in enumerate(files):
            name = file_name(file)
            if number >= MOST_FILES:
                plans.append(AttachedFile(name=name, trouble="files_many"))
                continue
            try:
                one: AttachedFile | Wanted = planned(await self._whole(team_id, file), left)
            except Unseen as unseen:
                one = AttachedFile(name=name, trouble=unseen.trouble)
            left -= one.most if isinstance(one, Wanted) else 0
            plans.append(one)
        return plans

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
                raise Unseen("files_not_now") from error
            missing = error_code(error) == "missing_scope"
            raise Unseen("files_scope" if missing else "files_connect") from error
        _, [whole] = attached_to({"files": [answer.get("file") or {}]})
        return whole

    async def _downloaded(self, team_id: str, wanted: AttachedFile | Wanted) -> AttachedFile:
        if isinstance(wanted, AttachedFile):
            return wanted
        try:
            return shown_file(wanted, await self._files.read(team_id, wanted.url, most=wanted.most))
        except FileScopeMissing:
            trouble: Trouble = "files_scope"
        except FileNotNow:
            trouble = "files_not_now"
        except FileUnreadable:
            trouble = "files_gone"
        except Unseen as unseen:
            trouble = unseen.trouble
        return AttachedFile(name=wanted.name, trouble=trouble)


def _readable(forwarded: Sequence[Mapping[str, str]], bot_user_id: str) -> list[dict[str, str]]:
    """Return what was forwarded without credentials, `FORWARDED_CHARACTERS` of all at the most."""
    lines: list[dict[str, str]] = []
    left = FORWARDED_CHARACTERS
    for one in forwarded:
        lines.append({**one, "text": excerpt(one["text"], bot_user_id, left)})
        left -= len(lines[-1]["text"])
    return lines


def _not_now(one: AttachedFile | Wanted) -> AttachedFile:
    if isinstance(one, AttachedFile):
        return one
    return AttachedFile(name=one.name, trouble="files_not_now")
