"""Writes one reply to Slack: streams it, posts it, replaces it, finds it after a crash.

A reply is one or more messages, called pages here. A message that was streamed is appended to,
stopped or deleted, and never updated: how Slack combines its text with the new blocks is not
specified. Source: docs/reality.md, "Streams"

slack_sdk's `AsyncChatStream` is not used: it sends when its buffer is long enough, not once a
second, and begins a stream where a post is wanted.
"""

from __future__ import annotations

import asyncio
import logging
import re
import time
from collections.abc import Collection, Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from enum import Enum
from typing import Any
from uuid import UUID, uuid4

from psycopg import OperationalError

from bot.app import App
from bot.conversation.run import Interrupted, Stopped, Superseded
from bot.conversation.turns import Turn
from bot.delivery.record import RecordStatement, record_reply, recorded_in_thread
from bot.delivery.splitting import (
    Limits,
    Split,
    shown_end,
    split_markdown,
    split_point,
)
from bot.logs import fault
from bot.slack import posting
from bot.slack.client import (
    APPEND,
    CONVERSATION_GONE,
    SLACK_FAULTS,
    START,
    STOP,
    TeamClient,
    delete_message,
    error_code,
    is_passing,
    slack_fault,
    unless_refused,
)
from bot.slack.messages import split_thread_key
from bot.slack.posting import messages_since, post_once, with_metadata
from bot.slack.retries import RATE_LIMITED
from bot.ui.answers import markdown, text_chunk
from bot.ui.blocks import (
    FALLBACK_LIMIT,
    MESSAGE_BLOCKS_LIMIT,
    MESSAGE_TEXT_LIMIT,
    PART_LIMIT,
    Block,
    Payload,
    escaped,
    note,
    truncate,
)
from memory import Pool
from memory.model import Json

log = logging.getLogger(__name__)

# Long enough not to drop a reply for a rate limit, and yet not to hold a place for ever.
_PATIENCE_SECONDS = 600.0
# Four blocks of a message are left for what is below the text.
PAGE_LIMITS = Limits(PART_LIMIT, MESSAGE_BLOCKS_LIMIT - 4)
# A mention that an answer makes, escaped; no other text of it has one (`bot.pipeline.mentions`).
_MENTION = re.compile(r"&lt;(@[UW][A-Z0-9]{7,20})&gt;")
# The end of a page is held back until it is whole, so that it can end after a paragraph.
_NEARLY_FULL = Limits(PAGE_LIMITS.characters - 500, PAGE_LIMITS.blocks - 2)

_TURN_EVENT = "kioku_turn"
_STOPPED_BY_USER = "stopped_by_user"


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
    """How much of the page that is being written is in Slack."""

    EMPTY = "nothing; it may be streamed"
    STREAMING = "a stream that grows"
    HELD = "nothing, or a stream that takes no more; the page is posted when whole"


@dataclass(slots=True)
class _Page:
    """A message of the reply: the text from `start` on, after `opening`.

    `ts` is that of its stream, empty if there is none. `sent` characters are in the stream.
    """

    start: int = 0
    opening: str = ""
    ts: str = ""
    sent: int = 0

    def text(self, reply: str) -> str:
        """Return the page's opening and the reply from the page's start on."""
        return self.opening + reply[self.start :]

    def position(self, characters: int) -> int:
        """Return the position in the reply that is `characters` into the page."""
        return self.start + max(characters - len(self.opening), 0)


