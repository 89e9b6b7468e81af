"""The calls of Slack that make up one answer, each within the limits all replicas share."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, Literal, TypeAlias

from slack_sdk.web.async_client import AsyncWebClient
from slack_sdk.web.async_slack_response import AsyncSlackResponse

from bot.slack.client import SLACK_FAULTS, retry_on_rate_limit
from bot.slack.messages import Message
from bot.slack.rate_limits import APPEND, START, STOP, UPDATE, RateLimits, posts
from bot.views.blocks import Block
from bot.views.reply import fallback, message_blocks
from bot.views.tasks import Chunk, text_chunk
from memory import measured

Metadata: TypeAlias = dict[str, Any]
Confirm: TypeAlias = Callable[[], Awaitable[object]]

# A reply is not dropped for a rate limit, nor is a worker's place held for ever.
PATIENCE_SECONDS = 600.0
_PAGES = 5


@dataclass(frozen=True, slots=True)
class Workspace:
    """The app's client and user in a workspace, and what Slack refuses, shared by all answers."""

    client: AsyncWebClient
    bot_user_id: str
    limits: RateLimits


class Calls:
    """Calls in the thread of one message. All raise what the Slack client raises.

    `confirm` is awaited after a wait, just before a call that puts something in the thread; what
    it raises keeps that call from being made.
    """

    def __init__(self, workspace: Workspace, message: Message, *, confirm: Confirm) -> None:
        self._client = workspace.client
        self._limits = workspace.limits
        self._message = message
        self._confirm = confirm

    @property
    def may_stream(self) -> bool:
        """Whether a stream may be begun, and others may be ended."""
        team = self._message.team_id
        return not (self._limits.wait(team, START) or self._limits.wait(team, STOP))

    @property
    def may_append(self) -> bool:
        """Whether a stream may grow now."""
        return not self._limits.wait(self._message.team_id, APPEND)

    @measured("slack start")
    async def start(self, text: str, tasks: Sequence[Chunk] = ()) -> str:
        """Begin a stream; return its ts."""
        return await self._once(
            START,
            lambda: self._client.chat_startStream(
                channel=self._message.channel_id,
                thread_ts=self._message.thread_ts,
                recipient_team_id=self._message.user_team_id,
                recipient_user_id=self._message.user_id,
                **_content(text, tasks),
            ),
        )

    @measured("slack append")
    async def append(self, ts: str, text: str, tasks: Sequence[Chunk] = ()) -> None:
        """Add to a stream."""
        await self._once(
            APPEND,
            lambda: self._client.chat_appendStream(
                channel=self._message.channel_id, ts=ts, **_content(text, tasks)
            ),
        )

    @measured("slack stop")
    async def stop(
        self,
        ts: str,
        text: str = "",
        tasks: Sequence[Chunk] = (),
        *,
        below: Sequence[Block] = (),
        metadata: Metadata | None = None,
        session: Literal["active", "processing"] = "active",
    ) -> None:
        """End a stream, with its last words; set the thread's session to `session`."""
        more: dict[str, Any] = _content(text, tasks) if text or tasks else {}
        more["session_status"] = session
        if metadata:
            more["metadata"] = metadata
        if below:
            more["blocks"] = below
        await self._retry(
            STOP,
            lambda: self._client.chat_stopStream(channel=self._message.channel_id, ts=ts, **more),
        )

    @measured("slack update")
    async def update(self, ts: str, text: str, below: list[Block], metadata: Metadata) -> None:
        """Let a message that does not stream say `text`."""
        await self._confirmed(
            UPDATE,
            lambda: self._client.chat_update(
                channel=self._message.channel_id,
                ts=ts,
                text=fallback(text),
                blocks=message_blocks(text, below),
                metadata=metadata,
            ),
        )

    @measured("slack post")
    async def post(self, text: str, below: list[Block], metadata: Metadata) -> str:
        """Post a message; return its ts."""
        answer = await self._confirmed(
            posts(self._message.channel_id),
            lambda: self._client.chat_postMessage(
                channel=self._message.channel_id,
                thread_ts=self._message.thread_ts,
                text=fallback(text),
                blocks=message_blocks(text, below),
                unfurl_links=False,
                unfurl_media=False,
                metadata=metadata,
            ),
        )
        return str(answer["ts"])

    @measured("slack delete")
    async def delete(self, ts: str) -> None:
        """Take a message away."""
        await retry_on_rate_limit(
            lambda: self._client.chat_delete(channel=self._message.channel_id, ts=ts),
            seconds=PATIENCE_SECONDS,
        )

    @measured("slack replies")
    async def replies(self) -> list[dict[str, Any]]:
        """Return the messages in the thread after the question, with metadata."""
        found: list[dict[str, Any]] = []
        more: dict[str, Any] = {}
        for _ in range(_PAGES):
            answer = await retry_on_rate_limit(
                partial(
                    self._client.conversations_replies,
                    channel=self._message.channel_id,
                    ts=self._message.thread_ts,
                    oldest=self._message.ts,
                    include_all_metadata=True,
                    limit=200,
                    **more,
                ),
                seconds=PATIENCE_SECONDS,
            )
            found += answer.get("messages") or []
            cursor = (answer.get("response_metadata") or {}).get("next_cursor")
            if not cursor:
                break
            more = {"cursor": cursor}
        # Slack sends the thread's first message along, however old it is.
        return [one for one in found if float(one.get("ts") or 0) > float(self._message.ts)]

    async def _once(self, method: str, call: Callable[[], Awaitable[AsyncSlackResponse]]) -> str:
        try:
            answer = await call()
        except SLACK_FAULTS as error:
            self._limits.note(self._message.team_id, method, error)
            raise
        return str(answer.get("ts"))

    async def _confirmed(
        self, method: str, call: Callable[[], Awaitable[AsyncSlackResponse]]
    ) -> AsyncSlackResponse:
        async def confirmed() -> AsyncSlackResponse:
            await self._confirm()
            return await call()

        return await self._retry(method, confirmed)

    async def _retry(
        self, method: str, call: Callable[[], Awaitable[AsyncSlackResponse]]
    ) -> AsyncSlackResponse:
        team = self._message.team_id
        return await self._limits.retry(team, method, call, seconds=PATIENCE_SECONDS)


def _content(text: str, tasks: Sequence[Chunk]) -> dict[str, Any]:
    """Return what a call of a stream adds to it: tasks come before the words that follow them.

    Always in ``chunks``: Slack refuses ``markdown_text`` in a stream that was opened with them.
    """
    words = [text_chunk(text)] if text else []
    return {"chunks": [*tasks, *words]}
