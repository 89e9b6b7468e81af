"""Writes one reply to Slack: streams its first message, posts the rest, finds it after a crash.

A message that was streamed is appended to, stopped or deleted, and never updated: how Slack
combines its text with the new blocks is not specified. Source: docs/reality.md, "Streams"

slack_sdk's `AsyncChatStream` is not used: it sends when its buffer is long enough, not once a
second, and begins a stream where a post is wanted.
"""

from __future__ import annotations

import logging
import re
import time
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from enum import Enum
from typing import Any
from uuid import uuid4

from psycopg import OperationalError

from bot.acts.blocks import (
    FALLBACK_LIMIT,
    MESSAGE_BLOCKS_LIMIT,
    MESSAGE_TEXT_LIMIT,
    PART_LIMIT,
    Block,
    Chunk,
    Payload,
    escaped,
    note,
    truncate,
)
from bot.app import App
from bot.cancellation import Interrupted, Stopped, Superseded
from bot.conversation.turns import Turn
from bot.delivery.record import (
    RecordStatement,
    record_reply,
    turn_metadata,
    unrecorded_messages,
)
from bot.delivery.splitting import Limits, Split, shown_end, split_markdown, split_point
from bot.logs import fault
from bot.slack.client import (
    APPEND,
    CONVERSATION_GONE,
    SLACK_FAULTS,
    START,
    STOP,
    delete_message,
    error_code,
    is_passing,
    slack_fault,
    unless_refused,
)
from bot.slack.posting import post_once
from bot.slack.retries import RATE_LIMITED

log = logging.getLogger(__name__)

# Long enough not to drop a reply for a rate limit, and yet not to hold a place for ever.
_PATIENCE_SECONDS = 600.0
# Four blocks of a message are left for what is below the text.
PAGE_LIMITS = Limits(PART_LIMIT, MESSAGE_BLOCKS_LIMIT - 4)
# The end of a stream is held back until it is whole, so that it can end after a paragraph.
_NEARLY_FULL = Limits(PAGE_LIMITS.characters - 500, PAGE_LIMITS.blocks - 2)
# A mention that an answer makes, escaped; no other text of it has one (`bot.answering.filters`).
_MENTION = re.compile(r"&lt;(@[UW][A-Z0-9]{7,20})&gt;")

_STOPPED_BY_USER = "stopped_by_user"


def text_chunk(text: str) -> Chunk:
    """Return a stream chunk that adds Markdown."""
    return {"type": "markdown_text", "text": text}


class DeliveryFailed(Exception):
    """Slack refused the answer with the error `code`."""

    def __init__(self, code: str) -> None:
        super().__init__("Slack refused the answer.")
        self.code = code

    @property
    def is_expected(self) -> bool:
        """Whether nothing can be written there: archived, left, restricted, or a deleted thread."""
        restricted = self.code.startswith(
            ("restricted_action", "cannot_reply_to_message")
        )
        return restricted or self.code in CONVERSATION_GONE


class State(Enum):
    """What is in Slack of a reply, and what its row says of it."""

    RECORDED = "the row has every message, and the next may be streamed"
    INTENDED = "the row says that a message may come, and Slack was not asked for it"
    ASKED = "Slack was asked for a message, and whether it is there is not known"
    STREAMING = "the row has a message that grows"
    HELD = "nothing may be streamed: the text is posted when it is whole"


@dataclass(slots=True)
class _Stream:
    """The streamed message; the reply's first `sent` characters are in it."""

    ts: str
    sent: int


