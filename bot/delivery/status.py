"""`assistant.threads.setStatus`: the status line for workspaces that have no agent sessions."""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable

from bot.delivery.calls import Workspace
from bot.locale import Language, say
from bot.logs import fault
from bot.slack.client import SLACK_FAULTS, error_code, retry_on_rate_limit
from bot.slack.messages import Message
from bot.slack.rate_limits import STATUS

log = logging.getLogger(__name__)

LOADING = (
    *("loading_reading", "loading_thinking", "loading_gathering"),
    *("loading_writing", "loading_still"),
)
"""Catalogue keys of the lines that Slack shows in turn: at most 10, each at most 50 characters.
Source: https://docs.slack.dev/reference/methods/assistant.threads.setStatus"""


class StatusLine:
    """Shows and clears the status line of a thread.

    Slack clears it when the app posts a message in the thread, and after two minutes.
    """

    def __init__(self, workspace: Workspace) -> None:
        self._client = workspace.client
        self._limits = workspace.limits

    async def show(self, message: Message, language: Callable[[], Awaitable[Language]]) -> bool:
        """Show the line in the thread of `message`; return whether it may be shown now."""
        team = message.team_id
        if self._limits.wait(team, STATUS):
            return False
        reads = await language()
        try:
            await self._client.assistant_threads_setStatus(
                channel_id=message.channel_id,
                thread_ts=message.thread_ts,
                status=say(reads, "status"),
                loading_messages=[say(reads, key) for key in LOADING],
            )
        except SLACK_FAULTS as error:
            self._limits.note(team, STATUS, error)
            log.info("the status line was not shown: %s", error_code(error) or fault(error))
            return not error_code(error)
        return True

    async def clear(self, message: Message) -> None:
        """Clear the line in the thread of `message`."""
        try:
            await retry_on_rate_limit(
                lambda: self._client.assistant_threads_setStatus(
                    channel_id=message.channel_id, thread_ts=message.thread_ts, status=""
                )
            )
        except SLACK_FAULTS as error:
            log.info("a status line was not cleared: %s", error_code(error) or fault(error))
