"""The messages of a reply in Slack: streamed or posted, recorded, found after a crash, deleted.

A message that was streamed is appended to, stopped or deleted, and never updated: what Slack makes
of its text and of the new blocks is not specified. Sources: docs/reality.md, "Streams", and
"Errors" at https://docs.slack.dev/reference/methods/chat.postMessage
"""

from __future__ import annotations

import asyncio
import logging
import math
import time
from collections.abc import Awaitable, Callable, Collection, Iterable, Mapping, Sequence
from functools import partial
from typing import Any, LiteralString, TypeVar
from uuid import UUID

from psycopg import OperationalError

from bot.conversation.run import THREAD_SETTING, Interrupted, Superseded
from bot.conversation.turns import Turn
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
    is_passing,
)
from bot.ui.blocks import (
    FALLBACK_LIMIT,
    MESSAGE_TEXT_LIMIT,
    Block,
    Chunk,
    as_mrkdwn,
    markdown,
    shortened,
    text_chunk,
)
from memory import Pool
from memory.metrics import step
from memory.postgres import execute_statement

_Answer = TypeVar("_Answer")

log = logging.getLogger(__name__)

# How long Slack may be in trouble before a turn is ended, to be begun again.
TROUBLE_SECONDS = 120.0
_LONGEST_PAUSE_SECONDS = 10.0
# A call that a dying worker had under way may be carried out a little later.
SETTLED_SECONDS = 8.0
# A reply is not dropped for a rate limit, nor is a place held for ever.
_PATIENCE_SECONDS = 600.0
# How far this clock and Slack's may differ; Slack's signatures allow as much.
_CLOCKS_DIFFER_SECONDS = 300.0
_TURN_EVENT = "kioku_turn"


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


