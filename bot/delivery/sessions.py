"""The agent session of a thread: Slack's indicator, the Stop button, and a title.

Source: https://docs.slack.dev/ai/agent-sessions
"""

from __future__ import annotations

import asyncio
import logging
import math
import re
import time
from collections.abc import Coroutine
from typing import Any, Literal

from bot.logs import fault
from bot.slack.client import (
    PATIENCE_SECONDS,
    SESSION,
    SLACK_FAULTS,
    START,
    Installations,
    error_code,
)
from bot.slack.messages import Message, split_thread_key

log = logging.getLogger(__name__)

SESSION_SECONDS = 2.0
"""How long the end of a stream waits for the call that began its session, and the end of the
process for all calls."""

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
            _, late = await asyncio.wait(self._tasks, timeout=SESSION_SECONDS)
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
            if time.monotonic() - begun > SESSION_SECONDS:
                return  # suspended meanwhile: another process may have ended the session
        limits = self._slack.limits
        ends = status == "active"
        team_id, channel_id, thread_ts = split_thread_key(thread)
        wait = limits.wait(team_id, SESSION)
        # Without a stream the end of the session is a second call of the same limit: what is left
        # of it is for `active`.
        if wait == math.inf or (not ends and (wait or limits.wait(team_id, START))):
            return
        client = self._slack.client(team_id, patience=PATIENCE_SECONDS if ends else 0.0)
        try:
            await client.agents_sessions_setStatus(
                channel_id=channel_id, thread_ts=thread_ts, status=status, **more
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


def title_of(text: str) -> str:
    """Return a title for a thread that opens with `text`: its first line, without markup.

    At most `TITLE_CHARACTERS`; ``""`` if there is no text.
    """
    lines = (_MARKS.sub(" ", line).strip() for line in text.splitlines())
    line = next((line for line in lines if line), "")
    return line if len(line) <= TITLE_CHARACTERS else f"{line[: TITLE_CHARACTERS - 1]}…"
