"""Calls Slack with the right token, waits for its rate limits, and says what is a fault.

An installation is the app in one workspace.
"""

from __future__ import annotations

import asyncio
import logging
import math
import random
import time
from collections.abc import Awaitable, Callable, Iterator, Mapping
from contextlib import contextmanager
from email.utils import parsedate_to_datetime
from functools import partial
from typing import Any, TypeVar

import aiohttp
from slack_sdk.errors import SlackApiError, SlackClientError
from slack_sdk.web.async_client import AsyncWebClient
from slack_sdk.web.async_slack_response import AsyncSlackResponse

from bot.answer_limits import AnswerTooLarge, LimitedResponse
from bot.logs import StandingWarnings, fault
from bot.network import proxy_for
from bot.slack import retries
from bot.slack.cache import Cache
from bot.slack.messages import API_TEAM, Installation, sanitize_payload
from bot.slack.retries import RATE_LIMITED, RateLimits
from memory.metrics import step
from memory.model import MessageKey

log = logging.getLogger(__name__)

# For a logger without a level of its own the SDK writes out each answer, and drops the text.
_SDK_LOG = logging.getLogger("slack_sdk.web.client")
_SDK_LOG.setLevel(logging.INFO)

_Answer = TypeVar("_Answer")
SLACK_FAULTS = (SlackClientError, aiohttp.ClientError, OSError, TimeoutError)

GAP_SECONDS = 300.0
"""An app that receives no events for this long misses some: an event of the first minute is sent
again, for the last time, five minutes later. Source: https://docs.slack.dev/apis/events-api/#retries"""

PATIENCE_SECONDS = 60.0
"""How long a job waits for Slack in one call, unless another time is given."""

TURN_PATIENCE_SECONDS = 15.0
"""How long one call of a turn waits for Slack when it reads a page of a thread or a file."""

_TIMEOUT_SECONDS = 30
_LINK_SECONDS = 1.5
_CLOCK_SECONDS = 60.0

# Errors that pass, and leave open whether the call was carried out. Two are those of a workspace
# that is being moved into an Enterprise organisation.
_PASSING = frozenset(
    {
        "fatal_error",
        "internal_error",
        "org_login_required",
        "request_timeout",
        "service_unavailable",
        "team_added_to_org",
    }
)
_MAY_STREAM = frozenset({"cant_delete_message", "streaming_state_conflict"})

TOKEN_REFUSED = frozenset(
    {
        "account_inactive",
        "invalid_auth",
        "token_expired",
        "token_revoked",
    }
)
"""Errors that say that Slack does not accept a token."""

CONVERSATION_GONE = frozenset(
    {"channel_not_found", "is_archived", "not_in_channel", "thread_not_found"}
)
"""Errors that say that the app can no longer write in a conversation or thread."""

START = "chat.startStream"
APPEND = "chat.appendStream"
STOP = "chat.stopStream"
SESSION = "agents.sessions.setStatus"


def posts(channel_id: str) -> str:
    """Return the name of ``chat.postMessage`` in one channel, which has its own rate limit."""
    return f"chat.postMessage {channel_id}"


class SlackClient(AsyncWebClient):
    """A Web API client that makes calls as `repeat` does, with `patience` seconds for each.

    Its proxy is that of `proxy_for`, because the SDK reads HTTPS_PROXY but not NO_PROXY.
    """

    def __init__(
        self,
        *,
        token: str | None = None,
        base_url: str,
        session: aiohttp.ClientSession | None = None,
        patience: float = 0.0,
    ) -> None:
        super().__init__(
            token=token,
            base_url=base_url,
            timeout=_TIMEOUT_SECONDS,
            retry_handlers=[],
            session=session,
            logger=_SDK_LOG,
        )
        self.proxy = proxy_for(base_url)
        self.limits = RateLimits()
        self.patience = patience

    async def api_call(self, api_method: str, **arguments: Any) -> AsyncSlackResponse:
        """Call a method. Raises what the SDK raises, once the call is no longer repeated."""
        name = api_method
        if api_method == "chat.postMessage":
            posted = arguments.get("json") or {}
            name = posts(posted.get("channel", ""))
        call = partial(self.call_once, api_method, **arguments)
        async with step(f"slack {api_method}"):
            return await repeat(self.limits, name, call, patience=self.patience)

    async def call_once(self, api_method: str, **arguments: Any) -> AsyncSlackResponse:
        """Call a method, and do not repeat the call."""
        return await super().api_call(api_method, **arguments)


