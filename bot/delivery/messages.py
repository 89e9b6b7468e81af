"""The messages of an answer in its thread: begun, changed, found again, deleted."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from typing import Literal

from psycopg import OperationalError

from bot.conversation.interruptions import Interrupted
from bot.delivery.calls import Calls
from bot.delivery.outbox import OrphanedMessage, Outbox, own_among, turn_metadata
from bot.logs import fault
from bot.slack.client import SLACK_FAULTS, error_code
from bot.views.blocks import Block
from bot.views.reply import PART_LIMIT
from bot.views.tasks import Chunk

log = logging.getLogger(__name__)

# Slack ends a stream after about five minutes, even a busy one.
STREAM_SECONDS = 230.0
# How long Slack may be in trouble before a turn is ended, to be begun again.
TROUBLE_SECONDS = 120.0
_LONGEST_PAUSE_SECONDS = 10.0
# A call that a dying worker had under way may be carried out a little later.
SETTLED_SECONDS = 8.0
_LEAST_ROOM = 200


_NOT_WRITABLE = frozenset(
    {
        "cannot_reply_to_message",
        "channel_not_found",
        "is_archived",
        "not_in_channel",
        "restricted_action",
        "restricted_action_non_threadable_channel",
        "restricted_action_read_only_channel",
        "restricted_action_thread_locked",
        "restricted_action_thread_only_channel",
        "thread_not_found",
    }
)


class DeliveryFailed(Exception):
    """Slack refused the answer with the error `code`."""

    def __init__(self, code: str) -> None:
        super().__init__("Slack refused the answer.")
        self.code = code

    @property
    def is_expected(self) -> bool:
        """Whether nothing can be written there: archived, left, restricted, or a deleted thread.

        Source: "Errors" at https://docs.slack.dev/reference/methods/chat.postMessage
        """
        return self.code in _NOT_WRITABLE


class NoStreamNow(Exception):
    """Slack's limit allows no further stream just now: the answer is posted when it is whole."""


@dataclass(slots=True)
class Part:
    """One message of the answer: its ts, what it says, whether it streams, and since when."""

    ts: str
    text: str = ""
    live: bool = True
    opened_at: float = 0.0

    @property
    def room(self) -> int:
        """The number of characters that still fit."""
        return PART_LIMIT - len(self.text)

    @property
    def is_full(self) -> bool:
        """Whether the next words belong in another message."""
        return self.room < _LEAST_ROOM or time.monotonic() - self.opened_at > STREAM_SECONDS


