"""Calls Slack at the start and in checks; a failure is a `Problem`."""

from __future__ import annotations

from slack_sdk.web.async_slack_response import AsyncSlackResponse

from bot.config import Settings
from bot.runtime.problems import TOKENS, Problem, slack_unreachable, token
from bot.slack.client import (
    SLACK_FAULTS,
    TOKEN_REFUSED,
    SlackClient,
    create_session,
    error_code,
    error_name,
    is_passing,
)

_REFUSED = {
    "access_denied": "Socket Mode is off: turn it on in your app's Socket Mode page.",
    "token_expired": "{name} has expired: turn token rotation off in your app's OAuth &"
    " Permissions, install it again and copy the new token.",
    "missing_scope": "{name} lacks a scope that it needs: make a new one at {where}.",
    "": "Slack refuses {name} ({code}): install the app again if it was removed, and copy the token"
    " from your app's {where}.",
}
_PATIENCE_SECONDS = 5.0


class TokenRefused(Problem):
    """Slack does not accept a token."""


async def call_slack(settings: Settings, name: str, method: str) -> AsyncSlackResponse:
    """Call a method without arguments, with the token of setting `name`.

    It is repeated for some seconds, as `bot.slack.client.repeat` does. Raises `TokenRefused`, or
    another `Problem`.
    """
    given = token(settings, name)
    try:
        async with create_session() as session:
            client = SlackClient(
                token=given,
                base_url=settings.slack_api_url,
                session=session,
                patience=_PATIENCE_SECONDS,
            )
            return await client.api_call(method)
    except SLACK_FAULTS as error:
        code = error_code(error)
        is_refused = code in TOKEN_REFUSED
        if is_passing(error) and not is_refused:
            if told := error_name(error):
                raise Problem(
                    f"Slack cannot serve {name} now ({told}): try again later."
                ) from None
            raise slack_unreachable(settings.slack_api_url) from None
        told = _REFUSED.get(code, _REFUSED[""])
        sentence = told.format(name=name, code=code, where=TOKENS[name][1])
        raise (TokenRefused if is_refused else Problem)(sentence) from None