class ReplyInSlack:
    """The messages of one reply in Slack, as a state machine.

    `state` is that of the page that is being written; `text` is the reply so far.

    ::

        EMPTY ──begin_stream──▶ STREAMING ──append──▶ STREAMING
          │                         ├──turn_page──▶ EMPTY, the next page
          └──refused──▶ HELD ◀──────┘ refused

    `show` takes the reply as far as a stream can, `finish` to its end, and `stop` ends it where it
    is. Each page whose stream is full is ended, and the next one begun. What is not in an ended
    stream at the end is posted, and a stream that a post replaces is deleted.

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
        self.state = State.EMPTY
        self.text = ""
        self._page = _Page()
        self._ended_pages: list[str] = []
        # Messages to delete, of earlier attempts or of a discarded text.
        self._outdated = list(turn.reply_ts)
        self._is_intended = True
        # When this attempt, or one that died, asked Slack for a message whose ts is not recorded
        # (seconds since 1970); None if there is certainly no such message.
        self._asked_at = None if turn.asked is None else time.time() - turn.asked
        self._start: asyncio.Task[None] | None = None

    # --- what the reply is to be ---------------------------------------------------------------

    def start_over(self) -> None:
        """Discard the text so far; what is shown of it is deleted when there is more to show."""
        if self._page.ts:
            self._outdated.append(self._page.ts)
        self._outdated += self._ended_pages
        self._ended_pages = []
        self._page = _Page()
        self.text = ""
        if self.state is State.STREAMING:
            self.state = State.EMPTY

    async def show(self) -> bool:
        """Stream as much of the text so far as can be shown now.

        Returns False if there is nothing to show yet. Raises `Stopped` if Slack says that the
        person pressed Stop.
        """
        await self._wait_until_answered()
        if self.state is State.HELD or not self._unsent().strip():
            return False
        await self._turn.claimed.run.confirm()
        while split := self._overflow():
            if not await self._turn_page(split, may_wait=False):
                return True
        text = self._page.text(self.text)
        if not _NEARLY_FULL.fit(text):
            return True
        # White space waits for what follows it: the whole text has none at its end.
        piece = text[self._page.sent : shown_end(text)].rstrip()
        if not piece:
            return self.state is State.STREAMING
        if self.state is State.EMPTY:
            await self._begin_stream(piece)
        elif self.state is State.STREAMING:
            await self._append(piece)
        return True

    async def finish(self, text: str, below: list[Block]) -> bool:
        """Deliver the whole reply, with `below` under its last message.

        A page whose stream cannot be ended with its whole text is deleted and posted anew, because
        it is not always known how much of it Slack has. Returns whether the end of a stream has
        ended the session. Raises `DeliveryFailed` if Slack refuses the reply in every form.
        """
        await self._wait_until_answered()
        await self._confirm()
        self._take_whole_text(text)
        has_ended = self.state is State.STREAMING and await self._end(below)
        if not has_ended:
            await self._post_rest(below)
        return has_ended

    async def tell(self, payload: Payload) -> None:
        """Post a message of the app's own as the whole reply; raises as `finish` does."""
        await self._wait_until_answered()
        self.start_over()
        self.text = payload["text"]
        await self._prepare()
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
        await self._wait_until_answered()
        await self._confirm()
        if not self._page.ts:
            self.text = f"{self.text.rstrip()}\n\n{line}".lstrip()
            await self._post_rest(below)
            return False
        has_ended = await self._close_stream([note(line), *below])
        shown = self.text[: self._page.position(self._page.sent)].rstrip()
        self.text = f"{shown}\n\n{line}"
        if not has_ended:
            self._begin_page(start=len(self.text) - len(line))
            await self._post_rest(below)
        return has_ended

    async def leave(self) -> None:
        """Clear an intent whose message was never begun.

        Errors are logged only, because the reply has ended already.
        """
        try:
            await self._wait_until_answered()
            if self._is_intended and self._asked_at is None:
                await self._record("give_up_intent")
        except (Interrupted, OperationalError, *SLACK_FAULTS) as error:
            log.info("a reply was left as it was: %s", fault(error))

    # --- pages ---------------------------------------------------------------------------------

    def _unsent(self) -> str:
        return self._page.text(self.text)[self._page.sent :]

    def _overflow(self) -> Split | None:
        """Return where the page must end, or None if the whole text fits into it."""
        text = self._page.text(self.text)
        if PAGE_LIMITS.fit(text):
            return None
        # The page keeps what was sent, and at least one character after its opening.
        at_least = max(self._page.sent, len(self._page.opening) + 1)
        return split_point(text, PAGE_LIMITS, at_least=at_least)

    def _begin_page(self, start: int, opening: str = "") -> None:
        """Begin the next page after this one, whose stream has ended."""
        self._ended_pages.append(self._page.ts)
        self._page = _Page(start=start, opening=opening)
        self.state = State.EMPTY

    def _take_whole_text(self, text: str) -> None:
        """Take the reply's whole text; start over if it does not begin with what is shown."""
        shown = self.text[: self._page.position(self._page.sent)]
        if not text.startswith(shown):
            self.start_over()
        self.text = text

    # --- the transitions of a stream -----------------------------------------------------------

    async def _begin_stream(self, piece: str) -> None:
        """EMPTY → STREAMING, or HELD; nothing while a rate limit refuses streams."""
        limits = self._slack.limits
        team_id = self._message.team_id
        if limits.wait(team_id, START) or limits.wait(team_id, STOP):
            return
        await self._prepare()
        self._asked_at = time.time()
        self._start = asyncio.create_task(self._ask_for_stream(piece))
        try:
            # Stop ends the wait for Slack's answer, but neither the call nor its record.
            await asyncio.shield(self._start)
        finally:
            if self._start.done():
                self._start = None

    async def _ask_for_stream(self, piece: str) -> None:
        message = self._message
        try:
            answer = await self._client.chat_startStream(
                channel=message.channel_id,
                thread_ts=message.thread_ts,
                recipient_team_id=message.user_team_id,
                recipient_user_id=message.user_id,
                chunks=[text_chunk(piece)],
            )
        except SLACK_FAULTS as error:
            _log_refusal(error)
            if error_code(error):
                self._asked_at = None
            self.state = State.HELD
            return
        self._page.ts = str(answer["ts"])
        self._page.sent += len(piece)
        self.state = State.STREAMING
        await self._record_begun(self._page.ts)

    async def _wait_until_answered(self) -> None:
        """EMPTY → STREAMING, or HELD: wait for a beginning that outlived a cancellation."""
        if self._start is None:
            return
        start = self._start
        await asyncio.wait({start}, timeout=posting.SETTLED_SECONDS)
        self._start = None
        if start.done():
            start.result()
            return
        start.cancel()
        await asyncio.wait({start})
        self.state = State.HELD

    async def _append(self, piece: str) -> None:
        """STREAMING → STREAMING, or HELD; nothing while a rate limit refuses it."""
        if self._slack.limits.wait(self._message.team_id, APPEND):
            return
        try:
            await self._client.chat_appendStream(
                channel=self._message.channel_id,
                ts=self._page.ts,
                chunks=[text_chunk(piece)],
            )
        except SLACK_FAULTS as error:
            self._break(error)
            return
        self._page.sent += len(piece)

    async def _turn_page(self, split: Split, *, may_wait: bool) -> bool:
        """STREAMING → EMPTY: end a full page; return whether the next one was begun."""
        text = self._page.text(self.text)
        if self.state is State.EMPTY:
            await self._begin_stream(text[: split.at])
        if self.state is not State.STREAMING:
            return False
        client = self._patient
        if not may_wait:
            client = self._client
            if self._slack.limits.wait(self._message.team_id, STOP):
                return False
        piece = text[self._page.sent : split.at] + split.closing
        if not await self._stop_stream(client, piece, [], "processing"):
            return False
        self._begin_page(self._page.position(split.at), split.opening)
        return True

    async def _end(self, below: list[Block]) -> bool:
        """Return whether the stream was ended with its whole text.

        STREAMING → EMPTY where the page is full, or HELD.
        """
        try:
            if split := self._overflow():
                await self._turn_page(split, may_wait=True)
                return False
            return await self._stop_stream(
                self._patient, self._unsent(), below, "active"
            )
        except Stopped:
            # The text is complete, so what Slack did not take is posted below.
            has_whole_text = not self._unsent().strip()
            await self._close_stream(below if has_whole_text else [])
            self._begin_page(self._page.position(self._page.sent))
            return has_whole_text

    async def _stop_stream(
        self, client: TeamClient, piece: str, below: list[Block], session: str
    ) -> bool:
        """End the stream with its last text; if that fails, call `_break` and return False."""
        try:
            await self._ask_for_end(client, piece, below, session)
        except SLACK_FAULTS as error:
            self._break(error)
            return False
        return True

    async def _close_stream(self, below: list[Block]) -> bool:
        """End a stream that takes no more text; return whether Slack took `below`."""
        try:
            await self._ask_for_end(self._patient, "", below, "active")
        except SLACK_FAULTS as error:
            log.info("a stream had ended: %s", slack_fault(error))
            return False
        return True

    async def _ask_for_end(
        self, client: TeamClient, piece: str, below: list[Block], session: str
    ) -> None:
        # A stream that was opened with `chunks` refuses `markdown_text`.
        chunks = [text_chunk(piece)] if piece else None
        await client.chat_stopStream(
            channel=self._message.channel_id,
            ts=self._page.ts,
            chunks=chunks,
            blocks=below or None,
            metadata=turn_metadata(self._turn.id),
            session_status=session,
        )

    def _break(self, error: Exception) -> None:
        """STREAMING → HELD, unless the error is only a rate limit.

        Raises `Stopped` where Slack has ended the stream because the person pressed Stop.
        """
        code = error_code(error)
        if code == RATE_LIMITED:
            return
        if code == _STOPPED_BY_USER:
            raise Stopped from error
        _log_refusal(error)
        self.state = State.HELD

    # --- the transitions of posts --------------------------------------------------------------

    async def _post_rest(self, below: list[Block]) -> None:
        """Post the page, in place of a stream that does not end with it, and what follows it."""
        if self._page.ts:
            self._outdated.append(self._page.ts)
            self._page.ts = ""
        rest = self._page.text(self.text)
        if not self._ended_pages:
            rest = rest.lstrip("\n")
        if rest.strip() or not self._ended_pages:
            *parts, last = split_markdown(rest, PAGE_LIMITS)
            for part in parts:
                await self._post_part(part, [])
            await self._post_part(last, below)

    async def _post_part(self, text: str, below: list[Block]) -> None:
        """Post a part; if Slack refuses its blocks, post it as text."""
        await self._prepare()
        blocks = [markdown(text), *below]
        try:
            await self._post({"text": truncate(text, FALLBACK_LIMIT), "blocks": blocks})
        except DeliveryFailed as failed:
            await self._post_as_text(failed, _as_mrkdwn(text))

    async def _post_as_text(self, refused: DeliveryFailed, text: str) -> None:
        """Post a message without the blocks that Slack refused; raises as `finish` does."""
        if refused.is_expected:
            raise refused
        log.warning("a reply was refused, it is posted as text: %s", refused.code)
        await self._post({"text": text})

    async def _post(self, content: Mapping[str, Any]) -> None:
        message = self._message
        try:
            ts = await post_once(
                self._patient,
                message.channel_id,
                content,
                # Unique to this message: others of the reply are in the thread.
                turn_metadata(self._turn.id, message=uuid4().hex),
                thread_ts=message.thread_ts,
                confirm=self._confirm_post,
            )
        except SLACK_FAULTS as error:
            code = error_code(error)
            if code:
                self._asked_at = None
            if is_passing(error):
                raise
            raise DeliveryFailed(code) from error
        self._ended_pages.append(ts)
        await self._record_begun(ts)

    async def _confirm_post(self) -> None:
        await self._confirm()
        self._asked_at = time.time()

    async def _confirm(self) -> None:
        """Confirm the run, but ignore Stop, because a complete text is written anyway."""
        with suppress(Stopped):
            await self._turn.claimed.run.confirm()

    # --- what is recorded ----------------------------------------------------------------------

    async def _prepare(self) -> None:
        """Delete outdated messages; record that a message is about to be begun."""
        if self._asked_at is not None:
            self._outdated += await unrecorded_messages(
                self._app.pool,
                self._patient,
                self._message.thread,
                turn_id=self._turn.id,
                ts=self._message.ts,
                since=self._asked_at,
            )
            self._asked_at = None
            self._is_intended = False
        while self._outdated:
            await self._delete(self._outdated[0])
            del self._outdated[0]
        if not self._is_intended:
            await self._record("intend")
            self._is_intended = True

    async def _record(self, statement: RecordStatement, ts: str = "") -> None:
        await record_reply(self._app.pool, self._turn.claimed, statement, ts)

    async def _record_begun(self, ts: str) -> None:
        """Record a message that was begun; delete it if another worker answers."""
        try:
            await self._record("record", ts)
        except Superseded:
            # The other worker does not know of it, and would leave it beside its own.
            await self._delete(ts)
            raise
        self._is_intended = False
        self._asked_at = None

    async def _delete(self, ts: str) -> None:
        """Delete a message, if Slack allows it."""
        with unless_refused("delete a message"):
            await delete_message(self._patient, self._message.channel_id, ts)
            await self._record("remove", ts)


