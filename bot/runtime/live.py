"""`kioku doctor --live`: tries in a real workspace what Slack's documentation leaves open.

Each trial posts, reads back what Slack made of it, and gives one row for the table *What was seen*
of docs/reality.md. What was posted is deleted at the end.
"""

from __future__ import annotations

import asyncio
import json
import sys
from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import partial
from typing import Any

from slack_sdk.errors import SlackApiError
from slack_sdk.web.async_client import AsyncWebClient

from bot import VERSION
from bot.config import Settings
from bot.logs import fault
from bot.runtime.output import tell
from bot.runtime.problem import BOT_TOKEN, Problem, slack_problem
from bot.slack.client import (
    SLACK_FAULTS,
    create_client,
    delete_message,
    direct_message,
    error_code,
    retry_on_rate_limit,
)
from bot.views.reply import footer, text_chunk

_FIRST = "`kioku doctor --live` is running; this message will be deleted shortly."
_OLD, _NEW = "Kioku's doctor wrote this first.", "Kioku's doctor changed it."
_UNFURLED_SECONDS, _POLL_SECONDS = 3.0, 0.5


class NotSeen(Exception):
    """Slack took the calls, but what came of them is not what Kioku relies on."""


async def try_live(
    settings: Settings, *, user: str | None, channel: str | None, agreed: bool
) -> int:
    """Try all of it in the direct message with `user`, and in `channel`; return the exit code.

    Raises `Problem` where nothing can be tried.
    """
    if settings.slack_bot_token is None:
        raise Problem("SLACK_BOT_TOKEN is not set: run `kioku setup` first.")
    if user is None:
        raise Problem("Say who you are: --user U… (in Slack: your profile, ⋮, Copy member ID).")
    client = create_client(settings.slack_bot_token.get_secret_value(), settings.slack_api_url)
    try:
        me = await retry_on_rate_limit(client.auth_test)
        dm = await direct_message(client, user)
    except SLACK_FAULTS as error:
        raise slack_problem(settings.slack_api_url, BOT_TOKEN, error) from None
    if dm is None:
        raise Problem(f"{user} has no direct message with Kioku yet: write to it once in Slack.")
    where = f"the direct message with {user}" + (f" and {channel}" if channel else "")
    if not (agreed or await _agreed(f"Kioku writes into {where} of {me['team']} and deletes it.")):
        raise Problem("Nothing was tried: answer y, or give --yes.")
    live = _Live(client, team=me["team_id"], user=user, dm=dm["id"], channel=channel)
    seen_at = f"{datetime.now(UTC):%Y-%m-%d}, {me['team_id']}, Kioku {VERSION}"
    failed = 0
    tell("| Behaviour | Seen | When and where |\n|---|---|---|")
    try:
        for what, trial in live.trials():
            try:
                seen = await trial()
            except (*SLACK_FAULTS, NotSeen, KeyError) as error:
                failed += 1
                refused = error_code(error)
                seen = (
                    f"**no**: {refused or (error if isinstance(error, NotSeen) else fault(error))}"
                )
            tell(f"| {what} | {seen} | {seen_at} |")
    finally:
        left = await asyncio.shield(live.clean_up())
    tell("\nThese rows belong into docs/reality.md, below “What was seen”: please send them.")
    if left:
        raise Problem(f"Kioku's messages {', '.join(left)} are not deleted: delete them by hand.")
    return 1 if failed else 0


async def _agreed(what: str) -> bool:
    if not sys.stdin.isatty():
        return False
    answer = await asyncio.to_thread(input, f"{what} Go on? [y/N] ")
    return answer.strip().lower() in ("y", "yes")


