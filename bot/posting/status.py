"""The line that says the app is at work: set at once, and never left standing below a reply."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable

from slack_sdk.errors import SlackApiError

from bot.locale import Language, say
from bot.logs import fault
from bot.messages import Message
from bot.posting.budgets import STATUS
from bot.posting.calls import Workspace
from bot.slack import SLACK_FAULTS, error_code, patiently, retry_after
from memory import measured

log = logging.getLogger(__name__)

_PATIENCE_SECONDS = 2.0
_CLOSING_SECONDS = 2.0
_LEASED = 10
# Slack shows one after the other while the answer takes its time.
LOADING = (
    *("loading_reading", "loading_thinking", "loading_gathering"),
    *("loading_writing", "loading_still"),
)


class StatusLine:
    """The status line of one turn. Slack clears it with the reply that is posted after it."""

    def __init__(
        self,
        workspace: Workspace,
        message: Message,
        language: Callable[[], Awaitable[Language]],
    ) -> None:
        self._workspace = workspace
        self._message = message
        self._language = language
        self._showing = asyncio.create_task(self._show())
        self.late = False
        """Whether a reply was posted before Slack had answered: the line may come after it."""

    @property
    def thread(self) -> str:
        """The key of the thread it is shown in."""
        return self._message.thread

    async def settle(self) -> None:
        """Wait, before a reply is posted, until the line is shown; two seconds at most."""
        if not self.late:
            _, late = await asyncio.wait({self._showing}, timeout=_PATIENCE_SECONDS)
            self.late = bool(late)

    async def cancel(self) -> None:
        """Do not wait for the line any more."""
        self._showing.cancel()
        await asyncio.gather(self._showing, return_exceptions=True)

    async def ended(self) -> None:
        """Wait until Slack has answered, or has not in its time."""
        await asyncio.wait({self._showing})

    async def clear(self) -> None:
        """Take the line away."""
        await patiently(
            lambda: self._workspace.client.assistant_threads_setStatus(
                channel_id=self._message.channel_id, thread_ts=self._message.thread_ts, status=""
            )
        )

    @measured("slack status")
    async def _show(self) -> None:
        budgets, team = self._workspace.budgets, self._message.team_id
        if not await budgets.take_one(team, STATUS, lease=_LEASED):
            return
        try:
            language = await self._language()
            await self._workspace.client.assistant_threads_setStatus(
                channel_id=self._message.channel_id,
                thread_ts=self._message.thread_ts,
                status=say(language, "status"),
                loading_messages=[say(language, key) for key in LOADING],
            )
        except SLACK_FAULTS as error:
            if isinstance(error, SlackApiError) and error_code(error) == "ratelimited":
                await budgets.empty(team, STATUS, retry_after(error))
            log.info("the status line was not shown: %s", error_code(error) or fault(error))


class StatusLines:
    """The status lines of all turns, and the late ones that are still to be cleared."""

    def __init__(self, workspace: Workspace) -> None:
        self._workspace = workspace
        self._newest: dict[str, StatusLine] = {}
        self._clearing: set[asyncio.Task[None]] = set()

    def begin(self, message: Message, language: Callable[[], Awaitable[Language]]) -> StatusLine:
        """Show in the thread of `message` that it is being answered."""
        line = self._newest[message.thread] = StatusLine(self._workspace, message, language)
        return line

    async def end(self, line: StatusLine, *, replied: bool) -> None:
        """The turn is over. A line that was late is cleared as soon as Slack has carried it out."""
        if replied and line.late:
            task = asyncio.create_task(self._clear(line))
            self._clearing.add(task)
            task.add_done_callback(self._clearing.discard)
            return
        await line.cancel()
        self._forget(line)

    async def close(self) -> None:
        """Give what is still to be cleared a moment, and end it."""
        if self._clearing:
            _, late = await asyncio.wait(self._clearing, timeout=_CLOSING_SECONDS)
            for task in late:
                task.cancel()
            await asyncio.gather(*late, return_exceptions=True)

    async def _clear(self, line: StatusLine) -> None:
        await line.ended()
        try:
            # Where the next message of the thread is being answered, its reply clears the line.
            if self._newest.get(line.thread) is line:
                await line.clear()
        except SLACK_FAULTS as error:
            log.info("a status line was not cleared: %s", error_code(error) or fault(error))
        finally:
            self._forget(line)

    def _forget(self, line: StatusLine) -> None:
        if self._newest.get(line.thread) is line:
            del self._newest[line.thread]
