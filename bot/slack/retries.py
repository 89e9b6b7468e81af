"""Which Slack calls are repeated, and when: after a rate limit, and while Slack is in trouble.

This is the only place that decides it, for every request that goes to Slack.
"""

from __future__ import annotations

import asyncio
import math
import random
import time
from collections.abc import Mapping

from memory.metrics import count

RATE_LIMITED = "ratelimited"

TROUBLE_SECONDS = 120.0
"""How long a call is repeated while Slack is in trouble, if its caller is that patient."""

_FIRST_PAUSE_SECONDS = 0.3
_LONGEST_PAUSE_SECONDS = 10.0
_LONGEST_WAIT_SECONDS = 600.0
_SPREAD_SECONDS = 0.2
DOWNLOAD = "files"
"""The name of a file download, which is not a method of the Web API."""

RESPONSE_URL = "response_url"
"""The name of an answer to a click or command, which is not a method of the Web API."""

# These have the same effect if carried out twice. `chat.stopStream` refuses to end a stream twice,
# and a second ephemeral message does less harm than none.
_REPEATABLE = frozenset(
    {
        "agents.sessions.setStatus",
        "apps.connections.open",
        "auth.test",
        "chat.delete",
        "chat.getPermalink",
        "chat.postEphemeral",
        "chat.stopStream",
        "chat.update",
        "conversations.history",
        "conversations.info",
        "conversations.replies",
        "users.conversations",
        "users.info",
        "views.publish",
        "views.update",
        DOWNLOAD,
        RESPONSE_URL,
    }
)


def seconds_asked(headers: Mapping[str, str]) -> float:
    """Return the seconds to wait that ``Retry-After`` names, limited to 1 to 600."""
    try:
        seconds = float(headers.get("Retry-After", ""))
    except ValueError:
        seconds = 1.0
    return min(max(seconds, 1.0), _LONGEST_WAIT_SECONDS)


class RateLimits:
    """The ``Retry-After`` headers that this process has received, by workspace and method.

    Nothing is counted in advance: Slack's own counters decide, for all replicas together.
    Source: https://docs.slack.dev/apis/web-api/rate-limits
    """

    def __init__(self) -> None:
        self._until: dict[tuple[str, str], float] = {}

    def wait(self, team_id: str, method: str) -> float:
        """Return how many more seconds Slack refuses a method; 0.0 if it may be called."""
        return max(self._until.get((team_id, method), 0.0) - time.monotonic(), 0.0)

    def note(self, team_id: str, method: str, seconds: float) -> None:
        """Record that Slack refuses a method for `seconds`."""
        # The channel that `posts` adds is left out: one of a direct message identifies a person.
        count("slack_rate_limits", method=method.partition(" ")[0])
        now = time.monotonic()
        self._until = {
            name: until for name, until in self._until.items() if until > now
        }
        self._until[team_id, method] = now + seconds

    def never(self, team_id: str, method: str) -> None:
        """Record that Slack will refuse a method for as long as this process runs."""
        self._until[team_id, method] = math.inf


class SlackRetries:
    """Decides whether and when one call is repeated; the number of attempts is not limited.

    A call that Slack refuses for a rate limit was not carried out, and is repeated after the time
    that Slack names. If a server error or a lost connection leaves open whether it was carried out,
    it is repeated ever more slowly, but only if that does less harm than its loss (`_REPEATABLE`).
    No attempt begins later than `patience` seconds after the first, and none after trouble later
    than `TROUBLE_SECONDS`; with 0 the call is made at once and only once.

    `name` is the limit that the call counts for in `limits`: its method, or what `posts` returns.
    """

    def __init__(
        self, limits: RateLimits, team_id: str, name: str, patience: float
    ) -> None:
        self._limits = limits
        self._team_id = team_id
        self._name = name
        self._patience = patience
        self._began = time.monotonic()
        self._pause = _FIRST_PAUSE_SECONDS

    async def wait_for_limit(self) -> None:
        """Wait while a limit that another call met would refuse this one, if patience lasts."""
        while wait := self._limits.wait(self._team_id, self._name):
            if not await self._wait(wait, self._patience):
                return

    async def wait_to_repeat(self, error: str, headers: Mapping[str, str]) -> bool:
        """Wait, and return whether to repeat a call that ended with this `error_code`.

        `headers` are those of Slack's answer, if one came.
        """
        if error == RATE_LIMITED:
            wait = seconds_asked(headers)
            self._limits.note(self._team_id, self._name, wait)
            return await self._wait(wait, self._patience)
        if error or self._name not in _REPEATABLE:
            return False
        pause = self._pause
        self._pause = min(2 * pause, _LONGEST_PAUSE_SECONDS)
        return await self._wait(pause, min(TROUBLE_SECONDS, self._patience))

    async def _wait(self, seconds: float, most: float) -> bool:
        """Wait, unless it would end later than `most` seconds after the first attempt.

        Callers that were refused at the same moment go on at different moments.
        """
        if time.monotonic() + seconds > self._began + most:
            return False
        await asyncio.sleep(seconds + random.uniform(0, _SPREAD_SECONDS))  # noqa: S311
        return True