class PostedMessages:
    """The messages of one reply, as the row of its turn records them.

    The row says that a message is about to be begun (`posting_since`) before Slack is called, and
    its ts (`reply_ts`) afterwards; `Turns.begin` has stored the first `posting_since`. `stream` is
    the ts of the message that streams, empty if there is none. `confirm` is awaited just before a
    message is posted; what it raises keeps Slack from being called.

    All methods raise what the Slack client raises, unless their lines say otherwise; those that
    begin a message raise `Superseded` when another worker answers.
    """

    def __init__(
        self,
        pool: Pool,
        slack: Installations,
        turn: Turn,
        *,
        confirm: Callable[[], Awaitable[object]],
    ) -> None:
        self._pool = pool
        self._slack = slack
        self._turn = turn
        self._message = turn.message
        self._client = slack.client(self._message.team_id)
        self._patient = slack.client(self._message.team_id, patience=_PATIENCE_SECONDS)
        self._confirm = confirm
        self.stream = ""
        # Of earlier attempts: an interim reply, half an answer, or the answer before an edit.
        self._replaced = list(turn.reply_ts)
        self._intended = True
        # When Slack was asked for a message whose ts is not recorded (monotonic), by this attempt
        # or one that died; None where it is known that there is none.
        self._asked_at = None if turn.asked is None else time.monotonic() - turn.asked
        self._recording: asyncio.Task[None] | None = None

    async def start(self, text: str, tasks: Sequence[Chunk]) -> bool:
        """Begin a streamed message; False while Slack's rate limits refuse to begin or end one."""
        if any(self._slack.limits.wait(self._message.team_id, name) for name in (START, STOP)):
            return False
        await self._prepare()
        # Stop ends this call and not the attempt; Slack may carry it out a little later.
        self._asked_at = time.monotonic()
        try:
            answer = await self._client.chat_startStream(
                channel=self._message.channel_id,
                thread_ts=self._message.thread_ts,
                recipient_team_id=self._message.user_team_id,
                recipient_user_id=self._message.user_id,
                chunks=_chunks(text, tasks),
            )
        except SLACK_FAULTS as error:
            if error_code(error):
                self._asked_at = None
            raise
        self.stream = str(answer["ts"])
        # Recorded while the next words come: until then it is found by `posting_since`.
        self._recording = asyncio.create_task(self._record(self.stream))
        return True

    async def append(self, text: str, tasks: Sequence[Chunk]) -> bool:
        """Add to the stream; False while Slack's rate limit refuses it."""
        if self._slack.limits.wait(self._message.team_id, APPEND):
            return False
        try:
            await self._client.chat_appendStream(
                channel=self._message.channel_id, ts=self.stream, chunks=_chunks(text, tasks)
            )
        except SLACK_FAULTS as error:
            if error_code(error) == "ratelimited":
                return False
            raise
        return True

    async def stop(self, text: str, tasks: Sequence[Chunk], footer_blocks: list[Block]) -> None:
        """End the stream with its last text."""
        await self._patient.chat_stopStream(
            channel=self._message.channel_id,
            ts=self.stream,
            chunks=_chunks(text, tasks) or None,
            blocks=footer_blocks or None,
            metadata=turn_metadata(self._turn.id),
            session_status="active",
        )
        await self._recorded()

    def discard(self) -> None:
        """Let the stream be deleted before the next message is begun."""
        if self.stream:
            self._replaced.append(self.stream)
            self.stream = ""

    async def post(self, text: str, footer_blocks: list[Block]) -> None:
        """Post a message, once: where Slack refuses it, as text without blocks and footer.

        Raises `DeliveryFailed` where Slack refuses it.
        """
        await self._prepare()
        try:
            blocks = [markdown(text), *footer_blocks]
            await self._post(text=shortened(text, FALLBACK_LIMIT), blocks=blocks)
        except DeliveryFailed as failed:
            if failed.is_expected:
                raise
            log.warning("a reply was refused, it is posted as text: %s", failed.code)
            await self._post(text=as_mrkdwn(text, MESSAGE_TEXT_LIMIT))

    async def leave(self) -> None:
        """Wait for the recording under way; clear an intent whose message was never begun.

        Errors are logged only, because the reply has ended already.
        """
        try:
            await self._recorded()
            if self._intended and self._asked_at is None:
                await self._update("posting_since = NULL")
        except (Interrupted, OperationalError, *SLACK_FAULTS) as error:
            log.info("a reply was left as it was: %s", fault(error))

    async def _prepare(self) -> None:
        """Delete what earlier attempts posted, recorded or not; record that a message is begun."""
        await self._recorded()
        if self._asked_at is not None:
            asked = time.time() - (time.monotonic() - self._asked_at)
            self._replaced += await self._unrecorded(asked)
            self._asked_at, self._intended = None, False
        while self._replaced:
            await self._delete(self._replaced[0])
            del self._replaced[0]
        if not self._intended:
            await self._update("posting_since = now()")
            self._intended = True

    async def _delete(self, ts: str) -> None:
        """Delete a message, if Slack allows it."""
        delete = partial(delete_message, self._patient, self._message.channel_id, ts)
        try:
            await carried_out(delete)
        except SLACK_FAULTS as error:
            log.warning("a message was not deleted: %s", error_code(error) or fault(error))
            if is_passing(error):
                raise
            if error_code(error) != "message_not_found":
                return
        await self._update("reply_ts = array_remove(reply_ts, %s)", ts)

    async def _post(self, **content: Any) -> None:
        async def post_once() -> str:
            # A post has metadata from its beginning: no stream without is taken for it.
            if self._asked_at is not None and (found := await self._unrecorded(math.inf)):
                return found[0]
            await self._confirm()
            self._asked_at = time.monotonic()
            answer = await self._patient.chat_postMessage(
                channel=self._message.channel_id,
                thread_ts=self._message.thread_ts,
                unfurl_links=False,
                unfurl_media=False,
                metadata=turn_metadata(self._turn.id),
                **content,
            )
            return str(answer["ts"])

        try:
            ts = await carried_out(post_once)
        except SLACK_FAULTS as error:
            code = error_code(error)
            if code:
                self._asked_at = None
            if code in ("", "ratelimited"):
                raise
            raise DeliveryFailed(code) from error
        await self._record(ts)

    async def _unrecorded(self, since: float) -> list[str]:
        """Return the times of `messages_of_turn` in the thread, among the first 200 after it.

        Empty where Slack refuses to show the thread. A call that was under way has settled then.
        """
        message = self._message
        if self._asked_at is not None:
            await asyncio.sleep(max(self._asked_at + SETTLED_SECONDS - time.monotonic(), 0.0))
        look = partial(
            self._patient.conversations_replies,
            channel=message.channel_id,
            ts=message.thread_ts,
            oldest=message.ts,
            include_all_metadata=True,
            limit=200,
        )
        try:
            # A message that is not found would be posted twice: Slack is asked again.
            answer = await carried_out(look)
        except SLACK_FAULTS as error:
            if is_passing(error):
                raise
            log.warning("a thread could not be looked at: %s", error_code(error))
            return []
        rows = await execute_statement(
            self._pool,
            "SELECT unnest(reply_ts) AS ts FROM messages WHERE thread = %s",
            (message.thread,),
            scope={THREAD_SETTING: message.thread},
        )
        # Slack sends the thread's first message along, however old it is.
        found = [one for one in answer["messages"] if _time(one) > float(message.ts)]
        return messages_of_turn(
            found,
            bot_user_id=await self._slack.bot_user_id(message.team_id),
            turn_id=self._turn.id,
            since=since,
            recorded={row["ts"] for row in rows},
        )

    async def _record(self, ts: str) -> None:
        """Store the ts of a message that was begun; delete it when another worker answers."""
        try:
            await self._update("posting_since = NULL, reply_ts = array_append(reply_ts, %s)", ts)
        except Superseded:
            # The other worker does not know it, and would leave it beside its own.
            await self._delete(ts)
            raise
        self._intended, self._asked_at = False, None

    async def _recorded(self) -> None:
        """Wait until the latest stream is recorded; raises the error of recording it."""
        if self._recording is not None:
            # A task that is awaited is cancelled with its waiter; a shielded one is not.
            await asyncio.shield(self._recording)
            self._recording = None

    @step("note")
    async def _update(self, change: LiteralString, *values: str) -> None:
        rows = await execute_statement(
            self._pool,
            f"UPDATE messages SET {change} WHERE id = %s AND token = %s RETURNING id",
            (*values, *self._turn.claimed.run.ownership.values()),
            scope={THREAD_SETTING: self._message.thread},
            prepare=True,
        )
        if not rows:
            raise Superseded