class PostedMessages:
    """The messages of one answer. Each is recorded as intended before it is begun.

    Calls of Slack raise what its client raises, unless their lines say otherwise; those that begin
    a message raise `bot.conversation.interruptions.Superseded` when another worker answers.
    """

    def __init__(self, calls: Calls, posts: Outbox, bot_user_id: str) -> None:
        self._calls = calls
        self._posts = posts
        self._bot_user_id = bot_user_id
        # Usually ended: the answer to a message that was edited, or a notice. If one still streams,
        # because its worker died, its first update or deletion gets `streaming_state_conflict`.
        self.parts = [Part(ts, live=False) for ts in posts.times]
        self._ready: asyncio.Task[bool | None] | None = None
        self._noting: asyncio.Task[None] | None = None

    @property
    def live(self) -> Part | None:
        """The last message, where it streams."""
        return self.parts[-1] if self.parts and self.parts[-1].live else None

    def prepare(self) -> None:
        """Do now, while the model thinks, what `start` would have to wait for."""
        if self._ready is None and not self.parts:
            self._ready = asyncio.create_task(self._intend())

    async def _intend(self) -> bool | None:
        """Say whether a stream may be begun, which is then intended; None with no database."""
        if not self._calls.may_stream:
            return False
        try:
            await self._posts.intend()
        except OperationalError as error:
            log.info("a stream waits for the database: %s", fault(error))
            return None
        return True

    async def start(self, text: str, tasks: Sequence[Chunk] = ()) -> Part | None:
        """Begin a streamed message; None while the database, which has to note it, is away.

        Raises `NoStreamNow` where Slack's limit is reached.
        """
        await self.settle()
        ready, self._ready = self._ready, None
        intended = await (ready or self._intend())
        if not intended:
            if intended is None:
                return None
            raise NoStreamNow("Slack's limit allows no further stream just now.")
        try:
            ts = await self._calls.start(text, tasks)
        except SLACK_FAULTS as error:
            self._posts.unknown = not error_code(error)
            raise
        part = Part(ts, text, live=True, opened_at=time.monotonic())
        self.parts.append(part)
        # Noted while the next words come: until then the intention stands for it.
        self._noting = asyncio.create_task(self._note(part))
        return part

    async def settle(self) -> None:
        """Wait until the stream that was begun last is noted. Raises what noting it raised."""
        noting, self._noting = self._noting, None
        if noting is not None:
            await noting

    async def leave(self, *, replaced: bool = False) -> None:
        """Let nothing of this go on; what was made ready, and never begun, is not intended.

        With `replaced` the message is going to be changed or deleted: its stream is ended.
        The answer has ended already, one way or another: what goes wrong here changes nothing.
        """
        ready, self._ready = self._ready, None
        try:
            await self.settle()
            if ready is not None and await ready:
                await self._posts.unintend()
            if replaced and self.live is not None:
                await self._end(self.live)
        except (Interrupted, OperationalError) as error:
            log.info("an answer was left as it was: %s", fault(error))

    async def append(self, part: Part, text: str, tasks: Sequence[Chunk] = ()) -> bool:
        """Add to a stream; False where Slack's limit does not allow it now."""
        await self.settle()
        if not self._calls.may_append:
            return False
        try:
            await self._calls.append(part.ts, text, tasks)
        except SLACK_FAULTS as error:
            if error_code(error) == "ratelimited":
                return False
            raise
        part.text += text
        return True

    async def stop(
        self,
        part: Part,
        text: str,
        below: Sequence[Block] = (),
        tasks: Sequence[Chunk] = (),
        *,
        last: bool = True,
    ) -> None:
        """End a stream with its last words; without `last`, another message follows."""
        await self.settle()
        metadata = turn_metadata(self._posts.turn_id, self.parts.index(part))
        session: Literal["active", "processing"] = "active" if last else "processing"
        await self._calls.stop(
            part.ts, text, tasks, below=below, metadata=metadata, session=session
        )
        part.text += text
        part.live = False

    async def update(self, part: Part, text: str, below: list[Block]) -> bool:
        """Let a message say `text`; False where Slack does not let it be changed."""
        metadata = turn_metadata(self._posts.turn_id, self.parts.index(part))
        async for _ in _tries():
            await self._end(part)
            try:
                await self._calls.update(part.ts, text, below, metadata)
            except SLACK_FAULTS as error:
                # To set the same text twice is harmless.
                if error_code(error) == "streaming_state_conflict":
                    part.live = True
                elif error_code(error):
                    log.warning("a reply could not be updated: %s", error_code(error))
                    return False
            else:
                part.text = text
                return True
        return False

    async def post(self, text: str, below: list[Block]) -> None:
        """Post a message, once. Raises `DeliveryFailed` where Slack refuses it."""
        await self.settle()
        ready, self._ready = self._ready, None
        if not (ready and await ready):
            await self._posts.intend()
        metadata = turn_metadata(self._posts.turn_id, len(self.parts))
        problem: BaseException | None = None
        async for _ in _tries():
            if problem and (found := await self._unclaimed(marked_only=True)):
                await self._begun(Part(found[0], text, live=False))
                return
            try:
                ts = await self._calls.post(text, below, metadata)
            except SLACK_FAULTS as error:
                if error_code(error) == "ratelimited":
                    raise
                if code := error_code(error):
                    raise DeliveryFailed(code) from error
                problem = error
                self._posts.unknown = True
            else:
                await self._begun(Part(ts, text, live=False))
                return
        if problem:
            raise problem

    async def look(self) -> None:
        """Find a message that was posted but not recorded, and make it a part."""
        await self.settle()
        if not self._posts.unknown:
            return
        found = await self._unclaimed()
        if not found and self._posts.age < SETTLED_SECONDS:
            await asyncio.sleep(SETTLED_SECONDS - self._posts.age)
            found = await self._unclaimed()
        for ts in found:
            await self._begun(Part(ts))
        self.parts.sort(key=lambda part: part.ts)
        self._posts.unknown = False

    async def remove(self, part: Part) -> None:
        """Take a message away, if Slack lets it be."""
        await self._end(part)
        try:
            await self._delete(part)
        except SLACK_FAULTS as error:
            log.warning("a message was not deleted: %s", error_code(error) or fault(error))
            if error_code(error) != "message_not_found":
                return
        if part in self.parts:
            self.parts.remove(part)
            await self._posts.gone(part.ts)

    async def _delete(self, part: Part) -> None:
        try:
            await self._calls.delete(part.ts)
        except SLACK_FAULTS as error:
            if error_code(error) != "streaming_state_conflict" or part.live:
                raise
            part.live = True
            await self._end(part)
            await self._calls.delete(part.ts)

    async def _begun(self, part: Part) -> None:
        await self._note(part)
        self.parts.append(part)

    async def _note(self, part: Part) -> None:
        try:
            await self._posts.note(part.ts)
        except OrphanedMessage:
            # The other worker does not know it, and would leave it beside its own.
            await self.remove(part)
            raise

    async def _end(self, part: Part) -> None:
        if not part.live:
            return
        try:
            await self._calls.stop(part.ts)
        except SLACK_FAULTS as error:
            log.info("a stream could not be ended: %s", error_code(error) or fault(error))
            # Refused means that it had ended; after any other fault that is not known.
            part.live = not error_code(error)
        else:
            part.live = False

    async def _unclaimed(self, *, marked_only: bool = False) -> list[str]:
        """Look in the thread for messages of this turn; nothing where Slack does not say."""
        async for _ in _tries():
            try:
                found = await self._calls.replies()
            except SLACK_FAULTS as error:
                log.info("a thread could not be looked at: %s", error_code(error) or fault(error))
                if error_code(error):
                    break
                # A message that is not found would be posted twice: ask once more.
                continue
            claimed = await self._posts.claimed() | {part.ts for part in self.parts}
            return own_among(
                found if not marked_only else [one for one in found if one.get("metadata")],
                bot_user_id=self._bot_user_id,
                turn_id=self._posts.turn_id,
                since=self._posts.since,
                claimed=claimed,
            )
        return []


async def _tries() -> AsyncIterator[None]:
    """Go on trying, ever more slowly, for as long as Slack may be in trouble."""
    end, pause = time.monotonic() + TROUBLE_SECONDS, 0.3
    yield
    while time.monotonic() + pause < end:
        await asyncio.sleep(pause)
        yield
        pause = min(pause * 2, _LONGEST_PAUSE_SECONDS)