def create_session() -> aiohttp.ClientSession:
    """Return connections to Slack for one client and one event loop; the caller closes them.

    Without them the SDK opens a new connection for each call, and reads answers of any size.
    """
    return aiohttp.ClientSession(
        response_class=LimitedResponse,
        timeout=aiohttp.ClientTimeout(total=_TIMEOUT_SECONDS),
        cookie_jar=aiohttp.DummyCookieJar(),
    )


def error_code(error: BaseException) -> str:
    """Return Slack's error name, or ``""`` if the call may have been carried out."""
    if not isinstance(error, SlackApiError):
        return ""
    response = error.response
    status = getattr(response, "status_code", getattr(response, "status", 200))
    name = error_name(error)
    if status == 429 or name in (RATE_LIMITED, "rate_limited"):
        return RATE_LIMITED
    if status >= 500 or name in _PASSING:
        return ""
    return name


def error_name(error: BaseException) -> str:
    """Return what Slack calls an error, also one that passes; ``""`` if Slack did not say."""
    if not isinstance(error, SlackApiError):
        return ""
    # An answer of slack_sdk, one of aiohttp, or what an answer would hold.
    answer = getattr(error.response, "data", error.response)
    # A proxy's error page is text, or empty.
    if isinstance(answer, Mapping):
        return str(answer.get("error") or "")
    return ""


def slack_fault(error: BaseException) -> str:
    """Describe a failed call for the log: by Slack's name of the error, else by its type."""
    return error_code(error) or error_name(error) or fault(error)


def is_passing(error: BaseException) -> bool:
    """Return whether a call that failed may succeed later.

    It met a rate limit, a 5xx or a lost connection, or needs a process with another token. Any
    other error is Slack's final answer.
    """
    return error_code(error) in TOKEN_REFUSED.union((RATE_LIMITED, ""))


@contextmanager
def unless_refused(act: str) -> Iterator[None]:
    """Leave the block, and log it, if Slack refuses a call in it; raise an error that may pass.

    `act` is what Slack refused to do, for the log.
    """
    try:
        yield
    except SLACK_FAULTS as error:
        if is_passing(error):
            raise
        log.warning("Slack refused to %s: %s", act, slack_fault(error))


async def repeat(
    limits: RateLimits,
    name: str,
    request: Callable[[], Awaitable[_Answer]],
    *,
    patience: float,
) -> _Answer:
    """Make a request, and again as often as needed. Raises what the last attempt raised.

    A call that Slack refuses for a rate limit was not carried out, and is repeated after the time
    that Slack names; it waits, too, while a limit that another call met would refuse it. If a
    server error or a lost connection leaves open whether it was carried out, it is repeated ever
    more slowly, but only if that does less harm than its loss (`retries.REPEATABLE`). No attempt
    begins later than `patience` seconds after the first, and none after trouble later than
    `retries.TROUBLE_SECONDS`; with 0 the call is made at once and only once.

    `name` is the limit that the call counts for in `limits`: its method, or what `posts` returns. A
    `request` that does not go through the SDK calls `raise_if_passing` with the answer.
    """
    began = time.monotonic()

    async def has_waited(seconds: float, most: float) -> bool:
        """Wait, unless that would end later than `most` seconds after the first attempt."""
        if time.monotonic() + seconds > began + most:
            return False
        # Callers that were refused at the same moment go on at different moments.
        spread = random.uniform(0, retries.SPREAD_SECONDS)  # noqa: S311
        await asyncio.sleep(seconds + spread)
        return True

    while limited := limits.wait(name):
        if not await has_waited(limited, patience):
            break
    pause = retries.FIRST_PAUSE_SECONDS
    while True:
        try:
            return await request()
        except AnswerTooLarge:
            raise
        except SLACK_FAULTS as error:
            code = error_code(error)
            if code == RATE_LIMITED:
                answer = getattr(error, "response", None)
                asked = retries.seconds_asked(getattr(answer, "headers", {}))
                limits.note(name, asked)
                goes_on = await has_waited(asked, patience)
            elif code or name not in retries.REPEATABLE:
                raise
            else:
                most = min(retries.TROUBLE_SECONDS, patience)
                goes_on = await has_waited(pause, most)
                pause = min(2 * pause, retries.LONGEST_PAUSE_SECONDS)
            if not goes_on:
                raise


