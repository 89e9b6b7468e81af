"""`kioku doctor --live`: trying in a person's own direct message what documentation leaves open."""

from __future__ import annotations

import asyncio
import uuid
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any, TextIO

from slack_sdk.errors import SlackApiError
from slack_sdk.web.async_slack_response import AsyncSlackResponse

from bot.config import Settings
from bot.doctor.finding import Finding, fix, ok
from bot.doctor.room import NoRoom, Room, Trial, find_room
from bot.doctor.slack import Client, unreachable
from bot.logs import fault
from bot.slack import SLACK_FAULTS, error_code, patiently
from bot.surfaces.reply import footer, message_blocks

Ask = Callable[[str], Awaitable[bool]]

EVENT_TYPE = "kioku_doctor"
_PART = "Live"
_FIRST = "Kioku's doctor is trying what it needs here; this message goes in a moment."
_TITLE = "Kioku's doctor"
_STREAMED = ("Kioku's doctor ", "streams, ", "and stops.")
_UPDATED = "Kioku's doctor has updated this."
_EPHEMERAL = "Kioku's doctor: only you see this. It goes when you reload Slack."


def ask_on_terminal(terminal: TextIO) -> Ask:
    """Return a question that is answered on `terminal`; where there is none, with no."""

    async def ask(question: str) -> bool:
        if not terminal.isatty():
            return False
        answer = await asyncio.to_thread(input, f"{question} [y/N] ")
        return answer.strip().lower() in ("y", "yes")

    return ask


async def try_live(settings: Settings, trial: Trial, ask: Ask) -> AsyncIterator[Finding]:
    """Try the riskiest of what the playground assumes, say how it went, delete what was posted."""
    try:
        client, room = await find_room(settings, trial)
    except NoRoom as problem:
        yield fix(_PART, str(problem))
        return
    except SLACK_FAULTS as error:
        code = error_code(error)
        said = f"Slack says {code}: run `kioku doctor` first." if code else unreachable(settings)
        yield fix(_PART, said)
        return
    if not trial.agreed and not await ask(
        f"Kioku will write a few messages into its direct message with {room.user}"
        f" ({room.channel}, workspace {room.team}) and delete them. Go on?"
    ):
        yield fix(_PART, "not agreed to, so nothing was tried: answer y, or give --yes.")
        return
    attempt = _Attempt(client, room)
    try:
        async for finding in attempt.run():
            yield finding
    finally:
        # Also when it is broken off: nothing is to stay.
        cleaned = await asyncio.shield(attempt.clean_up())
    yield cleaned


