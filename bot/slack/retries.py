"""Which Slack calls are repeated, and when: after a rate limit, and while Slack is in trouble.

This is the only place that decides it, for every request that goes to Slack.
"""

from __future__ import annotations

import asyncio
import math
import random
import time
from collections.abc import Mapping
from typing import Any

from slack_sdk.errors import SlackApiError
from slack_sdk.http_retry.async_handler import AsyncRetryHandler
from slack_sdk.http_retry.response import HttpResponse
from slack_sdk.http_retry.state import RetryState

from memory.metrics import count

RATE_LIMITED = "ratelimited"

TROUBLE_SECONDS = 120.0
"""How long a call is repeated while Slack is in trouble, if its caller is that patient."""

_FIRST_PAUSE_SECONDS = 0.3
_LONGEST_PAUSE_SECONDS = 10.0
_LONGEST_WAIT_SECONDS = 600.0
_SPREAD_SECONDS = 0.2
_PASSING = frozenset(
    {"fatal_error", "internal_error", "request_timeout", "service_unavailable"}
)

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
        "auth.teams.list",
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
        DOWNLOAD,
        RESPONSE_URL,
    }
)


def error_name(status: int, answer: object) -> str:
    """Return Slack's name of an error, or ``""`` if the call may have been carried out.

    `answer` is the content of the response. It is not always JSON: a proxy's error page is text, or
    empty.
    """
    name = ""
    if isinstance(answer, Mapping):
        name = str(answer.get("error") or "")
    if status == 429 or name in (RATE_LIMITED, "rate_limited"):
        return RATE_LIMITED
    if status >= 500 or name in _PASSING:
        return ""
    return name


def seconds_asked(headers: Mapping[str, Any] | None) -> float:
    """Return the seconds to wait that ``Retry-After`` names, limited to 1 to 600."""
    lower = {name.lower(): value for name, value in (headers or {}).items()}
    asked = lower.get("retry-after", 1)
    if isinstance(asked, list):
        asked = asked[0]
    try:
        seconds = float(asked)
    except (TypeError, ValueError):
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


class SlackRetries(AsyncRetryHandler):
    """Decides whether and when one call is repeated.

    A call that Slack refuses for a rate limit was not carried out, and is repeated after the time
    that Slack names. If a server error or a lost connection leaves open whether it was carried out,
    it is repeated ever more slowly, for at most `TROUBLE_SECONDS`, but only if that does less harm
    than its loss (`_REPEATABLE`). The waits for rate limits together take at most `patience`
    seconds, and so does the trouble; with 0 the call is made at once and only once.

    `name` is the limit that the call counts for in `limits`: its method, or what `posts` returns.
    """

    def __init__(
        self, limits: RateLimits, team_id: str, name: str, patience: float
    ) -> None:
        super().__init__()
        self._limits = limits
        self._team_id = team_id
        self._name = name
        self._patience = patience
        self._waited = 0.0
        self._trouble_began: float | None = None
        self._pause = 0.0

    async def wait_for_limit(self) -> None:
        """Wait while a limit that another call met would refuse this one, if patience lasts.

        Callers that were refused at the same moment go on at different moments.
        """
        while wait := self._limits.wait(self._team_id, self._name):
            if self._waited + wait > self._patience:
                return
            self._waited += wait
            await asyncio.sleep(_spread(wait))

    async def can_retry_async(
        self,
        *,
        state: RetryState,
        response: HttpResponse | None = None,
        error: Exception | None = None,
        **_: Any,
    ) -> bool:
        """Return whether the call is repeated. The number of attempts is not limited."""
        status, headers, answer = _outcome(response, error)
        if error is None and isinstance(answer, Mapping) and answer.get("ok"):
            return False
        name = error_name(status, answer)
        if name == RATE_LIMITED:
            self._limits.note(self._team_id, self._name, seconds_asked(headers))
            return self._waits_for_limit()
        return name == "" and self._waits_for_end_of_trouble(state.current_attempt)

    async def prepare_for_next_attempt_async(
        self, *, state: RetryState, **_: Any
    ) -> None:
        """Wait for as long as `can_retry_async` has decided."""
        state.next_attempt_requested = True
        await asyncio.sleep(self._pause)
        state.increment_current_attempt()

    def _waits_for_limit(self) -> bool:
        wait = self._limits.wait(self._team_id, self._name)
        self._waited += wait
        self._pause = _spread(wait)
        return self._waited <= self._patience

    def _waits_for_end_of_trouble(self, attempts: int) -> bool:
        if self._name not in _REPEATABLE:
            return False
        now = time.monotonic()
        if self._trouble_began is None:
            self._trouble_began = now
        self._pause = min(_FIRST_PAUSE_SECONDS * 2**attempts, _LONGEST_PAUSE_SECONDS)
        waited = now + self._pause - self._trouble_began
        return waited < min(TROUBLE_SECONDS, self._patience)


def _outcome(
    response: HttpResponse | None, error: Exception | None
) -> tuple[int, Mapping[str, Any], object]:
    """Return the status, headers and content of a response; zero and empty if none came."""
    if isinstance(error, SlackApiError):
        headers = getattr(error.response, "headers", None) or {}
        return status_of(error), headers, answer_of(error)
    if response is None or error is not None:
        return 0, {}, None
    return response.status_code, response.headers, response.body or response.data


def status_of(error: SlackApiError) -> int:
    """Return the HTTP status of the answer that an error holds."""
    response = error.response
    status = getattr(response, "status_code", None) or getattr(response, "status", 0)
    return int(status or 200)


def answer_of(error: SlackApiError) -> object:
    """Return the content of the answer that an error holds."""
    return getattr(error.response, "data", error.response)


def _spread(seconds: float) -> float:
    return seconds + random.uniform(0, _SPREAD_SECONDS)  # noqa: S311
