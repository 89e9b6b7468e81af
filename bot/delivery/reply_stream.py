"""The reply to one message in Slack: streamed, else posted.

slack_sdk's `AsyncChatStream` is not used: it sends when its buffer is long enough, not once a
second, puts words before the tasks they follow, and begins a stream where a post is wanted.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import suppress
from typing import Self

from bot.conversation.claimed_message import ClaimedMessage, Stopped, Superseded
from bot.conversation.turns import Turn
from bot.delivery.outbox import Outbox
from bot.delivery.posted_messages import PostedMessage, PostedMessages
from bot.delivery.sessions import Sessions
from bot.delivery.splitting import break_point, closing_fence, open_fence, split_markdown
from bot.logs import fault
from bot.people import People
from bot.slack.client import SLACK_FAULTS, Installations, error_code
from bot.slack.ephemeral import show_privately
from bot.slack.messages import has_unlinked
from bot.types import Task
from bot.ui.blocks import Block
from bot.ui.messages import PayloadMaker
from bot.ui.reader import Reader
from bot.ui.reply import PART_LIMIT, Chunk, footer, task_chunk
from memory import DM, Pool

log = logging.getLogger(__name__)

FLUSH_SECONDS = 1.0
# After STALLED_SECONDS (6) without a heartbeat another worker may take the message: how long a
# check of ownership counts.
_SURE_SECONDS = 5.0
_AWAY_SECONDS = 60.0
# Slack counts the cards of tasks with the text. Source: docs/reality.md, "Streams".
_CARD_LENGTH = 300


class OwnershipUnknown(Exception):
    """The database was unavailable too long to say whether this worker may still answer."""


class ReplyStream:
    """The reply to one message, as a context manager; its exit cancels what still runs.

    `read_flags` raises `Interrupted` if the reply must end, as all methods then do; it returns
    False while the database is unavailable, so that this is not known.
    """

    interactive = True

    def __init__(
        self,
        pool: Pool,
        slack: Installations,
        sessions: Sessions,
        people: People,
        turn: Turn,
        *,
        stand_in: bool,
        read_flags: Callable[[ClaimedMessage], Awaitable[bool]],
    ) -> None:
        self._sessions = sessions
        self._turn = turn
        self._message = turn.message
        self._slack = slack
        self._people = people
        self._stand_in = stand_in
        self._read_flags = read_flags
        # Asked of Slack while the model thinks: the first words do not wait for it.
        self._reader = asyncio.create_task(
            people.reader(
                self._message.person, self._message.text, settings=turn.memory_state.settings
            )
        )
        self._messages = PostedMessages(
            slack, self._message, Outbox(pool, turn), confirm=self._confirm
        )
        self._may_stream = True
        self._processing = sessions.begin(self._message, titled=turn.memory_state.on_record)
        self._is_active = False
        self._text = self._pending = ""
        self._tasks: dict[str, Chunk] = {}
        self._shown_tasks: dict[str, Chunk] = {}
        # When it was last known that this worker owns the message; when the flags were last asked
        # for, also without an answer. `Turns.begin` has read them.
        self._sure_at = time.monotonic()
        self._checked_at = float("-inf") if turn.changed else self._sure_at
        self._shown_at = float("-inf")

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, kind: object = None, *_: object) -> None:
        # All tasks of this reply end when it is left, whatever happened.
        error = kind if isinstance(kind, type) else None
        if not (self._is_active or (error and issubclass(error, Superseded))):
            await self._sessions.end(self._message, self._processing)
        kept = error is None or issubclass(error, Superseded | asyncio.CancelledError)
        await self._messages.leave(replaced=not kept)
        self._reader.cancel()
        await asyncio.gather(self._reader, return_exceptions=True)

    async def reader(self) -> Reader:
        """Return who reads the reply."""
        return await asyncio.shield(self._reader)

    @property
    def received_text(self) -> str:
        """The text of the reply so far, shown or not."""
        return self._text

    async def check(self) -> None:
        """Raise `Interrupted` if the reply must end; the row is read at most once a second."""
        if time.monotonic() - self._checked_at < FLUSH_SECONDS:
            return
        known = True
        try:
            known = await self._read_flags(self._turn.claimed)
        except Stopped:
            # Slack has ended the stream, and refuses more text for it: `stopped_by_user`.
            self._may_stream = False
            raise
        finally:
            self._checked_at = time.monotonic()
            if known:
                self._sure_at = self._checked_at

    async def write(self, piece: str) -> None:
        """Take a piece of the reply; send the collected text to Slack once a second.

        Raises as `check` does, with the piece taken.
        """
        self._text += piece
        self._pending += piece
        await self.check()
        await self._show()

    async def task(self, task: Task) -> None:
        """Show the state of a tool call: at once if it takes long, else with the next text."""
        if not self._may_stream:
            return
        self._add_task(task_chunk(await self.reader(), task))
        if task.takes_long:
            await self._show()

    def start_over(self) -> None:
        """Discard the text so far; what is shown of it is deleted when there is more to show."""
        self._messages.discard()
        self._text = self._pending = ""
        self._tasks.clear()
        self._shown_tasks.clear()

    async def finish(
        self, text: str, *, recalled: bool = False, can_be_rated: bool = False
    ) -> None:
        """Deliver the whole reply, below it buttons for the memories it `recalled` and a rating.

        Raises `DeliveryFailed` when Slack refuses it in every way, what the Slack client raises
        when Slack is unavailable for too long, and `Interrupted`, but not for Stop: its sentence is
        final.
        """
        await self._confirm()
        footer_blocks = footer(
            await self.reader(),
            stand_in=self._stand_in,
            memory_state=self._turn.memory_state,
            recalled_turn=self._turn.id if recalled else None,
            rated_turn=self._turn.id if can_be_rated else None,
            links_removed=has_unlinked(text),
        )
        if not self._complete(text):
            self._messages.discard()
            self._pending = text
        if self._may_stream and self._messages.live:
            was_set = await self._sessions.is_set(self._processing)
            if await self._end_stream(footer_blocks):
                self._is_active = was_set
                return
        await self._post_rest(footer_blocks)

    async def show(self, makers: Sequence[PayloadMaker]) -> None:
        """Send the messages that these functions return; in a channel, to the person only."""
        person, in_dm = self._message.person, self._turn.view.own.audience == DM
        for make_payload in makers:
            # Read again: the person may just have chosen another one.
            reader = await self._people.reader(person, self._message.text)
            payload = await make_payload(person, reader)
            try:
                await show_privately(self._slack, self._message, payload, in_dm=in_dm, replied=True)
            except SLACK_FAULTS as error:
                log.warning(
                    "a private message was not shown: %s", error_code(error) or fault(error)
                )

    @property
    def _is_sure(self) -> bool:
        return time.monotonic() - self._sure_at < _SURE_SECONDS

    async def _confirm(self) -> None:
        """Check ownership before posting; waits up to a minute for PostgreSQL."""
        end = time.monotonic() + _AWAY_SECONDS
        while True:
            with suppress(Stopped):
                await self.check()
            if self._is_sure:
                return
            if time.monotonic() > end:
                raise OwnershipUnknown(
                    "The database is unavailable: another worker may answer this message."
                )
            await asyncio.sleep(FLUSH_SECONDS)

    async def _show(self) -> None:
        waits = time.monotonic() - self._shown_at < FLUSH_SECONDS
        if waits or not (self._pending.strip() or self._tasks):
            return
        if not (self._may_stream and self._is_sure):
            return
        try:
            await self._flush()
        except SLACK_FAULTS as error:
            self._stop_streaming(error)
        self._shown_at = time.monotonic()

    def _stop_streaming(self, error: BaseException) -> None:
        log.info("streaming was given up: %s", error_code(error) or fault(error))
        self._may_stream = False

    def _complete(self, text: str) -> bool:
        """Make pending what `text` has beyond the received text; False if it differs.

        White space at the end of what was received is not compared, and is dropped where it is not
        shown yet: the text of a whole reply has none there.
        """
        received = self._text
        if not text.startswith(received):
            received = received.rstrip()
            if not text.startswith(received):
                return False
            self._pending = self._pending.rstrip()
        self._pending += text[len(received) :]
        return True

    async def _end_stream(self, footer_blocks: list[Block]) -> bool:
        """Show all that is pending, and end the reply and its tasks; False if it cannot go on."""
        self._end_tasks(self._shown_tasks | self._tasks)
        try:
            return await self._flush(last=footer_blocks)
        except SLACK_FAULTS as error:
            self._stop_streaming(error)
            return False

    def _add_task(self, chunk: Chunk) -> None:
        identity = str(chunk["id"])
        if identity in self._shown_tasks:
            # Slack adds details to those that the task has.
            chunk = {name: value for name, value in chunk.items() if name != "details"}
        self._tasks[identity] = chunk

    def _end_tasks(self, tasks: Mapping[str, Chunk]) -> None:
        # Slack shows a task that is open when its stream ends as an error.
        for identity, shown in tasks.items():
            latest = self._tasks.get(identity, shown)
            if latest["status"] == "in_progress":
                self._add_task({**latest, "status": "complete"})

    async def _flush(self, *, last: list[Block] | None = None) -> bool:
        """Send what is pending to the stream; False where it has to wait, or will be posted.

        With `last`, the footer, the stream is ended. A stream that is full or old is ended, too:
        the rest of the answer is posted when it is whole.
        """
        live = self._messages.live
        if live is None:
            text = self._fitting(0)
            if self._messages.posted or not (text or self._tasks):
                return False
            live = await self._messages.start(text, [*self._tasks.values()])
            if live is None:
                return False
            self._shown(text)
        text = self._fitting(len(live.text))
        if text != self._pending or live.is_old:
            await self._close(live, text)
            return False
        tasks = [*self._tasks.values()]
        if last is not None:
            await self._messages.stop(live, text, last, tasks)
        elif (text or tasks) and not await self._messages.append(live, text, tasks):
            return False
        self._shown(text)
        return True

    def _fitting(self, length: int) -> str:
        """Return what of the pending text fits into a message with `length` characters of text."""
        cards = _CARD_LENGTH * len(self._shown_tasks | self._tasks)
        room = max(PART_LIMIT - length - cards, 0)
        at = room if len(self._pending) <= room else break_point(self._pending, room)
        return self._pending[:at]

    def _shown(self, text: str) -> None:
        self._pending = self._pending[len(text) :]
        self._shown_tasks |= self._tasks
        self._tasks.clear()

    async def _close(self, live: PostedMessage, text: str) -> None:
        """End a stream; a code block that it leaves open is closed in it, and goes on in a post."""
        self._may_stream = False
        rest = self._pending[len(text) :]
        if fence := open_fence(live.text + text):
            text, rest = f"{text}\n{closing_fence(fence)}", f"{fence}\n{rest}"
        self._end_tasks(self._shown_tasks | self._tasks)
        await self._messages.stop(live, text, tasks=[*self._tasks.values()], last=False)
        self._pending = rest

    async def _post_rest(self, footer_blocks: list[Block]) -> None:
        """Post what was not shown; a stream that broke off is deleted, and its text posted again.

        How much of it Slack has is not always known. A message is also posted again if nothing but
        the footer is left.
        """
        await self._messages.wait_recorded()
        posted = self._messages.posted
        if posted and (posted[-1].live or not self._pending.strip()):
            self._pending = posted[-1].text + self._pending
            self._messages.discard(len(posted) - 1)
        *parts, last = split_markdown(self._pending.lstrip("\n"), PART_LIMIT)
        for part in parts:
            await self._messages.post(part, [])
        await self._messages.post(last, footer_blocks)
