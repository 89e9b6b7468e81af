"""Tries in a real workspace what Slack's documentation leaves open: ``python -m tests.live U…``.

``python -m tests.live blocks FILE`` lets Slack validate what tests have sent (BLOCKS_FILE).

Each trial posts with SLACK_BOT_TOKEN into the direct message with that person, and into the channel
named after it, reads back what Slack made of it, prints a row for docs/reality.md, and deletes it.
"""

from __future__ import annotations

import asyncio
import json
import re
import sys
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any

from slack_sdk.errors import SlackApiError
from slack_sdk.http_retry.builtin_async_handlers import AsyncRateLimitErrorRetryHandler
from slack_sdk.web.async_client import AsyncWebClient

from bot import VERSION
from bot.config import Settings, load_settings
from bot.delivery.reply_in_slack import text_chunk
from bot.delivery.reply_sink import footer
from bot.locale import Localizer
from bot.logs import fault
from bot.people import MemoryState, PersonSettings
from bot.runtime.problems import BOT_TOKEN, Problem, token
from bot.runtime.slack_calls import call_slack
from bot.slack.client import (
    PATIENCE_SECONDS,
    SLACK_FAULTS,
    SlackClient,
    delete_message,
    error_code,
)

_FIRST = "`python -m tests.live` is running; this message will be deleted shortly."
_NUMBER = re.compile(r"[0-9a-f]*\d[0-9a-f.-]*")
_OLD = "Kioku's trial wrote this first."
_NEW = "Kioku's trial changed it."


async def try_live(settings: Settings, user: str, channel: str | None = None) -> int:
    """Try all of it in the direct message with `user`, and in `channel`; return the exit code.

    Raises `Problem` where nothing can be tried.
    """
    me = await call_slack(settings, BOT_TOKEN, "auth.test")
    bot_token = token(settings, BOT_TOKEN)
    client = SlackClient(
        token=bot_token, base_url=settings.slack_api_url, patience=PATIENCE_SECONDS
    )
    # This opens no direct message, which would need im:write.
    listed = await client.users_conversations(types="im", limit=999)
    dm = next(
        (one for one in listed.get("channels") or [] if one.get("user") == user), None
    )
    if dm is None:
        raise Problem(
            f"{user} has no direct message with Kioku yet: write to it once in Slack."
        )
    live = _Live(client, team=me["team_id"], user=user, dm=dm["id"])
    trials = {
        "A direct message takes a message with metadata": live.first,
        "A session is `processing`, then `active`": live.session,
        "A stream in a direct message is appended to and stopped": live.stream,
        "`chat.update` of a notice replaces its text and its blocks": live.notice,
    }
    if channel:
        in_channel = partial(live.stream, channel)
        trials["A stream in a channel's thread has a recipient"] = in_channel
    seen_at = f"{datetime.now(UTC):%Y-%m-%d}, {me['team_id']}, Kioku {VERSION}"
    failed = False
    sys.stdout.write("| Behaviour | Seen | When and where |\n|---|---|---|\n")
    try:
        for what, trial in trials.items():
            try:
                seen = await trial()
            except (*SLACK_FAULTS, Problem) as error:
                why = str(error) if isinstance(error, Problem) else error_code(error)
                seen = f"**no**: {why or fault(error)}"
                failed = True
            sys.stdout.write(f"| {what} | {seen} | {seen_at} |\n")
            if not live.root:
                break  # everything else is in its thread
    finally:
        left = await asyncio.shield(live.clean_up())
    if left:
        raise Problem(
            f"Kioku's messages {', '.join(left)} are not deleted: delete them by hand."
        )
    return 1 if failed else 0


async def try_blocks(settings: Settings, lines: Iterable[str]) -> int:
    """Print what Slack finds wrong in each payload of `lines`; return the exit code.

    Of payloads that differ by ids and numbers only, the first is sent. A token is not needed.
    """
    bot_token = None
    if settings.slack_bot_token is not None:
        bot_token = settings.slack_bot_token.get_secret_value()
    client = AsyncWebClient(
        token=bot_token,
        base_url=settings.slack_api_url,
        retry_handlers=[AsyncRateLimitErrorRetryHandler(max_retry_count=9)],
    )
    payloads: dict[str, str] = {}
    for line in lines:
        payloads.setdefault(_NUMBER.sub("0", line), line)
    refused = 0
    for line in payloads.values():
        [(kind, value)] = json.loads(line).items()
        try:
            await client.api_call("blocks.validate", json={kind: json.dumps(value)})
        except SlackApiError as error:
            refused += 1
            found = error.response.get("errors") or error.response["error"]
            sys.stdout.write(f"{json.dumps(found)} in {line[:200]}\n")
    sys.stdout.write(f"{len(payloads)} payloads, {refused} of them refused\n")
    return 1 if refused else 0


