"""`agents.sessions.setStatus`: a thread's session is `processing` during a turn, then `active`.

While it is `processing`, Slack shows a loading indicator and the Stop button. Workspaces without
agent sessions have neither. Source: https://docs.slack.dev/ai/agent-sessions
"""

from __future__ import annotations

import asyncio
import logging
import re
import time
from collections.abc import Coroutine
from dataclasses import dataclass
from typing import Any, TypeVar

from slack_sdk.errors import SlackApiError

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

_Result = TypeVar("_Result")

log = logging.getLogger(__name__)

# Seconds that an answer waits for a status call at most.
_WAIT_SECONDS = 2.0
_CLOSING_SECONDS = 2.0
# Errors that say that a workspace has no agent sessions, and seconds until it is asked again.
_NO_SESSIONS = frozenset(
    {"feature_disabled", "method_deprecated", "missing_scope", "unknown_method"}
)
_ASK_AGAIN_SECONDS = 600.0
# Seconds between attempts to set a session to `active`.
_PAUSES = (0.5, 2.0, 8.0)

TITLE_CHARACTERS = 80
"""The longest title the app gives a session. Slack takes 200; its list of sessions shows fewer."""

_MARKS = re.compile(r"[*_~`>#\s]+")


def title_of(text: str) -> str:
    """Return a title for a thread that opens with `text`: its first line, without markup.

    Credentials are removed.
    At most `TITLE_CHARACTERS`, cut between words if possible; ``""`` if there is no text.
    """
    opening = excerpt(text, "", 1_000).splitlines()
    lines = (" ".join(_MARKS.sub(" ", line).split()) for line in opening)
    line = next((line for line in lines if line), "")
    if len(line) <= TITLE_CHARACTERS:
        return line
    cut = line[: TITLE_CHARACTERS - 1]
    space = cut.rfind(" ")
    return (cut[:space] if space > TITLE_CHARACTERS // 2 else cut).rstrip() + "…"


@dataclass(slots=True, eq=False, kw_only=True)
class TurnSession:
    """The agent session of a thread during one turn.

    `processing` is the call that sets it so; it returns whether the session may be `processing`.
    `begun`: it may be so for another reason: a stream was begun, or an earlier attempt was cut off.
    `active`: the end of the stream has set it to `active`.
    """

    message: Message
    processing: asyncio.Task[bool]
    begun: bool = False
    active: bool = False

    async def wait(self) -> bool:
        """Wait for the answer to the first call, two seconds at most; return whether it came."""
        await asyncio.wait({self.processing}, timeout=_WAIT_SECONDS)
        return self.processing.done()


class Sessions:
    """Sets the agent session status of threads; a failed call never fails an answer."""

    def __init__(self, slack: Installations) -> None:
        self._slack = slack
        self._limits = slack.limits
        self._tasks: set[asyncio.Task[Any]] = set()
        # By workspace, or workspace and channel: until when it is not asked for sessions.
        self._without: dict[str, float] = {}

    def begin(self, message: Message, *, again: bool = False, titled: bool = True) -> TurnSession:
        """Set the session of the message's thread to `processing`; do not wait for Slack.

        `again`: an earlier attempt may have left the session in `processing`. Unless it is `titled`
        a new session gets no title, which would hold words of the message.
        """
        titled = titled and message.opens_thread and message.audience == DM
        title = title_of(message.text) if titled else ""
        processing = self._start(self._begin(message, title))
        return TurnSession(message=message, processing=processing, begun=again)

    async def end(self, session: TurnSession) -> None:
        """Set the session to `active`, unless the end of the stream has.

        Waits for Slack two seconds at most, and not at all if the first call still runs.
        """
        if not session.active:
            ending = self._start(self._end(session))
            if session.processing.done():
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
            _, late = await asyncio.wait(self._tasks, timeout=_CLOSING_SECONDS)
            for task in late:
                task.cancel()
            await asyncio.gather(*late, return_exceptions=True)

    async def _end(self, session: TurnSession) -> None:
        message = session.message
        if await asyncio.shield(session.processing) or session.begun:
            await self._activate(message.team_id, message.channel_id, message.thread_ts)

    def _has_none(self, team_id: str, channel_id: str) -> bool:
        """Return whether Slack has just refused sessions in a workspace or channel."""
        until = [self._without.get(key, 0.0) for key in (team_id, f"{team_id} {channel_id}")]
        return max(until) > time.monotonic()

    @step("slack status")
    async def _begin(self, message: Message, title: str) -> bool:
        """Return whether the session may be `processing` now."""
        team_id = message.team_id
        # Without a stream the end of the session is a second call of the same limit: what is left
        # of it is for `active`.
        limited = self._limits.wait(team_id, SESSION) or self._limits.wait(team_id, START)
        if limited or self._has_none(team_id, message.channel_id):
            return False
        arguments: dict[str, Any] = {
            "channel_id": message.channel_id,
            "thread_ts": message.thread_ts,
            "status": "processing",
            "initiator_user_id": message.user_id,
            **({"title": title} if title else {}),
        }
        client = self._slack.client(team_id)
        try:
            try:
                answer = await client.agents_sessions_setStatus(**arguments)
            except SlackApiError as error:
                if error_code(error) != "user_not_found":
                    raise
                # Slack does not know every person of another workspace by id.
                del arguments["initiator_user_id"]
                answer = await client.agents_sessions_setStatus(**arguments)
        except SLACK_FAULTS as error:
            if not error_code(error):
                log.info("a session may not be processing: %s", fault(error))
                return True
            self._refused(team_id, message.channel_id, error)
            return False
        if title and not answer.get("title"):
            self._start(self._name(message, title))
        return True

    async def _name(self, message: Message, title: str) -> None:
        """Rename a session that has no title: the title of the call is for a new session only."""
        try:
            await self._slack.client(message.team_id).agents_sessions_rename(
                channel_id=message.channel_id, thread_ts=message.thread_ts, title=title
            )
        except SLACK_FAULTS as error:
            log.info("a session got no title: %s", error_code(error) or fault(error))

    async def _activate(self, team_id: str, channel_id: str, thread_ts: str) -> None:
        """Set a session to `active`; try again while Slack is in trouble."""
        if self._has_none(team_id, channel_id):
            return
        client = self._slack.client(team_id, patience=PATIENCE_SECONDS)
        for pause in (*_PAUSES, None):
            try:
                await client.agents_sessions_setStatus(
                    channel_id=channel_id, thread_ts=thread_ts, status="active"
                )
            except SLACK_FAULTS as error:
                if error_code(error):
                    self._refused(team_id, channel_id, error)
                    return
                if pause is None:
                    log.warning("a session may be left in processing: %s", fault(error))
                    return
                await asyncio.sleep(pause)
            else:
                return

    def _refused(self, team_id: str, channel_id: str, error: BaseException) -> None:
        code = error_code(error)
        if code in _NO_SESSIONS:
            if team_id not in self._without:
                log.warning(
                    "Slack has no agent sessions for this workspace (%s): there is no Stop button",
                    code,
                )
            self._without[team_id] = time.monotonic() + _ASK_AGAIN_SECONDS
        elif code == "not_authorized":
            self._without[f"{team_id} {channel_id}"] = time.monotonic() + _ASK_AGAIN_SECONDS
        elif not self._limits.note(team_id, SESSION, error):
            log.info("a session's status was not set: %s", code)

    def _start(self, work: Coroutine[Any, Any, _Result]) -> asyncio.Task[_Result]:
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._done)
        return task

    def _done(self, task: asyncio.Task[Any]) -> None:
        self._tasks.discard(task)
        if not task.cancelled() and (error := task.exception()) is not None:
            log.warning("a session's status was not set: %s", fault(error))
