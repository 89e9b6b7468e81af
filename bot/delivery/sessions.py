"""`agents.sessions.setStatus`: a thread's session is `processing` during a turn, then `active`.

While it is `processing`, Slack shows a loading indicator and the Stop button. Workspaces without
agent sessions get the status line of `assistant.threads.setStatus` instead.
Source: https://docs.slack.dev/ai/agent-sessions
"""

from __future__ import annotations

import asyncio
import logging
import re
import time
from collections.abc import Awaitable, Callable, Coroutine
from dataclasses import dataclass, field
from functools import partial
from typing import Any, Literal

from slack_sdk.errors import SlackApiError

from bot.locale import Language, say
from bot.logs import fault
from bot.slack.client import (
    PATIENCE_SECONDS,
    SESSION,
    SLACK_FAULTS,
    START,
    STATUS,
    Installations,
    error_code,
)
from bot.slack.messages import Message, excerpt
from memory import DM
from memory.metrics import step

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
    """The session status that Slack was told to show for one turn.

    `method`: "session" if the session may be `processing`, "line" if the status line may be shown.
    `late`: an answer was posted before Slack had answered the status call. `begun`: the session may
    be `processing` for another reason: a stream was begun, or an earlier attempt was cut off.
    `active`: the end of the stream has set the session to `active`. `title`: of a new session.
    """

    message: Message
    title: str = ""
    beginning: asyncio.Task[None] = field(init=False)
    method: Literal["", "session", "line"] = ""
    late: bool = False
    begun: bool = False
    active: bool = False

    @property
    def is_set(self) -> bool:
        """Whether Slack has answered the status call."""
        return self.beginning.done()

    async def wait_status(self) -> None:
        """Wait until Slack has answered the status call, at most two seconds."""
        if not self.late:
            _, late = await asyncio.wait({self.beginning}, timeout=_WAIT_SECONDS)
            self.late = bool(late)


class Sessions:
    """Sets the agent session status of threads; a failed call never fails an answer."""

    def __init__(self, slack: Installations) -> None:
        self._slack = slack
        self._limits = slack.limits
        self._tasks: set[asyncio.Task[None]] = set()
        # By workspace, or workspace and channel: until when it is not asked for sessions.
        self._without: dict[str, float] = {}

    def begin(
        self,
        message: Message,
        language: Callable[[], Awaitable[Language]],
        *,
        again: bool = False,
        titled: bool = True,
    ) -> TurnSession:
        """Set the session of the message's thread to `processing`; do not wait for Slack.

        Without sessions, or when their rate limit is reached, the status line is shown instead, in
        `language`. `again`: an earlier attempt may have left the session in `processing`.
        Unless it is `titled` the session gets no title, which would hold words of the message.
        """
        session = TurnSession(message=message, begun=again)
        if message.opens_thread and message.audience == DM and titled:
            session.title = title_of(message.text)
        session.beginning = self._start(self._begin(session, language))
        return session

    async def end(self, session: TurnSession, *, replied: bool) -> None:
        """Set the session to `active`, unless the end of the stream has; clear a status line.

        Waits for Slack two seconds at most, and not at all if the first status call still runs.
        """
        if not session.active:
            ending = self._start(self._end(session, replied=replied))
            if session.is_set:
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

    @step("slack status")
    async def _begin(
        self, session: TurnSession, language: Callable[[], Awaitable[Language]]
    ) -> None:
        if self._may_process(session.message) and await self._process(session):
            return
        if await self._show_line(session.message, language):
            session.method = "line"

    def _may_process(self, message: Message) -> bool:
        team_id = message.team_id
        without = self._without.get(f"{team_id} {message.channel_id}", 0.0)
        if max(without, self._without.get(team_id, 0.0)) > time.monotonic():
            return False
        # Without a stream the end of the session is a second call of the same limit: what is left
        # of it is for `active`.
        return not (self._limits.wait(team_id, SESSION) or self._limits.wait(team_id, START))

    async def _process(self, session: TurnSession) -> bool:
        """Return whether the session may be `processing` now."""
        message, title = session.message, session.title
        arguments: dict[str, Any] = {
            "channel_id": message.channel_id,
            "thread_ts": message.thread_ts,
            "status": "processing",
            "initiator_user_id": message.user_id,
        }
        if title:
            arguments["title"] = title
        session.method = "session"
        client = self._slack.client(message.team_id)
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
            self._refused(message.team_id, message.channel_id, error)
            session.method = ""
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

    async def _end(self, session: TurnSession, *, replied: bool) -> None:
        message = session.message
        await asyncio.wait({session.beginning})
        if session.method == "session" or session.begun:
            await self._activate(message.team_id, message.channel_id, message.thread_ts)
        if session.method == "line" and (session.late or not replied):
            await self._clear_line(message)

    async def _activate(self, team_id: str, channel_id: str, thread_ts: str) -> None:
        """Set a session to `active`; try again while Slack is in trouble."""
        if self._without.get(team_id, 0.0) > time.monotonic():
            return
        call = partial(
            self._slack.client(team_id).agents_sessions_setStatus,
            channel_id=channel_id,
            thread_ts=thread_ts,
            status="active",
        )
        for pause in (*_PAUSES, None):
            try:
                await self._limits.retry(team_id, SESSION, call)
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
                    "Slack has no agent sessions for this workspace (%s): there is no Stop button,"
                    " and the status line is set by assistant.threads.setStatus",
                    code,
                )
            self._without[team_id] = time.monotonic() + _ASK_AGAIN_SECONDS
        elif code == "not_authorized":
            self._without[f"{team_id} {channel_id}"] = time.monotonic() + _ASK_AGAIN_SECONDS
        elif not self._limits.note(team_id, SESSION, error):
            log.info("a session's status was not set: %s", code)

    async def _show_line(
        self, message: Message, language: Callable[[], Awaitable[Language]]
    ) -> bool:
        """Show the status line; return whether it may be shown now.

        Slack clears it when the app posts a message in the thread, and after two minutes.
        """
        if self._limits.wait(message.team_id, STATUS):
            return False
        reads = await language()
        try:
            await self._slack.client(message.team_id).assistant_threads_setStatus(
                channel_id=message.channel_id,
                thread_ts=message.thread_ts,
                status=say(reads, "status"),
            )
        except SLACK_FAULTS as error:
            self._limits.note(message.team_id, STATUS, error)
            log.info("the status line was not shown: %s", error_code(error) or fault(error))
            return not error_code(error)
        return True

    async def _clear_line(self, message: Message) -> None:
        try:
            client = self._slack.client(message.team_id, patience=PATIENCE_SECONDS)
            await client.assistant_threads_setStatus(
                channel_id=message.channel_id, thread_ts=message.thread_ts, status=""
            )
        except SLACK_FAULTS as error:
            log.info("a status line was not cleared: %s", error_code(error) or fault(error))

    def _start(self, work: Coroutine[Any, Any, None]) -> asyncio.Task[None]:
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._done)
        return task

    def _done(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        if not task.cancelled() and (error := task.exception()) is not None:
            log.warning("a session's status was not set: %s", fault(error))
