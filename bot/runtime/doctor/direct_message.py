"""The direct message of `kioku doctor --live`: found, never opened; and one call that is tried."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any

from slack_sdk.errors import SlackApiError
from slack_sdk.web.async_client import AsyncWebClient
from slack_sdk.web.async_slack_response import AsyncSlackResponse

from bot.config import Settings
from bot.logs import fault
from bot.runtime.finding import Finding, fix, ok
from bot.slack.client import (
    SLACK_FAULTS,
    create_client,
    direct_message,
    error_code,
    retry_on_rate_limit,
)

# What an error code means where it says more than that the call failed.
# Source: https://docs.slack.dev/reference/methods/agents.sessions.setStatus#errors
_MEANS = {
    "feature_disabled": "this workspace has no agent features: check its plan and settings",
    "unknown_method": "this workspace's Slack does not have the method",
}


class NoDirectMessage(Exception):
    """Nothing was tried; the message says why and what to do."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Trial:
    """The direct message to use: of a person (U…), or a conversation (D…), or both."""

    user: str | None = None
    channel: str | None = None
    agreed: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class DirectMessage:
    """One direct message, and who is in it."""

    channel: str
    user: str
    team_id: str
    team: str
    bot_user: str


async def find_direct_message(
    settings: Settings, trial: Trial
) -> tuple[AsyncWebClient, DirectMessage]:
    """Return a client and the direct message `trial` names.

    Raises `NoDirectMessage`, and what the Slack client raises.
    """
    token = settings.slack_bot_token
    if token is None:
        raise NoDirectMessage("SLACK_BOT_TOKEN is not set: run `kioku doctor` first.")
    if trial.user is None and trial.channel is None:
        raise NoDirectMessage(
            "say in whose direct message: --user U… (in Slack: your profile, ⋮, Copy member ID)."
        )
    client = create_client(token.get_secret_value(), settings.slack_api_url)
    me = await retry_on_rate_limit(client.auth_test)
    if trial.channel is None:
        found = await direct_message(client, str(trial.user))
        if found is None:
            raise NoDirectMessage(
                f"{trial.user} has no direct message with Kioku yet: write to it once in Slack"
                " (Apps, Kioku, Messages), then try again."
            )
        channel = found
    else:
        channel = await _given_channel(client, trial.channel)
        if trial.user not in (None, channel["user"]):
            raise NoDirectMessage(
                f"{trial.channel} is not the direct message with {trial.user}: give one of the two."
            )
    dm = DirectMessage(
        channel=channel["id"],
        user=channel["user"],
        team_id=str(me["team_id"]),
        team=str(me["team"]),
        bot_user=str(me["user_id"]),
    )
    return client, dm


async def _given_channel(client: AsyncWebClient, channel: str) -> dict[str, Any]:
    try:
        answer = await retry_on_rate_limit(lambda: client.conversations_info(channel=channel))
    except SlackApiError as error:
        if error_code(error) == "channel_not_found":
            raise NoDirectMessage(f"{channel} is no conversation of Kioku's.") from None
        raise
    found: dict[str, Any] = answer["channel"]
    if not found.get("is_im"):
        raise NoDirectMessage(
            f"{channel} is not a direct message: other people could read the test messages."
        )
    return found


async def attempt(
    what: str,
    otherwise: str,
    call: Callable[[], Awaitable[AsyncSlackResponse]],
    *,
    worked: str = "worked.",
) -> tuple[Finding, AsyncSlackResponse | None]:
    """Make one call; return that it worked with Slack's answer, or what follows from its failure.

    A call that is rate limited is made again after the time that Slack names.
    """
    try:
        answer = await retry_on_rate_limit(call)
    except SLACK_FAULTS as error:
        code = error_code(error)
        said = f"{code}: {_MEANS[code]}" if code in _MEANS else code or fault(error)
        return fix(what, f"did not work ({said}): {otherwise}."), None
    return ok(what, worked), answer