def raise_if_passing(answer: aiohttp.ClientResponse) -> None:
    """Raise `SlackApiError` for a rate limit or a server error."""
    if answer.status == 429 or answer.status >= 500:
        raise SlackApiError("Slack does not carry this out now.", answer)  # type: ignore[no-untyped-call]


class NotInstalled(SlackApiError, LookupError):
    """There is no token for a workspace: nothing was sent to Slack.

    It looks like Slack's answer to a call without a token, for callers that handle those. A request
    from Slack for that workspace is acknowledged like one that cannot be read.
    """

    def __init__(self, team_id: str) -> None:
        answer = {"ok": False, "error": "not_authed"}
        super().__init__(f"Kioku is not installed in {team_id!r}.", answer)  # type: ignore[no-untyped-call]


class SlackApi:
    """Slack's API for one installation; every call names its workspace, which has to be that one.

    `limits` are the rate limits that Slack imposes now, shared by all replies; `warnings` is what
    the operator must know about this process and Slack; `token_refused` is set when a call or an
    event says that Slack refuses the token.
    """

    def __init__(
        self,
        installation: Installation,
        *,
        base_url: str,
        session: aiohttp.ClientSession | None = None,
    ) -> None:
        self._installation = installation
        self.base_url = base_url
        self.session = session
        self._links: Cache[tuple[str, MessageKey], str] = Cache()
        self.limits = RateLimits()
        self.warnings = StandingWarnings(log)
        self.token_refused = asyncio.Event()

    def installation_in(self, team_id: str) -> Installation:
        """Return the installation if it is in this team; else raise `NotInstalled`."""
        if self._installation.team_id != team_id:
            raise NotInstalled(team_id)
        return self._installation

    def bot_user_id(self, team_id: str) -> str:
        """Return the app's user id in a team, ``""`` for POST /ask; raises `NotInstalled`."""
        if team_id == API_TEAM:
            return ""
        return self.installation_in(team_id).bot_user_id

    def client(self, team_id: str, *, patience: float = 0.0) -> TeamClient:
        """Return a Web API client that calls with the team's token.

        Its methods raise `NotInstalled` if there is none; no other token is ever used. A call is
        made as `repeat` does.
        """
        return TeamClient(self, team_id, patience)

    async def permalinks(
        self, team_id: str, messages: Mapping[str, MessageKey]
    ) -> dict[str, str]:
        """Return the links to named messages of a workspace, by name; a link never changes.

        Waits 1.5 seconds at most. A link that Slack does not return is left out.
        """
        found = await asyncio.gather(
            *(self._link(team_id, message) for message in messages.values())
        )
        links = zip(messages, found, strict=True)
        return {name: link for name, link in links if link is not None}

    async def _link(self, team_id: str, message: MessageKey) -> str | None:
        known = self._links.find((team_id, message))
        if known is not None:
            return known
        channel, ts = message
        try:
            async with asyncio.timeout(_LINK_SECONDS):
                answer = await self.client(team_id).chat_getPermalink(
                    channel=channel, message_ts=ts
                )
        except SLACK_FAULTS as error:
            log.info("a permalink lookup failed: %s", slack_fault(error))
            return None
        link = str(answer["permalink"])
        self._links.keep((team_id, message), link, math.inf)
        return link


