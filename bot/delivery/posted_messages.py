"""The messages of a reply in Slack: streamed or posted, found after a crash, deleted.

A message that was streamed is appended to, stopped or deleted, and never updated: what Slack makes
of its text and of the new blocks is not specified. Sources: docs/reality.md, "Streams", and
"Errors" at https://docs.slack.dev/reference/methods/chat.postMessage
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, TypeVar

from psycopg import OperationalError

from bot.conversation.claimed_message import Interrupted, Superseded
from bot.delivery.outbox import Outbox, messages_of_turn, replies_after, turn_metadata
from bot.logs import fault
from bot.slack.client import (
    APPEND,
    CONVERSATION_GONE,
    SLACK_FAULTS,
    START,
    STOP,
    Installations,
    delete_message,
    error_code,
)
from bot.slack.messages import Message
from bot.ui.blocks import Block, escaped
from bot.ui.reply import MESSAGE_TEXT_LIMIT, Chunk, fallback, message_blocks, text_chunk
from memory.metrics import step

_Answer = TypeVar("_Answer")

log = logging.getLogger(__name__)

# Slack ends a stream after about five minutes, even a busy one.
STREAM_SECONDS = 230.0
# How long Slack may be in trouble before a turn is ended, to be begun again.
TROUBLE_SECONDS = 120.0
_LONGEST_PAUSE_SECONDS = 10.0
# A call that a dying worker had under way may be carried out a little later.
SETTLED_SECONDS = 8.0
# A reply is not dropped for a rate limit, nor is a place held for ever.
_PATIENCE_SECONDS = 600.0
# The error of ``chat.startStream`` in a kind of conversation that takes no streams.
_NO_STREAMS = "channel_type_not_supported"


class DeliveryFailed(Exception):
    """Slack refused the answer with the error `code`."""

    def __init__(self, code: str) -> None:
        super().__init__("Slack refused the answer.")
        self.code = code

    @property
    def is_expected(self) -> bool:
        """Whether nothing can be written there: archived, left, restricted, or a deleted thread."""
        restricted = self.code.startswith(("restricted_action", "cannot_reply_to_message"))
        return restricted or self.code in CONVERSATION_GONE


@dataclass(slots=True)
class PostedMessage:
    """One message of the reply; `live`: it streams, since `opened_at` on the monotonic clock."""

    ts: str
    text: str = ""
    live: bool = True
    opened_at: float = 0.0

    @property
    def is_old(self) -> bool:
        """Whether Slack would soon end the stream."""
        return time.monotonic() - self.opened_at > STREAM_SECONDS


class PostedMessages:
    """The messages of one reply, in order. Each is recorded as intended before it is begun.

    `confirm` is awaited just before a message is posted; what it raises keeps Slack from being
    called. All methods raise what the Slack client raises, unless their lines say otherwise; those
    that begin a message raise `Superseded` when another worker answers.
    """

    def __init__(
        self,
        slack: Installations,
        message: Message,
        outbox: Outbox,
        *,
        confirm: Callable[[], Awaitable[object]],
    ) -> None:
        self._slack = slack
        self._client = slack.client(message.team_id)
        self._patient = slack.client(message.team_id, patience=_PATIENCE_SECONDS)
        self._limits = slack.limits
        self._message = message
        self._outbox = outbox
        self._confirm = confirm
        self.posted: list[PostedMessage] = []
        # Of earlier attempts: an interim reply, half an answer, or the answer before an edit.
        self._replaced = [PostedMessage(ts, live=False) for ts in outbox.times]
        self._recording: asyncio.Task[None] | None = None

    @property
    def live(self) -> PostedMessage | None:
        """The last message, where it streams."""
        return self.posted[-1] if self.posted and self.posted[-1].live else None

    @property
    def _may_stream(self) -> bool:
        """Whether Slack allows a stream to begin, and others to end."""
        team = self._message.team_id
        return not any(self._limits.wait(team, name) for name in (START, self._start_here, STOP))

    @property
    def _start_here(self) -> str:
        """The name of ``chat.startStream`` in conversations of this kind: D, C or G."""
        return f"{START} {self._message.channel_id[:1]}"

    async def start(self, text: str, tasks: Sequence[Chunk] = ()) -> PostedMessage | None:
        """Begin a streamed message; None while Slack's rate limit refuses that."""
        await self.wait_recorded()
        if not self._may_stream:
            return None
        await self.delete_replaced()
        await self._outbox.record_intent()
        # Stop ends this call and not the attempt; Slack may carry it out a little later.
        self._outbox.asked_at = time.monotonic()
        try:
            with step("slack start"):
                answer = await self._client.chat_startStream(
                    channel=self._message.channel_id,
                    thread_ts=self._message.thread_ts,
                    recipient_team_id=self._message.user_team_id,
                    recipient_user_id=self._message.user_id,
                    **_content(text, tasks),
                )
        except SLACK_FAULTS as error:
            self._limits.note(self._message.team_id, START, error)
            if error_code(error) == _NO_STREAMS:
                self._limits.never(self._message.team_id, self._start_here)
            if error_code(error):
                self._outbox.asked_at = None
            raise
        begun = PostedMessage(str(answer["ts"]), text, opened_at=time.monotonic())
        self.posted.append(begun)
        # Recorded while the next words come: until then it is found by `posting_since`.
        self._recording = asyncio.create_task(self._record(begun))
        return begun

    async def wait_recorded(self) -> None:
        """Wait until the latest stream is recorded; raises the error of recording it."""
        if (recording := self._recording) is not None:
            # A task that is awaited is cancelled with its waiter; this one is not.
            await asyncio.wait({recording})
            self._recording = None
            recording.result()

    async def leave(self, *, replaced: bool = False) -> None:
        """Wait for recordings under way, and clear an intent whose message was never started.

        With `replaced` the messages will be deleted, so streams are ended. Errors are logged only,
        because the reply has ended already.
        """
        try:
            await self.wait_recorded()
            await self._outbox.cancel_intent()
            for posted in [*self._replaced, *self.posted] if replaced else []:
                await self.end(posted)
        except (Interrupted, OperationalError, *SLACK_FAULTS) as error:
            log.info("a reply was left as it was: %s", fault(error))

    async def append(self, posted: PostedMessage, text: str, tasks: Sequence[Chunk] = ()) -> bool:
        """Add to a stream; False while Slack's rate limit refuses it."""
        await self.wait_recorded()
        team = self._message.team_id
        if self._limits.wait(team, APPEND):
            return False
        try:
            with step("slack append"):
                await self._client.chat_appendStream(
                    channel=self._message.channel_id, ts=posted.ts, **_content(text, tasks)
                )
        except SLACK_FAULTS as error:
            if self._limits.note(team, APPEND, error):
                return False
            raise
        posted.text += text
        return True

    async def stop(
        self,
        posted: PostedMessage,
        text: str,
        footer_blocks: Sequence[Block] = (),
        tasks: Sequence[Chunk] = (),
        *,
        last: bool = True,
    ) -> None:
        """End a stream with its last text; without `last`, another message follows."""
        await self.wait_recorded()
        await self._stop_stream(
            posted,
            **(_content(text, tasks) if text or tasks else {}),
            **({"blocks": footer_blocks} if footer_blocks else {}),
            metadata=turn_metadata(self._outbox.turn_id, self.posted.index(posted)),
            session_status="active" if last else "processing",
        )
        posted.text += text
        posted.live = False

    async def end(self, posted: PostedMessage) -> None:
        """End a stream as it is."""
        if not posted.live:
            return
        try:
            await self._stop_stream(posted, session_status="active")
        except SLACK_FAULTS as error:
            log.info("a stream could not be ended: %s", error_code(error) or fault(error))
            # Refused means that it had ended; after any other fault that is not known.
            posted.live = not error_code(error)
        else:
            posted.live = False

    def discard(self, first: int = 0) -> None:
        """Let all messages from `first` on be deleted before the next one is begun."""
        self._replaced += self.posted[first:]
        del self.posted[first:]

    async def post(self, text: str, footer_blocks: list[Block]) -> None:
        """Post a message, once: where Slack refuses it, as text without blocks and footer.

        Raises `DeliveryFailed` where Slack refuses it.
        """
        await self.wait_recorded()
        await self.delete_replaced()
        await self._outbox.record_intent()
        blocks = message_blocks(text, footer_blocks)
        try:
            await self._post(text=fallback(text), blocks=blocks)
        except DeliveryFailed as failed:
            if failed.is_expected:
                raise
            log.warning("a reply was refused, it is posted as text: %s", failed.code)
            await self._post(text=escaped(text, MESSAGE_TEXT_LIMIT))

    async def delete_replaced(self) -> None:
        """Delete what earlier attempts posted, also a message that was posted and not recorded."""
        if self._outbox.asked_at is not None:
            settled = self._outbox.asked_at + SETTLED_SECONDS
            await asyncio.sleep(max(settled - time.monotonic(), 0.0))
            self._replaced += [PostedMessage(ts) for ts in await self._unrecorded()]
            self._outbox.asked_at = None
        while self._replaced:
            await self._delete(self._replaced[0])
            del self._replaced[0]

    async def _delete(self, posted: PostedMessage) -> None:
        """Delete a message, if Slack allows it."""
        await self.end(posted)
        delete = partial(delete_message, self._patient, self._message.channel_id, posted.ts)
        try:
            with step("slack delete"):
                await _carried_out(delete)
        except SLACK_FAULTS as error:
            log.warning("a message was not deleted: %s", error_code(error) or fault(error))
            if not error_code(error):
                raise
            if error_code(error) != "message_not_found":
                return
        await self._outbox.record_deleted(posted.ts)

    async def _post(self, **content: Any) -> None:
        async def post_once() -> str:
            lost = self._outbox.asked_at is not None
            if lost and (found := await self._unrecorded(marked_only=True)):
                return found[0]
            await self._confirm()
            self._outbox.asked_at = time.monotonic()
            with step("slack post"):
                answer = await self._patient.chat_postMessage(
                    channel=self._message.channel_id,
                    thread_ts=self._message.thread_ts,
                    unfurl_links=False,
                    unfurl_media=False,
                    metadata=turn_metadata(self._outbox.turn_id, len(self.posted)),
                    **content,
                )
            return str(answer["ts"])

        try:
            ts = await _carried_out(post_once)
        except SLACK_FAULTS as error:
            code = error_code(error)
            if code:
                self._outbox.asked_at = None
            if code in ("", "ratelimited"):
                raise
            raise DeliveryFailed(code) from error
        posted = PostedMessage(ts, live=False)
        await self._record(posted)
        self.posted.append(posted)

    async def _record(self, posted: PostedMessage) -> None:
        try:
            await self._outbox.record_posted(posted.ts)
        except Superseded:
            # The other worker does not know it, and would leave it beside its own.
            await self._delete(posted)
            raise

    async def _stop_stream(self, posted: PostedMessage, **arguments: Any) -> None:
        with step("slack stop"):
            await self._patient.chat_stopStream(
                channel=self._message.channel_id, ts=posted.ts, **arguments
            )

    async def _unrecorded(self, *, marked_only: bool = False) -> list[str]:
        """Look in the thread for messages of this turn; nothing where Slack does not say."""
        bot_user_id = await self._slack.bot_user_id(self._message.team_id)
        look = partial(
            replies_after,
            self._patient,
            self._message.channel_id,
            self._message.thread_ts,
            self._message.ts,
        )
        try:
            # A message that is not found would be posted twice: Slack is asked again.
            found = await _carried_out(look)
        except SLACK_FAULTS as error:
            log.info("a thread could not be looked at: %s", error_code(error) or fault(error))
            return []
        recorded = await self._outbox.recorded_replies()
        known = {posted.ts for posted in [*self.posted, *self._replaced]}
        return messages_of_turn(
            found if not marked_only else [one for one in found if one.get("metadata")],
            bot_user_id=bot_user_id,
            turn_id=self._outbox.turn_id,
            since=self._outbox.since,
            recorded=recorded | known,
        )


def _content(text: str, tasks: Sequence[Chunk]) -> dict[str, Any]:
    """Return what a call of a stream adds to it: tasks come before the words that follow them.

    Always in ``chunks``: Slack refuses ``markdown_text`` in a stream that was opened with them.
    """
    words = [text_chunk(text)] if text else []
    return {"chunks": [*tasks, *words]}


async def _carried_out(call: Callable[[], Awaitable[_Answer]]) -> _Answer:
    """Make a call until Slack answers, ever more slowly, for as long as it may be in trouble.

    Raises Slack's refusal, or what the last attempt raised.
    """
    end, pause = time.monotonic() + TROUBLE_SECONDS, 0.3
    while True:
        try:
            return await call()
        except SLACK_FAULTS as error:
            if error_code(error) or time.monotonic() + pause >= end:
                raise
        await asyncio.sleep(pause)
        pause = min(pause * 2, _LONGEST_PAUSE_SECONDS)
