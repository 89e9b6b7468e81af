"""Which requests to Slack may be repeated, and which of them Slack refuses for a rate limit now.

`bot.slack.client.repeat` is the only place that repeats one.
"""

from __future__ import annotations

import math
import time
from collections.abc import Mapping

from memory.metrics import count

RATE_LIMITED = "ratelimited"

TROUBLE_SECONDS = 120.0
"""How long a call is repeated while Slack is in trouble, if its caller is that patient."""

FIRST_PAUSE_SECONDS = 0.3
LONGEST_PAUSE_SECONDS = 10.0
_LONGEST_WAIT_SECONDS = 600.0
SPREAD_SECONDS = 0.2
DOWNLOAD = "files"
"""The name of a file download, which is not a method of the Web API."""

RESPONSE_URL = "response_url"
"""The name of an answer to a click or command, which is not a method of the Web API."""

# These have the same effect if carried out twice. `chat.stopStream` refuses to end a stream twice,
# and a second ephemeral message does less harm than none.
REPEATABLE = frozenset(
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
    """The ``Retry-After`` headers that this process has received, by method.

    Nothing is counted in advance: Slack's own counters decide, for all replicas together.
    Source: https://docs.slack.dev/apis/web-api/rate-limits
    """

    def __init__(self) -> None:
        self._until: dict[str, float] = {}

    def wait(self, method: str) -> float:
        """Return how many more seconds Slack refuses a method; 0.0 if it may be called."""
        return max(self._until.get(method, 0.0) - time.monotonic(), 0.0)

    def note(self, method: str, seconds: float) -> None:
        """Record that Slack refuses a method for `seconds`."""
        # The channel that `posts` adds is left out: one of a direct message identifies a person.
        count("slack_rate_limits", method=method.partition(" ")[0])
        now = time.monotonic()
        self._until = {
            name: until for name, until in self._until.items() if until > now
        }
        self._until[method] = now + seconds

    def never(self, method: str) -> None:
        """Record that Slack will refuse a method for as long as this process runs."""
        self._until[method] = math.inf
