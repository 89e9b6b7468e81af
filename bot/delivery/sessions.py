"""`agents.sessions.setStatus`: a thread's session is `processing` during a turn, then `active`.

While it is `processing`, Slack shows a loading indicator and the Stop button. Workspaces without
agent sessions have neither. Source: https://docs.slack.dev/ai/agent-sessions
"""

from __future__ import annotations

import asyncio
import logging
import math
import re
from collections.abc import Coroutine
from typing import Any

from bot.logs import fault
from bot.slack.client import (
    PATIENCE_SECONDS,
    SESSION,
    SLACK_FAULTS,
    START,
    Installations,
    error_code,
)
from bot.slack.messages import Message, excerpt
from memory import DM
from memory.metrics import step

log = logging.getLogger(__name__)

# Seconds that an answer waits for a status call at most.
_WAIT_SECONDS = 2.0
# Errors that say that a workspace has no agent sessions.
_NO_SESSIONS = frozenset(
    {"feature_disabled", "method_deprecated", "missing_scope", "unknown_method"}
)
# Seconds between attempts to set a session to `active`.
_PAUSES = (0.5, 2.0, 8.0)

_MARKS = re.compile(r"[*_~`>#\s]+")
TITLE_CHARACTERS = 80
"""The longest title the app gives a session. Slack takes 200; its list of sessions shows fewer."""


def title_of(text: str) -> str:
    """Return a title for a thread that opens with `text`: its first line, without markup.

    Credentials are removed. At most `TITLE_CHARACTERS`; ``""`` if there is no text.
    """
    lines = (_MARKS.sub(" ", line).strip() for line in excerpt(text, "", 1_000).splitlines())
    line = next((line for line in lines if line), "")
    return line if len(line) <= TITLE_CHARACTERS else f"{line[: TITLE_CHARACTERS - 1]}…"


class Sessions:
    """Sets the agent session status of threads; a failed call never fails an answer."""

    def __init__(self, slack: Installations) -> None:
        self._slack = slack
        self._limits = slack.limits
        self._tasks: set[asyncio.Task[None]] = set()

    def begin(self, message: Message, *, titled: bool = True) -> asyncio.Task[None]:
        """Set the session of the message's thread to `processing`; return the call under way.

        Unless it is `titled` a new session gets no title, which would hold words of the message.
        """
        titled = titled and message.opens_thread and message.audience == DM
        title = title_of(message.text) if titled else ""
        return self._start(self._begin(message, title))

    async def is_set(self, processing: asyncio.Task[None]) -> bool:
        """Wait for the call of `begin`, two seconds at most; return whether Slack has answered."""
        await asyncio.wait({processing}, timeout=_WAIT_SECONDS)
        return processing.done()

    async def end(self, message: Message, processing: asyncio.Task[None]) -> None:
        """Set the session to `active`, after the call of `begin`.

        Waits for Slack two seconds at most, and not at all if the first call still runs.
        """
        ending = self._start(self._end(message, processing))
        if processing.done():
            await asyncio.wait({ending}, timeout=_WAIT_SECONDS)

    async def activate(
        self, team_id: str, channel_id: str, thread_ts: str, *, wait: bool = True
    ) -> None:
        """Set a session to `active` that a process which died may have left in `processing`.

        Waits for Slack two seconds at most; without `wait`, not at all.
        """
        task = self._start(self._activate(team_id, channel_id, thread_ts))
        if wait:
            await asyncio.wait({task}, timeout=_WAIT_SECONDS)

    async def close(self) -> None:
        """Wait for the calls under way, two seconds at most, and cancel the others."""
        if self._tasks:
            _, late = await asyncio.wait(self._tasks, timeout=_WAIT_SECONDS)
            for task in late:
                task.cancel()
            await asyncio.gather(*late, return_exceptions=True)

    async def _end(self, message: Message, processing: asyncio.Task[None]) -> None:
        await asyncio.wait({processing})
        await self._activate(message.team_id, message.channel_id, message.thread_ts)

    @step("slack status")
    async def _begin(self, message: Message, title: str) -> None:
        team_id = message.team_id
        # Without a stream the end of the session is a second call of the same limit: what is left
        # of it is for `active`.
        if self._limits.wait(team_id, SESSION) or self._limits.wait(team_id, START):
            return
        # Slack does not know every person of another workspace by id.
        own = message.user_team_id == team_id
        try:
            await self._slack.client(team_id).agents_sessions_setStatus(
                channel_id=message.channel_id,
                thread_ts=message.thread_ts,
                status="processing",
                **({"initiator_user_id": message.user_id} if own else {}),
                **({"title": title} if title else {}),
            )
        except SLACK_FAULTS as error:
            self._failed(team_id, error)

    async def _activate(self, team_id: str, channel_id: str, thread_ts: str) -> None:
        """Set a session to `active`; try again while Slack is in trouble."""
        if self._limits.wait(team_id, SESSION) == math.inf:
            return
        client = self._slack.client(team_id, patience=PATIENCE_SECONDS)
        for pause in (*_PAUSES, None):
            try:
                await client.agents_sessions_setStatus(
                    channel_id=channel_id, thread_ts=thread_ts, status="active"
                )
            except SLACK_FAULTS as error:
                self._failed(team_id, error)
                if error_code(error) or pause is None:
                    return
                await asyncio.sleep(pause)
            else:
                return

    def _failed(self, team_id: str, error: BaseException) -> None:
        code = error_code(error)
        if code in _NO_SESSIONS:
            log.warning("Slack has no agent sessions for this workspace (%s): no Stop button", code)
            self._limits.never(team_id, SESSION)
        elif not self._limits.note(team_id, SESSION, error):
            log.info("a session's status was not set: %s", code or fault(error))

    def _start(self, work: Coroutine[Any, Any, None]) -> asyncio.Task[None]:
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._done)
        return task

    def _done(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        if not task.cancelled() and (error := task.exception()) is not None:
            log.warning("a session's status was not set: %s", fault(error))