@dataclass(slots=True)
class _Live:
    """One run: where it writes, and what it posted."""

    client: AsyncWebClient
    team: str
    user: str
    dm: str
    channel: str | None
    root: str = ""
    posted: list[tuple[str, str]] = field(default_factory=list)

    def trials(self) -> list[tuple[str, Callable[[], Awaitable[str]]]]:
        """Return each trial with the behaviour that it tries, in order."""
        found: list[tuple[str, Callable[[], Awaitable[str]]]] = [
            ("A direct message takes a message with metadata", self._first),
            ("A session is `processing`, with a status line, then `active`", self._session),
            ("A stream in a direct message is appended to and stopped", self._stream_in_dm),
            ("`chat.update` of a notice replaces its text and its blocks", self._notice),
            ("A forwarded message is in `attachments`", self._forwarded),
        ]
        if self.channel is not None:
            in_channel = ("A stream in a channel's thread has a recipient", self._stream_in_channel)
            found.append(in_channel)
        return found

    async def _post(self, channel: str, text: str, **more: Any) -> str:
        post = partial(self.client.chat_postMessage, channel=channel, text=text, **more)
        answer = await retry_on_rate_limit(post)
        self.posted.append((channel, answer["ts"]))
        return str(answer["ts"])

    async def _read(self, channel: str, root: str, ts: str) -> dict[str, Any]:
        """Return a message as Slack has it now. Raises `NotSeen`."""
        read = partial(self.client.conversations_replies, channel=channel, ts=root, limit=100)
        answer = await retry_on_rate_limit(lambda: read(include_all_metadata=True))
        found = [dict(one) for one in answer["messages"] if one.get("ts") == ts]
        if not found:
            raise NotSeen("the message is not in its thread")
        return found[0]

    async def _first(self) -> str:
        metadata = {"event_type": "kioku_doctor", "event_payload": {"live": True}}
        self.root = await self._post(self.dm, _FIRST, metadata=metadata)
        message = await self._read(self.dm, self.root, self.root)
        if message.get("metadata") != metadata:
            raise NotSeen("the metadata did not come back")
        return "yes; the metadata came back"

    async def _session(self) -> str:
        where = {"channel_id": self.dm, "thread_ts": self.root}
        for status in ("processing", "active"):
            if status == "active":
                for shown in ("is being examined…", ""):
                    await self.client.assistant_threads_setStatus(**where, status=shown)
            await self.client.agents_sessions_setStatus(
                **where, status=status, initiator_user_id=self.user
            )
        return "yes"

    async def _stream(self, channel: str, root: str) -> str:
        """Stream a task and text in chunks, stop with a footer, and read it back."""
        task = {"type": "task_update", "id": "doctor", "title": "Streaming"}
        where = {"thread_ts": root, "recipient_team_id": self.team, "recipient_user_id": self.user}
        begun = [{**task, "status": "in_progress"}]
        started = await self.client.chat_startStream(
            channel=channel, **where, task_display_mode="timeline", chunks=begun
        )
        ts = str(started["ts"])
        self.posted.append((channel, ts))
        chunks = [{**task, "status": "complete"}, text_chunk("Kioku's doctor streams, ")]
        await self.client.chat_appendStream(channel=channel, ts=ts, chunks=chunks)
        end, blocks = [text_chunk("and stops.")], footer("en", stand_in=False)
        await self.client.chat_stopStream(channel=channel, ts=ts, chunks=end, blocks=blocks)
        message = await self._read(channel, root, ts)
        if "and stops." not in json.dumps(message):
            raise NotSeen("the streamed text is not in the message")
        return f"yes; read back with {', '.join(sorted(message))}"

    async def _stream_in_dm(self) -> str:
        return await self._stream(self.dm, self.root)

    async def _stream_in_channel(self) -> str:
        channel = str(self.channel)
        return await self._stream(channel, await self._post(channel, _FIRST))

    async def _notice(self) -> str:
        ts = await self._post(self.dm, _OLD, thread_ts=self.root, blocks=_blocks(_OLD))
        await self.client.chat_update(channel=self.dm, ts=ts, text=_NEW, blocks=_blocks(_NEW))
        kept = json.dumps(await self._read(self.dm, self.root, ts))
        if _OLD in kept or _NEW not in kept:
            raise NotSeen("the old text is still there")
        return "yes; the old text is gone"

    async def _forwarded(self) -> str:
        """Post a link to our own first message, which Slack unfolds as it does a forwarded one."""
        link = await self.client.chat_getPermalink(channel=self.dm, message_ts=self.root)
        ts = await self._post(
            self.dm, str(link["permalink"]), thread_ts=self.root, unfurl_links=True
        )
        for _ in range(round(_UNFURLED_SECONDS / _POLL_SECONDS)):
            message = await self._read(self.dm, self.root, ts)
            if attachments := message.get("attachments"):
                return f"yes, with {', '.join(sorted(attachments[0]))}"
            await asyncio.sleep(_POLL_SECONDS)
        return f"no attachment within {_UNFURLED_SECONDS:.0f} s of a link to it"

    async def clean_up(self) -> list[str]:
        """Delete what was posted, the newest first; return what could not be deleted."""
        left = []
        for channel, ts in reversed(self.posted):
            try:
                await delete_message(self.client, channel, ts)
            except SLACK_FAULTS as error:
                if error_code(error) != "message_not_found":
                    left.append(f"{channel}/{ts}")
        if self.root:
            with suppress(SlackApiError):
                await self.client.agents_sessions_setStatus(
                    channel_id=self.dm, thread_ts=self.root, status="active"
                )
        return left


def _blocks(text: str) -> list[dict[str, Any]]:
    return [{"type": "section", "text": {"type": "mrkdwn", "text": text}}]