@dataclass(slots=True)
class _Live:
    """One run: where it writes, and what it posted."""

    client: AsyncWebClient
    team: str
    user: str
    dm: str
    root: str = ""
    posted: list[tuple[str, str]] = field(default_factory=list)

    async def _post(self, channel: str, text: str, **more: Any) -> str:
        answer = await self.client.chat_postMessage(channel=channel, text=text, **more)
        self.posted.append((channel, answer["ts"]))
        return str(answer["ts"])

    async def _read(self, channel: str, root: str, ts: str) -> dict[str, Any]:
        """Return a message as Slack has it now. Raises `Problem`."""
        answer = await self.client.conversations_replies(
            channel=channel, ts=root, limit=100, include_all_metadata=True
        )
        if found := [one for one in answer["messages"] if one["ts"] == ts]:
            return dict(found[0])
        raise Problem("the message is not in its thread")

    async def first(self) -> str:
        metadata = {"event_type": "kioku_trial", "event_payload": {"live": True}}
        self.root = await self._post(self.dm, _FIRST, metadata=metadata)
        message = await self._read(self.dm, self.root, self.root)
        if message.get("metadata") != metadata:
            raise Problem("the metadata did not come back")
        return "yes; the metadata came back"

    async def session(self) -> str:
        await self._set_session("processing")
        await self._set_session("active")
        return "yes"

    async def _set_session(self, status: str) -> None:
        await self.client.agents_sessions_setStatus(
            channel_id=self.dm,
            thread_ts=self.root,
            status=status,
            initiator_user_id=self.user,
        )

    async def stream(self, channel: str = "") -> str:
        """Stream text in chunks, stop with a footer, and read it back."""
        root = await self._post(channel, _FIRST) if channel else self.root
        channel = channel or self.dm
        started = await self.client.chat_startStream(
            channel=channel,
            thread_ts=root,
            recipient_team_id=self.team,
            recipient_user_id=self.user,
            chunks=[text_chunk("Kioku's ")],
        )
        ts = str(started["ts"])
        self.posted.append((channel, ts))
        chunks = [text_chunk("trial streams, ")]
        await self.client.chat_appendStream(channel=channel, ts=ts, chunks=chunks)
        state = MemoryState(settings=PersonSettings(informed=True))
        await self.client.chat_stopStream(
            channel=channel,
            ts=ts,
            chunks=[text_chunk("and stops.")],
            blocks=footer(Localizer("en"), "", state, stand_in=False),
        )
        message = await self._read(channel, root, ts)
        if "and stops." not in json.dumps(message):
            raise Problem("the streamed text is not in the message")
        return f"yes; read back with {', '.join(sorted(message))}"

    async def notice(self) -> str:
        blocks = [{"type": "section", "text": {"type": "mrkdwn", "text": _OLD}}]
        ts = await self._post(self.dm, _OLD, thread_ts=self.root, blocks=blocks)
        blocks = json.loads(json.dumps(blocks).replace(_OLD, _NEW))
        await self.client.chat_update(channel=self.dm, ts=ts, text=_NEW, blocks=blocks)
        kept = json.dumps(await self._read(self.dm, self.root, ts))
        if _OLD in kept or _NEW not in kept:
            raise Problem("the old text is still there")
        return "yes; the old text is gone"

    async def clean_up(self) -> list[str]:
        """Delete what was posted, the newest first; return what could not be deleted."""
        left = []
        for channel, ts in reversed(self.posted):
            try:
                await delete_message(self.client, channel, ts)
            except SLACK_FAULTS:
                left.append(f"{channel}/{ts}")
        with suppress(*SLACK_FAULTS):
            if self.root:
                await self._set_session("active")
        return left


if __name__ == "__main__":
    if sys.argv[1:2] == ["blocks"]:
        lines = Path(sys.argv[2]).read_text("utf-8").splitlines()
        sys.exit(asyncio.run(try_blocks(load_settings(), lines)))
    sys.exit(asyncio.run(try_live(load_settings(), *sys.argv[1:3])))
