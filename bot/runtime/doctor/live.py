"""`kioku doctor --live`: tries in a person's own direct message what documentation leaves open."""

from __future__ import annotations

import asyncio
import sys
import uuid
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from typing import Any, Literal

from slack_sdk.errors import SlackApiError
from slack_sdk.web.async_client import AsyncWebClient
from slack_sdk.web.async_slack_response import AsyncSlackResponse

from bot.config import Settings
from bot.logs import fault
from bot.runtime.doctor.direct_message import (
    DirectMessage,
    NoDirectMessage,
    Trial,
    attempt,
    find_direct_message,
)
from bot.runtime.doctor.slack import unreachable
from bot.runtime.finding import Finding, fix, ok
from bot.slack.client import SLACK_FAULTS, delete_message, error_code, retry_on_rate_limit
from bot.views.reply import footer, text_chunk

EVENT_TYPE = "kioku_doctor"
_PART = "Live"
_FIRST = "`kioku doctor` is running a test; this message will be deleted shortly."
_TITLE = "Kioku's doctor"
_UNDER = "Kioku's doctor: only you see this, below a message without replies."
_IN_THREAD = "Kioku's doctor: only you see this, in a thread."
_LOOK = "Slack took it; look in the {where} for “{text}”."
_IN_ONE_PIECE = "answers come in one piece"
_UPDATED = "Kioku's doctor has updated this."


async def try_live(settings: Settings, trial: Trial) -> AsyncIterator[Finding]:
    """Try the riskiest of what the playground assumes, say how it went, delete what was posted."""
    try:
        client, dm = await find_direct_message(settings, trial)
    except NoDirectMessage as problem:
        yield fix(_PART, str(problem))
        return
    except SLACK_FAULTS as error:
        code = error_code(error)
        said = f"Slack says {code}: run `kioku doctor` first." if code else unreachable(settings)
        yield fix(_PART, said)
        return
    if not trial.agreed and not await _agreed(
        f"Kioku will write a few messages into its direct message with {dm.user}"
        f" ({dm.channel}, workspace {dm.team}) and delete them. Go on?"
    ):
        yield fix(_PART, "not agreed to, so nothing was tried: answer y, or give --yes.")
        return
    running = _Attempt(client, dm)
    try:
        async for finding in running.run():
            yield finding
    finally:
        # Also when it is broken off: nothing is to stay.
        cleaned = await asyncio.shield(running.clean_up())
    yield cleaned


async def _agreed(question: str) -> bool:
    if not sys.stdin.isatty():
        return False
    answer = await asyncio.to_thread(input, f"{question} [y/N] ")
    return answer.strip().lower() in ("y", "yes")


