"""Calling Slack: what counts as a fault, and waiting as told."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Awaitable, Callable, Mapping
from typing import Any

import aiohttp
from slack_sdk.errors import SlackApiError, SlackClientError
from slack_sdk.web.async_client import AsyncWebClient
from slack_sdk.web.async_slack_response import AsyncSlackResponse

SLACK_FAULTS = (SlackClientError, aiohttp.ClientError, OSError, TimeoutError)

GAP_SECONDS = 300.0
"""An app that receives no events for so long misses some: one of the first minute is delivered
again, for the last time, after five more. Source: https://docs.slack.dev/apis/events-api/#retries"""

NOTICE_METADATA: dict[str, Any] = {
    "event_type": "kioku_notice",
    "event_payload": {"reply": False},
}
"""The metadata of an app message that is no reply: no turn takes it for its own."""

TURN_PATIENCE_SECONDS = 15.0
"""The longest total wait of one turn for rate-limited reads of a thread or a file."""

_TIMEOUT_SECONDS = 30
_LONGEST_WAIT_SECONDS = 600.0
SPREAD_SECONDS = 0.2
_PASSING = frozenset({"fatal_error", "internal_error", "request_timeout", "service_unavailable"})


def create_client(
    token: str, base_url: str, session: aiohttp.ClientSession | None = None
) -> AsyncWebClient:
    """Return a Web API client that repeats nothing by itself; with `session`, on its connections.

    The SDK's own retry after a lost connection can carry out a post twice.
    """
    return AsyncWebClient(
        token=token, base_url=base_url, timeout=_TIMEOUT_SECONDS, retry_handlers=[], session=session
    )


def create_session() -> aiohttp.ClientSession:
    """Return connections to Slack for one client and one event loop; the caller closes them.

    Without them the SDK opens a connection, and shakes hands, for every single call.
    """
    return aiohttp.ClientSession(
        timeout=aiohttp.ClientTimeout(total=_TIMEOUT_SECONDS), cookie_jar=aiohttp.DummyCookieJar()
    )


def error_code(error: BaseException) -> str:
    """Return Slack's error name, or ``""`` where the call may have been carried out."""
    if not isinstance(error, SlackApiError):
        return ""
    # Not every answer is JSON: a proxy's error page comes as text, or with no data at all.
    said = getattr(error.response, "data", None)
    code = str(said.get("error") or "") if isinstance(said, dict) else ""
    if code in ("ratelimited", "rate_limited") or _status(error) == 429:
        return "ratelimited"
    return "" if _status(error) >= 500 or code in _PASSING else code


def is_passing(error: BaseException) -> bool:
    """Return whether a read that failed may succeed later: a rate limit, a 5xx, a lost connection.

    Any other error of Slack's says something of what was to be read.
    """
    return error_code(error) in ("ratelimited", "")


def _status(error: SlackApiError) -> int:
    status = getattr(error.response, "status_code", None) or getattr(error.response, "status", 0)
    return int(status or 200)


def retry_after(error: SlackApiError) -> float:
    """Return the seconds Slack asks to wait, at least one, at most ten minutes."""
    return seconds_to_wait(error.response.headers or {})


def seconds_to_wait(headers: Mapping[str, str]) -> float:
    """Return the seconds of a ``Retry-After`` header, at least one, at most ten minutes."""
    lower = {name.lower(): value for name, value in headers.items()}
    try:
        seconds = float(lower.get("retry-after", 1))
    except (TypeError, ValueError):
        seconds = 1.0
    return min(max(seconds, 1.0), _LONGEST_WAIT_SECONDS)


async def retry_on_rate_limit(
    call: Callable[[], Awaitable[AsyncSlackResponse]],
    *,
    seconds: float = 60.0,
) -> AsyncSlackResponse:
    """Make a call; where Slack says it is rate limited, wait as told and make it again.

    A rate-limited call was not carried out, so that is safe. Raises what the last attempt raised,
    once the waits would come to more than `seconds` in all.
    """
    waited = 0.0
    while True:
        try:
            return await call()
        except SlackApiError as error:
            if error_code(error) != "ratelimited":
                raise
            wait = retry_after(error)
            waited += wait
            if waited > seconds:
                raise
        # Callers that were refused at the same moment retry at different ones.
        await asyncio.sleep(wait + random.uniform(0, SPREAD_SECONDS))  # noqa: S311


async def delete_message(client: AsyncWebClient, channel: str, ts: str) -> None:
    """Delete a message of the app; one that still streams is ended first.

    Raises what `retry_on_rate_limit` raises.

    Source: https://docs.slack.dev/reference/methods/chat.update, `streaming_state_conflict`
    """
    try:
        await retry_on_rate_limit(lambda: client.chat_delete(channel=channel, ts=ts))
    except SlackApiError as error:
        if error_code(error) != "streaming_state_conflict":
            raise
        await retry_on_rate_limit(lambda: client.chat_stopStream(channel=channel, ts=ts))
        await retry_on_rate_limit(lambda: client.chat_delete(channel=channel, ts=ts))
