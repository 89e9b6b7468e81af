"""The agent session of a thread: Slack's indicator, the Stop button, and a title.

Source: https://docs.slack.dev/ai/agent-sessions
"""

from __future__ import annotations

import asyncio
import logging
import math
import re
import time
from collections.abc import Awaitable, Callable, Coroutine
from typing import Any, Literal, TypeAlias
from weakref import WeakValueDictionary

from bot.slack.client import (
    PATIENCE_SECONDS,
    SESSION,
    SLACK_FAULTS,
    START,
    SlackApi,
    error_code,
    slack_fault,
)
from bot.slack.messages import Message, split_thread_key

log = logging.getLogger(__name__)

SESSION_SECONDS = 2.0
"""How long the end of a stream waits for the call that began its session, the end of a message for
the one that ends it, and the end of the process for all calls."""

WAIT_SECONDS = 2.0
"""How long a message waits for its turn, or for PostgreSQL, before Slack shows that it waits."""

# Between two checks of a message that is shown as waiting.
_LOOK_SECONDS = 5.0
# Slack repeats a failed delivery for six minutes; after that the message may never come.
_DELIVERY_SECONDS = 420.0
# The request to the model goes first, because the person waits for its answer.
_MODEL_FIRST_SECONDS = 0.02
# Errors that say that a workspace has no agent sessions.
_NO_SESSIONS = frozenset(
    {"feature_disabled", "method_deprecated", "missing_scope", "unknown_method"}
)

# Markup, which a title leaves out.
_MARKS = re.compile(r"[*_~`>#\s]+")
TITLE_CHARACTERS = 80
"""The most characters of a title. Slack takes 200, but its list of sessions shows fewer."""

Progress: TypeAlias = Literal["waiting", "begun", "ended", "missing"]
"""How far a message is; ``missing``: it is not stored."""
ReadProgress: TypeAlias = Callable[[Message], Awaitable[Progress]]


class Sessions:
    """Sets the agent session status of threads in tasks; a failed call never fails an answer.

    While it is `processing`, Slack shows a loading indicator and the Stop button. Workspaces
    without agent sessions have neither. Source: https://docs.slack.dev/ai/agent-sessions
    """

    def __init__(self, slack: SlackApi, read_progress: ReadProgress) -> None:
        self._slack = slack
        self._read_progress = read_progress
        self._tasks: set[asyncio.Task[None]] = set()
        # The tasks that show that a message waits, by its thread.
        self._waits: WeakValueDictionary[str, asyncio.Task[None]] = (
            WeakValueDictionary()
        )
        # The calls for a thread are made one after the other, so that the last one counts, however
        # late Slack carries out those before.
        self._locks: WeakValueDictionary[str, asyncio.Lock] = WeakValueDictionary()

    def begin(self, message: Message, title: str) -> asyncio.Task[None]:
        """Set the session of the message's thread to `processing`; return the call under way.

        A new session gets the `title`, if it is not empty.
        """
        self._end_wait(message.thread)
        more = {"title": title} if title else {}
        # Slack does not know every person of another workspace by id.
        if message.user_team_id == message.team_id:
            more["initiator_user_id"] = message.user_id
        return self._start(self._begin(message.thread, **more))

    def activate(self, thread: str) -> asyncio.Task[None]:
        """Set the session of a thread to `active`; return the call.

        This also ends a `processing` that a dead process may have left.
        """
        self._end_wait(thread)
        return self._start(self._activate(thread))

    async def end(self, thread: str) -> None:
        """Set the session as `activate` does; return when that is done, or after two seconds.

        A message is stored as ended after this: if the process dies before, the next attempt ends
        the session.
        """
        await asyncio.wait({self.activate(thread)}, timeout=SESSION_SECONDS)

    def show_wait(self, message: Message, *, after: float) -> None:
        """Set the session to `processing` if the message still waits `after` this many seconds.

        A turn that this process begins in the thread ends that. While PostgreSQL is away, the
        message counts as waiting.
        """
        earlier = self._waits.get(message.thread)
        if earlier is None or earlier.done():
            waits = self._start(self._show_wait(message, after))
            self._waits[message.thread] = waits

    def _end_wait(self, thread: str) -> None:
        """Show a wait no longer."""
        waits = self._waits.pop(thread, None)
        if waits is not None:
            waits.cancel()

    async def _show_wait(self, message: Message, after: float) -> None:
        """Show that a message waits, until its turn has begun, which will end the status.

        If it ends without a turn, the session is set to `active`. A message that is not stored
        comes within seven minutes, or never.
        """
        await asyncio.sleep(after)
        progress = await self._read_progress(message)
        if progress in ("begun", "ended"):
            return
        # The end of the wait does not cancel a call, which Slack may have received.
        await asyncio.shield(self._start(self._begin(message.thread)))
        began = time.monotonic()
        while True:
            progress = await self._read_progress(message)
            if progress == "begun":
                return
            is_late = time.monotonic() - began > _DELIVERY_SECONDS
            if progress == "ended" or (progress == "missing" and is_late):
                break
            await asyncio.sleep(_LOOK_SECONDS)
        await asyncio.shield(self._start(self._activate(message.thread)))

    async def close(self) -> None:
        """Wait for the calls under way, two seconds at most, and cancel the others."""
        for thread in [*self._waits]:
            self._end_wait(thread)
        if self._tasks:
            _, late = await asyncio.wait(self._tasks, timeout=SESSION_SECONDS)
            for task in late:
                task.cancel()
            await asyncio.gather(*late, return_exceptions=True)

    async def _begin(self, thread: str, **more: str) -> None:
        async with self._locks.setdefault(thread, asyncio.Lock()):
            await asyncio.sleep(_MODEL_FIRST_SECONDS)
            limits = self._slack.limits
            # Without a stream, ending the session is a second call under the same limit, of which
            # the rest is kept for `active`.
            if not (limits.wait(SESSION) or limits.wait(START)):
                await self._set(thread, "processing", 0.0, **more)

    async def _activate(self, thread: str) -> None:
        async with self._locks.setdefault(thread, asyncio.Lock()):
            # Infinite where there are no sessions.
            if self._slack.limits.wait(SESSION) < math.inf:
                await self._set(thread, "active", PATIENCE_SECONDS)

    async def _set(
        self,
        thread: str,
        status: Literal["processing", "active"],
        patience: float,
        **more: str,
    ) -> None:
        team_id, channel_id, thread_ts = split_thread_key(thread)
        client = self._slack.client(team_id, patience=patience)
        try:
            await client.agents_sessions_setStatus(
                channel_id=channel_id, thread_ts=thread_ts, status=status, **more
            )
        except SLACK_FAULTS as error:
            if error_code(error) in _NO_SESSIONS:
                log.warning(
                    "Slack has no agent sessions here (%s): no Stop", error_code(error)
                )
                self._slack.limits.never(SESSION)
            else:
                log.info("a session's status was not set: %s", slack_fault(error))

    def _start(self, work: Coroutine[Any, Any, None]) -> asyncio.Task[None]:
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return task


def title_of(text: str) -> str:
    """Return a title for a thread that opens with `text`: its first line, without markup.

    At most `TITLE_CHARACTERS`; ``""`` if there is no text.
    """
    for line in text.splitlines():
        title = _MARKS.sub(" ", line).strip()
        if len(title) > TITLE_CHARACTERS:
            return f"{title[: TITLE_CHARACTERS - 1]}…"
        if title:
            return title
    return ""