@dataclass(slots=True)
class _Attempt:
    """One run: what was posted, and how to take it away again."""

    client: AsyncWebClient
    dm: DirectMessage
    run_id: str = field(default_factory=lambda: str(uuid.uuid4()))
    root: str = ""
    status_shown: bool = False
    processing: bool = False
    replied: bool = False

    @property
    def _metadata(self) -> dict[str, Any]:
        return {"event_type": EVENT_TYPE, "event_payload": {"run": self.run_id}}

    async def run(self) -> AsyncIterator[Finding]:
        """Try one thing after the other; what needs something that failed is left out."""
        dm, client = self.dm, self.client
        finding, _ = await attempt(
            "users.info",
            "language and time zone of a person are not known",
            lambda: client.users_info(user=dm.user),
        )
        yield finding
        finding, posted = await attempt(
            "chat.postMessage",
            "Kioku cannot answer at all",
            lambda: client.chat_postMessage(
                channel=dm.channel, text=_FIRST, metadata=self._metadata
            ),
        )
        yield finding
        if posted is None:
            return
        self.root = str(posted["ts"])
        # In a thread it is shown only if the thread has a reply, and there is none yet.
        yield await self._ephemeral("below a message without replies", _UNDER, None)
        yield await self._session("processing", "there may be no Stop button")
        finding, shown = await attempt(
            "assistant.threads.setStatus",
            "no status line is shown while the model thinks",
            lambda: client.assistant_threads_setStatus(
                channel_id=dm.channel, thread_ts=self.root, status="is being examined…"
            ),
        )
        self.status_shown = shown is not None
        yield finding
        async for finding in self._stream():
            yield finding
        yield await self._session("active", "a finished answer goes on showing as being written")
        if self.replied:
            yield await self._ephemeral("in a thread with a reply", _IN_THREAD, self.root)

    async def _stream(self) -> AsyncIterator[Finding]:
        """Stream a message, update it and read it back; leave out what needs a failed call.

        A stream keeps the mode it begins in, so that each call sends `chunks` and no
        `markdown_text`: a task, then text, then text with the end.
        """
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
                metadata=self._metadata,
            ),
        )
        yield finding
        if stopped is not None:
            async for finding in self._update_and_read(ts):
                yield finding

    async def _update_and_read(self, ts: str) -> AsyncIterator[Finding]:
        finding, _ = await attempt(
            "chat.update of what was posted",
            "a notice cannot show that its change was undone",
            lambda: self.client.chat_update(
                channel=self.dm.channel, ts=self.root, text=_UPDATED, metadata=self._metadata
            ),
        )
        yield finding
        what = "Reading metadata back"
        lost = "an answer may be posted twice after a lost connection"
        finding, read = await attempt(what, lost, self._thread)
        if read is not None:
            found = [m for m in read["messages"] if m.get("ts") == ts]
            if [m.get("metadata") for m in found] != [self._metadata]:
                finding = fix(what, f"Slack returned it without its metadata: {lost}.")
        yield finding

    async def _thread(self) -> AsyncSlackResponse:
        """Read the thread of the first message with its messages' metadata."""
        return await self.client.conversations_replies(
            channel=self.dm.channel, ts=self.root, include_all_metadata=True, limit=100
        )

    async def _session(self, status: Literal["processing", "active"], otherwise: str) -> Finding:
        finding, done = await attempt(
            f"agents.sessions.setStatus {status}",
            otherwise,
            lambda: self._set_session(status),
        )
        if done is not None:
            self.processing = status == "processing"
        return finding

    async def _set_session(self, status: str) -> AsyncSlackResponse:
        return await self.client.agents_sessions_setStatus(
            channel_id=self.dm.channel,
            thread_ts=self.root,
            status=status,
            title=_TITLE,
            initiator_user_id=self.dm.user,
        )

    async def _ephemeral(self, where: str, text: str, thread_ts: str | None) -> Finding:
        """Post to one person; Slack's answer does not say whether the message was shown."""
        finding, _ = await attempt(
            f"chat.postEphemeral {where}",
            "what is meant for the asker alone cannot be shown",
            lambda: self.client.chat_postEphemeral(
                channel=self.dm.channel, user=self.dm.user, text=text, thread_ts=thread_ts
            ),
            worked=_LOOK.format(where="thread" if thread_ts else "direct message", text=text),
        )
        return finding

    async def clean_up(self) -> Finding:
        """Delete every message of this run, also one whose posting was never confirmed."""
        part = "Cleaning up"
        try:
            left = await self._posted()
            if self.processing:
                await retry_on_rate_limit(lambda: self._set_session("active"))
            if self.status_shown:
                await retry_on_rate_limit(
                    lambda: self.client.assistant_threads_setStatus(
                        channel_id=self.dm.channel, thread_ts=self.root, status=""
                    )
                )
            for ts in left:
                await self._delete(ts)
        except SLACK_FAULTS as error:
            return fix(
                part,
                f"failed ({error_code(error) or fault(error)}): delete Kioku's newest messages in"
                f" {self.dm.channel} by hand (More actions, Delete message).",
            )
        return ok(part, f"{len(left)} messages deleted; reload Slack to remove the ephemeral ones.")

    async def _posted(self) -> list[str]:
        """Return the messages of this run, replies first."""
        if not self.root:
            answer = await retry_on_rate_limit(
                lambda: self.client.conversations_history(
                    channel=self.dm.channel, limit=20, include_all_metadata=True
                )
            )
            roots = [m["ts"] for m in answer["messages"] if m.get("metadata") == self._metadata]
            if not roots:
                return []
            self.root = str(roots[0])
        answer = await retry_on_rate_limit(self._thread)
        own = [m["ts"] for m in answer["messages"] if m.get("user") == self.dm.bot_user]
        return sorted(own, reverse=True)

    async def _delete(self, ts: str) -> None:
        try:
            await delete_message(self.client, self.dm.channel, ts)
        except SlackApiError as error:
            if error_code(error) != "message_not_found":
                raise


def _task(status: str) -> dict[str, Any]:
    return {"type": "task_update", "id": "doctor", "title": "Examining streams", "status": status}