def turn_metadata(turn_id: UUID, **payload: str) -> dict[str, Any]:
    """Return the metadata of a reply's message. Every member of the workspace can read it."""
    return {
        "event_type": _TURN_EVENT,
        "event_payload": {"turn": str(turn_id), **payload},
    }


async def unrecorded_messages(
    pool: Pool, client: TeamClient, thread: str, *, turn_id: UUID, ts: str, since: float
) -> list[str]:
    """Return the ts of a turn's messages that are in its thread but not recorded.

    `ts` is that of the message that is answered. `since` is when Slack was asked for a message
    (seconds since 1970); until that call is certainly over, this waits. Raises what the Slack
    client raises if the thread may be read later, and `psycopg.OperationalError`.
    """
    _, channel_id, thread_ts = split_thread_key(thread)
    found = await messages_since(client, channel_id, since, thread_ts=thread_ts)
    # Slack includes the thread's first message, however old it is.
    replies = [one for one in found if _time(one) > float(ts)]
    return messages_of_turn(
        replies,
        bot_user_id=client.bot_user_id(),
        turn_id=turn_id,
        since=since,
        recorded=await recorded_in_thread(pool, thread),
    )


def messages_of_turn(
    found: Iterable[Json],
    *,
    bot_user_id: str,
    turn_id: UUID,
    since: float,
    recorded: Collection[str],
) -> list[str]:
    """Return the ts of the turn's messages among those `found` in its thread, in order.

    They are the app's unrecorded messages with the turn's metadata. If there are none, it is the
    one without metadata nearest to `since`, when it was asked for: a stream gets its metadata only
    when it ends.
    """
    unrecorded = [one for one in found if one["ts"] not in recorded]
    marked = with_metadata(unrecorded, turn_metadata(turn_id), author=bot_user_id)
    if marked:
        return marked
    own = [one for one in unrecorded if one.get("user") == bot_user_id]
    bare = [one for one in own if not one.get("metadata")]
    if not bare:
        return []
    nearest = min(bare, key=lambda one: abs(_time(one) - since))
    return [nearest["ts"]]


def _as_mrkdwn(answer: str) -> str:
    """Return an answer as mrkdwn, with its mentions."""
    return _MENTION.sub(r"<\1>", escaped(answer, MESSAGE_TEXT_LIMIT))


def _time(message: Json) -> float:
    return float(message["ts"])


def _log_refusal(error: Exception) -> None:
    log.info("streaming was given up: %s", slack_fault(error))
