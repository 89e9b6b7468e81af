"""The reply to one message in Slack: streamed, else posted; the status of its agent session.

slack_sdk's `AsyncChatStream` is not used: it sends when its buffer is long enough, not once a
second, puts words before the tasks they follow, and begins a stream where a post is wanted.
"""

from __future__ import annotations

import asyncio
import logging
import math
import re
import time
from collections.abc import Coroutine, Sequence
from contextlib import suppress
from functools import partial
from typing import Any, Literal, Self

from bot.conversation.run import Stopped, Superseded
from bot.conversation.turns import Turn
from bot.delivery.posted_messages import PostedMessages, carried_out
from bot.locale import Reader
from bot.logs import fault
from bot.people import People
from bot.slack.client import (
    PATIENCE_SECONDS,
    SESSION,
    SLACK_FAULTS,
    START,
    Installations,
    error_code,
    show_privately,
)
from bot.slack.messages import Message, split_thread_key
from bot.types import Task
from bot.ui.blocks import PART_LIMIT, Block, Chunk, footer, task_chunk
from bot.ui.lines import off_line
from bot.ui.messages import PayloadMaker
from memory import DM, Pool

log = logging.getLogger(__name__)

FLUSH_SECONDS = 1.0
# Slack counts the cards of tasks with the text. Source: docs/reality.md, "Streams".
_CARD_LENGTH = 300

# As CommonMark has it, within lists too; a line with both ends is inline code. Source:
# https://spec.commonmark.org/0.31.2/#fenced-code-blocks
_FENCE = re.compile(r"^([ \t]{0,12})(`{3,30}(?=[^`\n]*$)|~{3,30}(?!~))([^\n]*)$", re.MULTILINE)
# A longer one, repeated in each part, could fill the part.
_FENCE_LENGTH = 64

# Seconds that the end of a stream waits for the call that began its session, and that of the
# process for all calls.
_SESSION_SECONDS = 2.0
# The request to the model goes first: the person waits for its answer.
_MODEL_FIRST_SECONDS = 0.02
# Errors that say that a workspace has no agent sessions.
_NO_SESSIONS = frozenset(
    {"feature_disabled", "method_deprecated", "missing_scope", "unknown_method"}
)

# Markup, and references to people, channels and groups: a title has no names of others.
_MARKS = re.compile(r"(?:<(?:@|#|!subteam\^)[A-Z0-9]+>|[*_~`>#\s])+")
TITLE_CHARACTERS = 80
"""The longest title the app gives a session. Slack takes 200; its list of sessions shows fewer."""


class Sessions:
    """Sets the agent session status of threads in tasks; a failed call never fails an answer.

    While it is `processing`, Slack shows a loading indicator and the Stop button. Workspaces
    without agent sessions have neither. Source: https://docs.slack.dev/ai/agent-sessions
    """

    def __init__(self, slack: Installations) -> None:
        self._slack = slack
        self._tasks: set[asyncio.Task[None]] = set()

    def begin(self, message: Message, title: str) -> asyncio.Task[None]:
        """Set the session of the message's thread to `processing`; return the call under way.

        A new session gets the `title`, if it is not empty.
        """
        more = {"title": title} if title else {}
        # Slack does not know every person of another workspace by id.
        if message.user_team_id == message.team_id:
            more["initiator_user_id"] = message.user_id
        return self._start(self._set(message.thread, "processing", None, **more))

    def activate(self, thread: str, *, after: asyncio.Task[None] | None = None) -> None:
        """Set the session of a thread to `active`, `after` the call of `begin`.

        Also one that a process which died may have left in `processing`.
        """
        self._start(self._set(thread, "active", after))

    async def close(self) -> None:
        """Wait for the calls under way, two seconds at most, and cancel the others."""
        if self._tasks:
            _, late = await asyncio.wait(self._tasks, timeout=_SESSION_SECONDS)
            for task in late:
                task.cancel()
            await asyncio.gather(*late, return_exceptions=True)

    async def _set(
        self,
        thread: str,
        status: Literal["processing", "active"],
        after: asyncio.Task[None] | None,
        /,
        **more: str,
    ) -> None:
        if after is not None:
            await asyncio.wait({after})
        elif status == "processing":
            begun = time.monotonic()
            await asyncio.sleep(_MODEL_FIRST_SECONDS)
            if time.monotonic() - begun > _SESSION_SECONDS:
                return  # suspended meanwhile: another process may have ended the session
        limits, ends = self._slack.limits, status == "active"
        team_id, channel_id, thread_ts = split_thread_key(thread)
        wait = limits.wait(team_id, SESSION)
        # Without a stream the end of the session is a second call of the same limit: what is left
        # of it is for `active`.
        if wait == math.inf or (not ends and (wait or limits.wait(team_id, START))):
            return
        client = self._slack.client(team_id, patience=PATIENCE_SECONDS if ends else 0.0)
        where = {"channel_id": channel_id, "thread_ts": thread_ts}
        try:
            await carried_out(
                partial(client.agents_sessions_setStatus, **where, status=status, **more)
            )
        except SLACK_FAULTS as error:
            if error_code(error) in _NO_SESSIONS:
                log.warning("Slack has no agent sessions here (%s): no Stop", error_code(error))
                limits.never(team_id, SESSION)
            else:
                log.info("a session's status was not set: %s", error_code(error) or fault(error))

    def _start(self, work: Coroutine[Any, Any, None]) -> asyncio.Task[None]:
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return task