class TeamClient(SlackClient):
    """Calls with the token of one team."""

    def __init__(self, api: SlackApi, team_id: str, patience: float) -> None:
        super().__init__(base_url=api.base_url, session=api.session, patience=patience)
        self.limits = api.limits
        self.team_id = team_id
        self._api = api

    def bot_user_id(self) -> str:
        """Return the app's user id in the team; raises `NotInstalled`."""
        return self._api.bot_user_id(self.team_id)

    async def call_once(self, api_method: str, **arguments: Any) -> AsyncSlackResponse:
        """Call a method with the team's token."""
        installation = self._api.installation_in(self.team_id)
        self.token = installation.bot_token
        try:
            answer = await super().call_once(api_method, **arguments)
        except SlackApiError as error:
            if error_code(error) in TOKEN_REFUSED:
                self._api.token_refused.set()
            raise
        if wrong := clock_problem(answer):
            self._api.warnings.report("clock", wrong)
        else:
            self._api.warnings.clear("clock")
        return answer


def clock_problem(answer: AsyncSlackResponse) -> str | None:
    """Return one sentence if this machine's clock is more than a minute off Slack's, else None."""
    try:
        theirs = parsedate_to_datetime(answer.headers.get("Date", ""))
    except ValueError:
        return None
    difference = clock_difference(theirs.timestamp(), _CLOCK_SECONDS)
    if difference is None:
        return None
    return (
        f"This machine's clock is {difference} Slack's: set it by a time service (NTP). At five"
        " minutes Slack's signed requests are refused."
    )


def clock_difference(theirs: float, allowed: float) -> str | None:
    """Return where this machine's clock is, such as ``90 seconds ahead of``, beside Slack's.

    `theirs`: the time by Slack's clock, in seconds since 1970. None if the two differ by no more
    than `allowed` seconds.
    """
    ahead = time.time() - theirs
    if abs(ahead) <= allowed:
        return None
    side = "ahead of" if ahead > 0 else "behind"
    return f"{abs(ahead):.0f} seconds {side}"


def next_cursor(answer: AsyncSlackResponse) -> str:
    """Return the cursor of a list's next page; ``""`` after the last."""
    return str((answer.get("response_metadata") or {}).get("next_cursor") or "")


async def list_messages(
    client: AsyncWebClient, channel: str, thread_ts: str | None, **wanted: Any
) -> AsyncSlackResponse:
    """Return a page of the messages of a thread, or of a conversation if none is named."""
    if thread_ts:
        return await client.conversations_replies(
            channel=channel, ts=thread_ts, **wanted
        )
    return await client.conversations_history(channel=channel, **wanted)


async def find_message(
    client: AsyncWebClient, channel: str, thread_ts: str, ts: str
) -> dict[str, Any] | None:
    """Return one message of a thread, or its first; None if it is gone.

    Slack leaves a tombstone in the place of a deleted message that has replies. Raises what the
    Slack client raises.
    """
    answer = await client.conversations_replies(
        channel=channel, ts=thread_ts, oldest=ts, latest=ts, inclusive=True, limit=10
    )
    for message in answer.get("messages") or []:
        if message.get("ts") == ts and message.get("subtype") != "tombstone":
            return dict(sanitize_payload(message))
    return None


async def delete_message(client: AsyncWebClient, channel: str, ts: str) -> None:
    """Delete a message of the app, unless it is gone; one that still streams is ended first.

    Slack refuses a stream and a message that may never be deleted with the same error,
    `cant_delete_message`. Raises what the Slack client raises.

    Source: https://docs.slack.dev/reference/methods/chat.delete
    """
    try:
        await client.chat_delete(channel=channel, ts=ts)
    except SlackApiError as error:
        if error_code(error) == "message_not_found":
            return
        if error_code(error) not in _MAY_STREAM:
            raise
        try:
            await client.chat_stopStream(channel=channel, ts=ts)
        except SlackApiError as refused:
            if error_code(refused) != "message_not_in_streaming_state":
                raise
        await client.chat_delete(channel=channel, ts=ts)
