"""One Web API call that `kioku doctor --live` tries."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from slack_sdk.web.async_slack_response import AsyncSlackResponse

from bot.logs import fault
from bot.runtime.finding import Finding, fix, ok
from bot.slack.client import SLACK_FAULTS, error_code, retry_on_rate_limit

# What an error code means where it says more than that the call failed.
# Source: https://docs.slack.dev/reference/methods/agents.sessions.setStatus#errors
_MEANS = {
    "feature_disabled": "this workspace has no agent features: check its plan and settings",
    "unknown_method": "this workspace's Slack does not have the method",
}


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