class ReplyStream:
    """The reply to one message, as a context manager.

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
    ) -> None:
        self._sessions = sessions
        self._turn = turn
        self._message = turn.message
        self._slack = slack
        self._people = people
        self._stand_in = stand_in
        self._reader: Reader | None = None
        self._messages = PostedMessages(pool, slack, turn, confirm=self._confirm)
        self._may_stream = True
        titled = turn.memory_state.on_record and self._message.opens_thread
        title = title_of(turn.words) if titled and self._message.audience == DM else ""
        self._processing = sessions.begin(self._message, title)
        self._is_active = False
        # Of the text the first `_shown` characters are in the stream.
        self.received_text, self._shown = "", 0
        self._tasks: dict[str, Chunk] = {}
        self._shown_tasks: dict[str, Chunk] = {}
        # When the flags were last asked for, and whether they said that this worker owns the
        # message. `Turns.begin` has read them.
        self._is_sure = True
        self._shown_at = float("-inf")

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, kind: object = None, *_: object) -> None:
        superseded = isinstance(kind, type) and issubclass(kind, Superseded)
        if not (self._is_active or superseded):
            self._sessions.activate(self._message.thread, after=self._processing)
        await self._messages.leave()

    async def reader(self) -> Reader:
        """Return who reads the reply."""
        if self._reader is None:
            person, settings = self._message.person, self._turn.memory_state.settings
            self._reader = await self._people.reader(person, self._message.text, settings=settings)
        return self._reader

    async def check(self) -> None:
        """Raise `Interrupted` if the reply must end; the row is read at most once a second."""
        try:
            self._turn.claimed.run.raise_if_interrupted()
        except Stopped:
            self._may_stream = False
            raise
        await self._turn.claimed.run.confirm()

    async def write(self, piece: str) -> None:
        """Take a piece of the reply; send the collected text to Slack once a second.

        Raises as `check` does, with the piece taken.
        """
        self.received_text += piece
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
        self.received_text, self._shown = "", 0
        self._tasks.clear()
        self._shown_tasks.clear()

    async def finish(
        self, text: str, *, recalled: bool = False, can_be_rated: bool = False
    ) -> None:
        """Deliver the whole reply, below it buttons for the memories it `recalled` and a rating.

        A stream that cannot be ended with all of it is deleted, and the reply posted in parts: how
        much of it Slack has is not always known. Raises `DeliveryFailed` when Slack refuses it in
        every way, what the Slack client raises when Slack is unavailable for too long, and
        `Interrupted`; Stop does not interrupt it, because the text is complete.
        """
        reader, memory_state = await self.reader(), self._turn.memory_state
        footer_blocks = footer(
            reader,
            text,
            stand_in=self._stand_in,
            memory_state=memory_state,
            off=off_line(reader, memory_state.off) if memory_state.off else "",
            recalled_turn=self._turn.id if recalled else None,
            rated_turn=self._turn.id if can_be_rated else None,
        )
        if await self._end_stream(text, footer_blocks):
            return
        self._messages.discard()
        *parts, last = split_markdown(text.lstrip("\n"), PART_LIMIT)
        for part in parts:
            await self._messages.post(part, [])
        await self._messages.post(last, footer_blocks)

    async def show(self, makers: Sequence[PayloadMaker]) -> None:
        """Send the messages that these functions return; in a channel, to the person only."""
        person, in_dm = self._message.person, self._turn.view.own.audience == DM
        for make_payload in makers:
            # Read again: the person may just have chosen another one.
            reader = await self._people.reader(person, self._message.text)
            payload = await make_payload(person, reader)
            client = self._slack.client(self._message.team_id, patience=PATIENCE_SECONDS)
            try:
                await show_privately(
                    client,
                    payload,
                    channel=self._message.channel_id,
                    user=self._message.user_id,
                    thread_ts=self._message.thread_ts,
                    in_dm=in_dm,
                )
            except SLACK_FAULTS as error:
                log.warning(
                    "a private message was not shown: %s", error_code(error) or fault(error)
                )

    async def _confirm(self) -> None:
        """Check ownership before posting; wait for PostgreSQL while it is unavailable."""
        while True:
            with suppress(Stopped):
                await self.check()
            if self._is_sure:
                return
            await asyncio.sleep(FLUSH_SECONDS)

    async def _show(self) -> None:
        await self.check()
        waits = time.monotonic() - self._shown_at < FLUSH_SECONDS
        if waits or not (self._may_stream and self._is_sure):
            return
        if self.received_text[self._shown :].strip() or self._tasks:
            await self._flush()
            self._shown_at = time.monotonic()

    async def _end_stream(self, text: str, footer_blocks: list[Block]) -> bool:
        """End the stream with the whole reply; False if there is none, or it has another text.

        White space at the end of what is shown is not compared: the text of a whole reply has none.
        """
        shown = self.received_text[: self._shown]
        if not text.startswith(shown):
            shown = shown.rstrip()
        if not (self._may_stream and self._messages.stream and text.startswith(shown)):
            return False
        self.received_text, self._shown = text, len(shown)
        # Slack shows a task that is open when its stream ends as an error.
        for identity, chunk in (self._shown_tasks | self._tasks).items():
            latest = self._tasks.get(identity, chunk)
            if latest["status"] == "in_progress":
                self._add_task({**latest, "status": "complete"})
        # A call of `begin` that Slack carries out later would leave the session `processing`.
        if not self._processing.done():
            await asyncio.wait({self._processing}, timeout=_SESSION_SECONDS)
        was_set = self._processing.done()
        ended = await self._flush(footer_blocks)
        self._is_active = ended and was_set
        return ended

    def _add_task(self, chunk: Chunk) -> None:
        identity = str(chunk["id"])
        if identity in self._shown_tasks:
            # Slack adds details to those that the task has.
            chunk = {name: value for name, value in chunk.items() if name != "details"}
        self._tasks[identity] = chunk

    async def _flush(self, footer_blocks: list[Block] | None = None) -> bool:
        """Send what is pending to the stream, with `footer_blocks` its end; False if that waits.

        No more is streamed where Slack refuses it, or the text does not fit into one message.
        """
        pending, tasks = self.received_text[self._shown :], [*self._tasks.values()]
        shown_tasks = self._shown_tasks | self._tasks
        if len(self.received_text) + _CARD_LENGTH * len(shown_tasks) > PART_LIMIT:
            self._may_stream = False
            return False
        try:
            if not self._messages.stream:
                sent = await self._messages.start(pending, tasks)
            elif footer_blocks is not None:
                await self._messages.stop(pending, tasks, footer_blocks)
                sent = True
            else:
                sent = await self._messages.append(pending, tasks)
        except SLACK_FAULTS as error:
            log.info("streaming was given up: %s", error_code(error) or fault(error))
            self._may_stream = sent = False
        if sent:
            self._shown, self._shown_tasks = len(self.received_text), shown_tasks
            self._tasks.clear()
        return sent


def title_of(text: str) -> str:
    """Return a title for a thread that opens with `text`: its first line, without markup.

    At most `TITLE_CHARACTERS`; ``""`` if there is no text.
    """
    lines = (_MARKS.sub(" ", line).strip() for line in text.splitlines())
    line = next((line for line in lines if line), "")
    return line if len(line) <= TITLE_CHARACTERS else f"{line[: TITLE_CHARACTERS - 1]}…"


def open_fence(text: str) -> str | None:
    """Return the opening line, cut to 64 characters, of a code block that `text` leaves open."""
    opened: re.Match[str] | None = None
    for match in _FENCE.finditer(text):
        if opened is None:
            opened = match
        elif match[2].startswith(opened[2]) and not match[3].strip():
            opened = None
    return opened[0][:_FENCE_LENGTH] if opened else None


def closing_fence(fence: str) -> str:
    """Return the line that closes the code block which the line `fence` opened."""
    match = _FENCE.match(fence)
    return match[1] + match[2] if match else "```"


def break_point(text: str, limit: int) -> int:
    """Return where to break a `text` that is longer than `limit`, at most `limit` in.

    At the last paragraph, line, sentence or word that ends in the second half, in this order.
    """
    for mark in ("\n\n", "\n", "。", ". ", "、", " "):
        at = text.rfind(mark, 0, limit)
        if at >= limit // 2:
            return at + len(mark)
    return limit


def split_markdown(text: str, limit: int) -> list[str]:
    """Split Markdown into parts of at most `limit` characters; code goes on in each."""
    parts: list[str] = []
    while len(text) > limit:
        # A code block that is split needs room for a closing line here and an opening one after it.
        at = break_point(text, limit - _FENCE_LENGTH)
        part = text[:at]
        text = text[at:]
        fence = open_fence(part)
        if fence:
            part = f"{part.rstrip()}\n{closing_fence(fence)}"
            text = f"{fence}\n{text}"
        elif ends_in_code(part):
            part = f"{part}`"
            text = f"`{text}"
        parts.append(part)
    return [*parts, text]


def ends_in_code(text: str) -> bool:
    """Return whether a code span is open at the end of a text, in its last line."""
    last_line = text[text.rfind("\n") + 1 :]
    return last_line.count("`") % 2 == 1