@dataclass(slots=True)
class _Attempt:
    """One run: what was posted, and how to take it away again."""

    client: Client
    room: Room
    run_id: str = field(default_factory=lambda: str(uuid.uuid4()))
    root: str = ""
    status_shown: bool = False

    @property
    def _metadata(self) -> dict[str, Any]:
        return {"event_type": EVENT_TYPE, "event_payload": {"run": self.run_id}}

    async def run(self) -> AsyncIterator[Finding]:
        """Try one thing after the other; what needs something that failed is left out."""
        room, client = self.room, self.client
        finding, posted = await _attempt(
            "chat.postMessage",
            "Kioku cannot answer at all",
            lambda: client.chat_postMessage(
                channel=room.channel, text=_FIRST, metadata=self._metadata
            ),
        )
        yield finding
        if posted is None:
            return
        self.root = str(posted["ts"])
        finding, shown = await _attempt(
            "assistant.threads.setStatus",
            "no status line is shown while the model thinks",
            lambda: client.assistant_threads_setStatus(
                channel_id=room.channel, thread_ts=self.root, status="is being examined…"
            ),
        )
        self.status_shown = shown is not None
        yield finding
        finding, _ = await _attempt(
            "agents.sessions.setStatus",
            "threads in the Messages tab have no title",
            lambda: client.agents_sessions_setStatus(
                channel_id=room.channel,
                thread_ts=self.root,
                status="active",
                title=_TITLE,
                initiator_user_id=room.user,
            ),
        )
        yield finding
        stream = ""
        async for finding, ts in self._stream():
            yield finding
            stream = ts
        if stream:
            async for finding in self._update_and_read(stream):
                yield finding
        finding, _ = await _attempt(
            "chat.postEphemeral in a thread",
            "a list asked for in a channel cannot be shown to the asker alone",
            lambda: client.chat_postEphemeral(
                channel=room.channel, user=room.user, thread_ts=self.root, text=_EPHEMERAL
            ),
        )
        yield finding

    async def _stream(self) -> AsyncIterator[tuple[Finding, str]]:
        """Yield each finding with the stream's ts, which is "" unless it came to a good end."""
        room, client = self.room, self.client
        plain = "answers come in one piece"
        finding, started = await _attempt(
            "chat.startStream",
            plain,
            lambda: client.chat_startStream(
                channel=room.channel,
                thread_ts=self.root,
                recipient_team_id=room.team_id,
                recipient_user_id=room.user,
                markdown_text=_STREAMED[0],
            ),
        )
        yield finding, ""
        if started is None:
            return
        ts = str(started["ts"])
        finding, _ = await _attempt(
            "chat.appendStream",
            plain,
            lambda: client.chat_appendStream(
                channel=room.channel, ts=ts, markdown_text=_STREAMED[1]
            ),
        )
        yield finding, ""
        finding, stopped = await _attempt(
            "chat.stopStream with a footer and metadata",
            "a finished answer has no footer",
            lambda: client.chat_stopStream(
                channel=room.channel,
                ts=ts,
                markdown_text=_STREAMED[2],
                blocks=footer("en", stand_in=False),
                metadata=self._metadata,
            ),
        )
        yield finding, "" if stopped is None else ts

    async def _update_and_read(self, ts: str) -> AsyncIterator[Finding]:
        room, client = self.room, self.client
        finding, _ = await _attempt(
            "chat.update of what was streamed",
            "an answer that broke off cannot be made whole",
            lambda: client.chat_update(
                channel=room.channel,
                ts=ts,
                text=_UPDATED,
                blocks=message_blocks(_UPDATED, footer("en", stand_in=False)),
                metadata=self._metadata,
            ),
        )
        yield finding
        what, lost = (
            "Reading metadata back",
            "an answer may be posted twice after a lost connection",
        )
        finding, read = await _attempt(what, lost, self._thread)
        if read is not None:
            found = [m for m in read["messages"] if m.get("ts") == ts]
            if [m.get("metadata") for m in found] != [self._metadata]:
                finding = fix(what, f"Slack returned it without its metadata: {lost}.")
        yield finding

    async def _thread(self) -> AsyncSlackResponse:
        return await self.client.conversations_replies(
            channel=self.room.channel, ts=self.root, include_all_metadata=True, limit=100
        )

    async def clean_up(self) -> Finding:
        """Delete every message of this run, also one whose posting was never confirmed."""
        part = "Cleaning up"
        try:
            left = await self._posted()
            if self.status_shown:
                await patiently(
                    lambda: self.client.assistant_threads_setStatus(
                        channel_id=self.room.channel, thread_ts=self.root, status=""
                    )
                )
            for ts in left:
                await self._delete(ts)
        except SLACK_FAULTS as error:
            return fix(
                part,
                f"failed ({error_code(error) or fault(error)}): delete Kioku's newest messages in"
                f" {self.room.channel} by hand (More actions, Delete message).",
            )
        return ok(part, f"{len(left)} messages deleted; the ephemeral one goes with a reload.")

    async def _posted(self) -> list[str]:
        """Return the messages of this run, replies first."""
        if not self.root:
            answer = await patiently(
                lambda: self.client.conversations_history(
                    channel=self.room.channel, limit=20, include_all_metadata=True
                )
            )
            roots = [m["ts"] for m in answer["messages"] if m.get("metadata") == self._metadata]
            if not roots:
                return []
            self.root = str(roots[0])
        answer = await patiently(self._thread)
        own = [m["ts"] for m in answer["messages"] if m.get("user") == self.room.bot_user]
        return sorted(own, reverse=True)

    async def _delete(self, ts: str) -> None:
        for last in (False, True):
            try:
                await patiently(lambda: self.client.chat_delete(channel=self.room.channel, ts=ts))
            except SlackApiError as error:
                if error_code(error) == "message_not_found":
                    return
                if last or error_code(error) != "streaming_state_conflict":
                    raise
                await patiently(
                    lambda: self.client.chat_stopStream(channel=self.room.channel, ts=ts)
                )
            else:
                return


async def _attempt(
    what: str, otherwise: str, call: Callable[[], Awaitable[AsyncSlackResponse]]
) -> tuple[Finding, AsyncSlackResponse | None]:
    """Make one call; say that it worked, or what follows from its failing."""
    try:
        answer = await patiently(call)
    except SLACK_FAULTS as error:
        said = error_code(error) or fault(error)
        return fix(what, f"did not work ({said}): {otherwise}."), None
    return ok(what, "worked."), answer
