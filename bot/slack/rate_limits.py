"""Slack's rate limits: which calls Slack refuses at present, and until when."""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import Awaitable, Callable

from slack_sdk.errors import SlackApiError
from slack_sdk.web.async_slack_response import AsyncSlackResponse

from bot.slack.client import SPREAD_SECONDS, error_code, retry_after

START = "chat.startStream"
APPEND = "chat.appendStream"
STOP = "chat.stopStream"
UPDATE = "chat.update"
SESSION = "agents.sessions.setStatus"
STATUS = "assistant.threads.setStatus"
PROFILE = "users.info"


def posts(channel_id: str) -> str:
    """Return the name of ``chat.postMessage`` in one channel, which has a limit of its own."""
    return f"chat.postMessage {channel_id}"


class RateLimits:
    """The ``Retry-After`` headers that this process has received, by workspace and method.

    Nothing is counted in advance: Slack's own counters decide, for all replicas together.
    Source: https://docs.slack.dev/apis/web-api/rate-limits
    """

    def __init__(self) -> None:
        self._until: dict[tuple[str, str], float] = {}

    def wait(self, team_id: str, method: str) -> float:
        """Return for how many seconds Slack still refuses a method; 0.0 if it may be called."""
        return max(self._until.get((team_id, method), 0.0) - time.monotonic(), 0.0)

    def note(self, team_id: str, method: str, error: BaseException) -> bool:
        """Record the ``Retry-After`` of a refused call; return False for any other error."""
        if not isinstance(error, SlackApiError) or error_code(error) != "ratelimited":
            return False
        now = time.monotonic()
        self._until = {name: until for name, until in self._until.items() if until > now}
        self._until[team_id, method] = now + retry_after(error)
        return True

    async def retry(
        self,
        team_id: str,
        method: str,
        call: Callable[[], Awaitable[AsyncSlackResponse]],
        *,
        seconds: float = 60.0,
    ) -> AsyncSlackResponse:
        """Make a call once Slack allows it; each time it is refused, wait as told and repeat it.

        Raises what the last attempt raised, once the waits would come to more than `seconds`.
        """
        waited = 0.0
        while True:
            wait = self.wait(team_id, method)
            if wait and waited + wait <= seconds:
                waited += wait
                # Callers that were refused at the same moment retry at different ones.
                await asyncio.sleep(wait + random.uniform(0, SPREAD_SECONDS))  # noqa: S311
                continue
            try:
                return await call()
            except SlackApiError as error:
                refused = self.note(team_id, method, error)
                if not refused or waited + self.wait(team_id, method) > seconds:
                    raise
