"""The stream that `kioku doctor --live` opens, and what it does with the streamed message."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Any

from slack_sdk.web.async_slack_response import AsyncSlackResponse

from bot.runtime.doctor.direct_message import DirectMessage, attempt
from bot.runtime.doctor.slack import Client
from bot.runtime.finding import Finding, fix
from bot.views.reply import footer, message_blocks, text_chunk

_IN_ONE_PIECE = "answers come in one piece"
_UPDATED = "Kioku's doctor has updated this."


def _task(status: str) -> dict[str, Any]:
    return {"type": "task_update", "id": "doctor", "title": "Examining streams", "status": status}


@dataclass(slots=True, kw_only=True)
class StreamTrial:
    """One stream under the message `root`; `replied` says whether the thread has a reply by it.

    A stream keeps the mode it begins in, so that each call sends `chunks` and no `markdown_text`: a
    task, then text, then text with the end.
    """

    client: Client
    dm: DirectMessage
    root: str
    metadata: dict[str, Any]
    replied: bool = False

    async def run(self) -> AsyncIterator[Finding]:
        """Stream a message, update it and read it back; leave out what needs a failed call."""
        finding, started = await attempt(
            "chat.startStream with a task",
            _IN_ONE_PIECE,
            lambda: self.client.chat_startStream(
                channel=self.dm.channel,
                thread_ts=self.root,
                recipient_team_id=self.dm.team_id,
                recipient_user_id=self.dm.user,
                task_display_mode="timeline",
                chunks=[_task("in_progress")],
            ),
        )
        yield finding
        if started is None:
            return
        self.replied = True
        ts = str(started["ts"])
        finding, _ = await attempt(
            "chat.appendStream with text after a task",
            _IN_ONE_PIECE,
            lambda: self.client.chat_appendStream(
                channel=self.dm.channel,
                ts=ts,
                chunks=[_task("complete"), text_chunk("Kioku's doctor streams, ")],
            ),
        )
        yield finding
        finding, stopped = await attempt(
            "chat.stopStream with a footer and metadata",
            "a finished answer has no footer",
            lambda: self.client.chat_stopStream(
                channel=self.dm.channel,
                ts=ts,
                chunks=[text_chunk("and stops.")],
                blocks=footer("en", stand_in=False),
                metadata=self.metadata,
            ),
        )
        yield finding
        if stopped is not None:
            async for finding in self._update_and_read(ts):
                yield finding

    async def _update_and_read(self, ts: str) -> AsyncIterator[Finding]:
        finding, _ = await attempt(
            "chat.update of what was streamed",
            "an answer that broke off cannot be made whole",
            lambda: self.client.chat_update(
                channel=self.dm.channel,
                ts=ts,
                text=_UPDATED,
                blocks=message_blocks(_UPDATED, footer("en", stand_in=False)),
                metadata=self.metadata,
            ),
        )
        yield finding
        what = "Reading metadata back"
        lost = "an answer may be posted twice after a lost connection"
        finding, read = await attempt(what, lost, lambda: thread(self.client, self.dm, self.root))
        if read is not None:
            found = [m for m in read["messages"] if m.get("ts") == ts]
            if [m.get("metadata") for m in found] != [self.metadata]:
                finding = fix(what, f"Slack returned it without its metadata: {lost}.")
        yield finding


async def thread(client: Client, dm: DirectMessage, root: str) -> AsyncSlackResponse:
    """Read the thread of `root` with its messages' metadata."""
    return await client.conversations_replies(
        channel=dm.channel, ts=root, include_all_metadata=True, limit=100
    )