class ReplyInSlack:
    """The messages of one reply in Slack, as a state machine; `text` is the reply so far.

    ::

        RECORDED ──▶ INTENDED ──▶ ASKED ──a stream──▶ STREAMING, which grows
           ▲            ▲           ├──a post, found──▶ RECORDED  │
           │            └───HELD◀───┴──refused                    ├──ended──▶ RECORDED
           └─started over────▲────────────────────────────────────┴──refused──▶ HELD

    A turn begins INTENDED, because its row says so from its beginning, or ASKED, if an earlier
    attempt died: what that left is found by its metadata and deleted before anything is written.
    What ends in the middle of a call, by Stop or by an error, leaves ASKED, too, as a crash does.

    `show` streams as much as one message can hold, `finish` ends the stream and posts the rest, and
    `stop` ends the reply where it is. A stream that does not take its text is deleted, and all of
    the text posted.

    `record_reply` stores that a message is about to be begun before Slack is called, and its ts
    afterwards, before anything more is written. The run is confirmed before anything is written to
    Slack, so a worker that was superseded writes nothing more, and deletes the message that it has
    just begun.

    The methods raise what the Slack client raises, `psycopg.OperationalError`, and `Interrupted`.
    """

    def __init__(self, app: App, turn: Turn) -> None:
        self._app = app
        self._slack = app.slack
        self._turn = turn
        self._message = turn.message
        self._client = app.slack.client(self._message.team_id)
        self._patient = app.slack.client(
            self._message.team_id, patience=_PATIENCE_SECONDS
        )
        self.state = State.INTENDED if turn.asked is None else State.ASKED
        # When Slack was asked, in seconds since 1970.
        self._asked_at = time.time() - (turn.asked or 0.0)
        self.text = ""
        self._stream: _Stream | None = None
        # Messages to delete, of earlier attempts or of a discarded text.
        self._outdated = list(turn.reply_ts)

    # --- what the reply is to be ---------------------------------------------------------------

    def start_over(self) -> None:
        """Discard the text so far; what is shown of it is deleted when there is more to show."""
        self._discard_stream()
        self.text = ""
        if self.state is State.STREAMING:
            self.state = State.RECORDED

    async def show(self) -> bool:
        """Stream as much of the text so far as can be shown now.

        Returns False if there is nothing to show yet. Raises `Stopped` if Slack says that the
        person pressed Stop.
        """
        # White space waits for what follows it: the whole text has none at its end.
        piece = self.text[self._sent : shown_end(self.text)].rstrip()
        if self.state is State.HELD or not piece:
            return self.state is State.STREAMING
        await self._turn.claimed.run.confirm()
        if not _NEARLY_FULL.fit(self.text):
            return True
        if self._stream is None:
            await self._begin_stream(piece)
        else:
            await self._append(self._stream, piece)
        return True

    async def finish(self, text: str, below: list[Block]) -> bool:
        """Deliver the whole reply, with `below` under its last message.

        A stream that cannot be ended with its whole text is deleted and its text posted, because it
        is not always known how much of it Slack has. Returns whether the end of a stream has ended
        the session. Raises `DeliveryFailed` if Slack refuses the reply in every form.
        """
        await self._confirm()
        if not text.startswith(self.text[: self._sent]):
            self.start_over()
        self.text = text
        rest = text
        if self._stream is not None and self.state is State.STREAMING:
            rest = await self._end_stream(self._stream, below)
            if not rest:
                return True
        if self.state is State.HELD:
            self._discard_stream()
        if self._stream is None:
            rest = rest.lstrip("\n")
        await self._post_text(rest, below)
        return False

    async def tell(self, payload: Payload) -> None:
        """Post a message of the app's own as the whole reply; raises as `finish` does."""
        self.start_over()
        self.text = payload["text"]
        try:
            await self._post(payload)
        except DeliveryFailed as failed:
            await self._post_as_text(failed, payload["text"])

    async def stop(self, line: str, below: list[Block]) -> bool:
        """End the reply where it is, with a `line` under it; return as `finish` does.

        Streamed text stays, and words not yet shown are dropped: after Stop a stream takes no more
        text. If Slack takes no blocks either, the line becomes a message of its own. Afterwards
        `text` is what the person sees.
        """
        await self._confirm()
        if self._stream is None:
            self.text = f"{self.text.rstrip()}\n\n{line}".lstrip()
            await self._post_text(self.text, below)
            return False
        self.text = f"{self.text[: self._sent].rstrip()}\n\n{line}"
        has_ended = await self._close(self._stream, [note(line), *below])
        if not has_ended:
            await self._post_text(line, below)
        return has_ended

    async def leave(self) -> None:
        """Clear an intent whose message was never begun.

        Errors are logged only, because the reply has ended already.
        """
        if self.state not in (State.INTENDED, State.HELD):
            return
        try:
            await self._record("give_up_intent")
        except (Interrupted, OperationalError) as error:
            log.info("a reply was left as it was: %s", fault(error))

    # --- the stream ----------------------------------------------------------------------------

    @property
    def _sent(self) -> int:
        return self._stream.sent if self._stream else 0

    def _discard_stream(self) -> None:
        if self._stream is not None:
            self._outdated.append(self._stream.ts)
            self._stream = None

    async def _begin_stream(self, piece: str) -> None:
        """INTENDED → ASKED → STREAMING, or HELD; nothing while a rate limit refuses streams."""
        limits = self._slack.limits
        message = self._message
        if limits.wait(START) or limits.wait(STOP):
            return
        await self._intend()
        self._ask()
        try:
            answer = await self._client.chat_startStream(
                channel=message.channel_id,
                thread_ts=message.thread_ts,
                recipient_team_id=message.user_team_id,
                recipient_user_id=message.user_id,
                chunks=[text_chunk(piece)],
            )
        except SLACK_FAULTS as error:
            if error_code(error):
                self._hold(error)
            return
        ts = str(answer["ts"])
        await self._record_begun(ts)
        self._stream = _Stream(ts, len(piece))
        self.state = State.STREAMING

    async def _append(self, stream: _Stream, piece: str) -> None:
        """STREAMING → STREAMING, or HELD; nothing while a rate limit refuses it.

        Raises `Stopped` where Slack has ended the stream because the person pressed Stop.
        """
        if self._slack.limits.wait(APPEND):
            return
        try:
            await self._client.chat_appendStream(
                channel=self._message.channel_id,
                ts=stream.ts,
                chunks=[text_chunk(piece)],
            )
        except SLACK_FAULTS as error:
            code = error_code(error)
            if code == _STOPPED_BY_USER:
                raise Stopped from error
            if code != RATE_LIMITED:
                self._hold(error)
            return
        stream.sent += len(piece)

    async def _end_stream(self, stream: _Stream, below: list[Block]) -> str:
        """STREAMING → RECORDED, or HELD: end the stream; return what of the text is to be posted.

        Nothing is to be posted if the stream was ended with the whole text, and `below` under it.
        """
        split = Split(len(self.text))
        if not PAGE_LIMITS.fit(self.text):
            split = split_point(self.text, PAGE_LIMITS, at_least=stream.sent)
        piece = self.text[stream.sent : split.at] + split.closing
        rest = self.text[split.at :]
        try:
            await self._ask_for_end(stream, piece, below, is_last=not rest)
        except SLACK_FAULTS as error:
            if error_code(error) != _STOPPED_BY_USER:
                self._hold(error)
                return self.text
            # The text is complete, so what Slack did not take is posted below.
            rest = self.text[stream.sent :]
            is_whole = not rest.strip()
            await self._close(stream, below, is_last=is_whole)
            return "" if is_whole else rest
        self.state = State.RECORDED
        return split.opening + rest if rest else ""

    async def _close(
        self, stream: _Stream, below: list[Block], *, is_last: bool = True
    ) -> bool:
        """End a stream that takes no more text; return whether Slack took that."""
        self.state = State.RECORDED
        try:
            await self._ask_for_end(stream, "", below, is_last=is_last)
        except SLACK_FAULTS as error:
            log.info("a stream had ended: %s", slack_fault(error))
            return False
        return True

    async def _ask_for_end(
        self, stream: _Stream, piece: str, below: list[Block], *, is_last: bool
    ) -> None:
        """End a stream with a piece; the last message has `below`, and ends the session."""
        # A stream that was opened with `chunks` refuses `markdown_text`.
        chunks = [text_chunk(piece)] if piece else None
        await self._patient.chat_stopStream(
            channel=self._message.channel_id,
            ts=stream.ts,
            chunks=chunks,
            blocks=(is_last and below) or None,
            metadata=turn_metadata(self._turn.id),
            session_status="active" if is_last else "processing",
        )

    def _hold(self, error: Exception) -> None:
        log.info("streaming was given up: %s", slack_fault(error))
        self.state = State.HELD

    # --- posts ---------------------------------------------------------------------------------

    async def _post_text(self, text: str, below: list[Block]) -> None:
        """Post a text, in as many messages as it needs."""
        *parts, last = split_markdown(text, PAGE_LIMITS)
        for part in parts:
            await self._post_part(part, [])
        await self._post_part(last, below)

    async def _post_part(self, text: str, below: list[Block]) -> None:
        """Post a part; if Slack refuses its blocks, post it as text."""
        blocks = [{"type": "markdown", "text": text}, *below]
        try:
            await self._post({"text": truncate(text, FALLBACK_LIMIT), "blocks": blocks})
        except DeliveryFailed as failed:
            mrkdwn = _MENTION.sub(r"<\1>", escaped(text, MESSAGE_TEXT_LIMIT))
            await self._post_as_text(failed, mrkdwn)

    async def _post_as_text(self, refused: DeliveryFailed, text: str) -> None:
        """Post a message without the blocks that Slack refused; raises as `finish` does."""
        if refused.is_expected:
            raise refused
        log.warning("a reply was refused, it is posted as text: %s", refused.code)
        await self._post({"text": text})

    async def _post(self, content: Mapping[str, Any]) -> None:
        """INTENDED → ASKED → RECORDED, or HELD."""
        await self._intend()
        message = self._message
        try:
            ts = await post_once(
                self._patient,
                message.channel_id,
                content,
                # Unique to this message: others of the reply are in the thread.
                turn_metadata(self._turn.id, message=uuid4().hex),
                thread_ts=message.thread_ts,
                confirm=self._confirm_and_ask,
            )
        except SLACK_FAULTS as error:
            code = error_code(error)
            if code:
                self._hold(error)
            if is_passing(error):
                raise
            raise DeliveryFailed(code) from error
        await self._record_begun(ts)
        self.state = State.RECORDED

    async def _confirm_and_ask(self) -> None:
        await self._confirm()
        self._ask()

    async def _confirm(self) -> None:
        """Confirm the run, but ignore Stop, because a complete text is written anyway."""
        with suppress(Stopped):
            await self._turn.claimed.run.confirm()

    # --- what is recorded ----------------------------------------------------------------------

    async def _intend(self) -> None:
        """Any → INTENDED: delete outdated messages, and one that may be there unrecorded."""
        if self.state is State.ASKED:
            self._outdated += await unrecorded_messages(
                self._app.pool,
                self._patient,
                self._message.thread,
                turn_id=self._turn.id,
                ts=self._message.ts,
                since=self._asked_at,
            )
        while self._outdated:
            await self._delete(self._outdated[0])
            del self._outdated[0]
        if self.state is not State.INTENDED:
            await self._record("intend")
            self.state = State.INTENDED

    def _ask(self) -> None:
        """INTENDED → ASKED."""
        self.state = State.ASKED
        self._asked_at = time.time()

    async def _record(self, statement: RecordStatement, ts: str = "") -> None:
        await record_reply(self._app.pool, self._turn.claimed, statement, ts)

    async def _record_begun(self, ts: str) -> None:
        """Record a message that was begun; delete it if another worker answers."""
        # If this is cancelled, it is not known whether it is recorded.
        self._outdated.append(ts)
        try:
            await self._record("record", ts)
        except Superseded:
            # The other worker does not know of it, and would leave it beside its own.
            await self._delete(ts)
            raise
        self._outdated.remove(ts)

    async def _delete(self, ts: str) -> None:
        """Delete a message, if Slack allows it."""
        with unless_refused("delete a message"):
            await delete_message(self._patient, self._message.channel_id, ts)
            await self._record("remove", ts)