def turn_metadata(turn_id: UUID) -> dict[str, Any]:
    """Return what a reply's message carries. Every member of the workspace can read it."""
    return {"event_type": _TURN_EVENT, "event_payload": {"turn": str(turn_id)}}


def messages_of_turn(
    found: Iterable[Mapping[str, Any]],
    *,
    bot_user_id: str,
    turn_id: UUID,
    since: float,
    recorded: Collection[str],
) -> list[str]:
    """Return the times of the messages in a thread that are the turn's, in order.

    These are the app's own messages with the turn's metadata that no turn has `recorded`. If there
    are none, it is the message without metadata that is nearest to `since`, when it was intended: a
    stream gets its metadata only as it ends.
    """
    own = [one for one in found if one.get("user") == bot_user_id and one["ts"] not in recorded]
    own.sort(key=_time)
    marked = [one["ts"] for one in own if _turn_of(one) == str(turn_id)]
    earliest = since - _CLOCKS_DIFFER_SECONDS
    bare = [one for one in own if not one.get("metadata") and _time(one) > earliest]
    if marked or not bare:
        return marked
    return [min(bare, key=lambda one: abs(_time(one) - since))["ts"]]


def _turn_of(message: Mapping[str, Any]) -> str | None:
    payload = (message.get("metadata") or {}).get("event_payload") or {}
    return payload.get("turn")


def _time(message: Mapping[str, Any]) -> float:
    return float(message["ts"])


def _chunks(text: str, tasks: Sequence[Chunk]) -> list[Chunk]:
    """Return what a call of a stream adds to it: tasks come before the words that follow them.

    Always ``chunks``: Slack refuses ``markdown_text`` in a stream that was opened with them.
    """
    return [*tasks, *([text_chunk(text)] if text else [])]


async def carried_out(call: Callable[[], Awaitable[_Answer]]) -> _Answer:
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
