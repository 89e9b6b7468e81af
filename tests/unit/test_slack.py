"""What counts as a fault of Slack's, and how long Slack asks to wait."""

from __future__ import annotations

import pytest
from slack_sdk.errors import SlackApiError, SlackRequestError
from slack_sdk.web.async_client import AsyncWebClient
from slack_sdk.web.async_slack_response import AsyncSlackResponse

from bot.slack.client import NotInstalled, SlackApi, error_code
from bot.slack.messages import Installation
from bot.slack.retries import seconds_asked

CLIENT = AsyncWebClient()


def answer(
    error: str | None = None, status: int = 200, headers: dict[str, str] | None = None
) -> AsyncSlackResponse:
    """Return an answer as slack_sdk makes it."""
    data = {"ok": error is None, **({"error": error} if error else {})}
    return AsyncSlackResponse(
        client=CLIENT,
        http_verb="POST",
        api_url="https://slack.com/api/chat.postMessage",
        req_args={},
        data=data,
        headers=headers or {},
        status_code=status,
    )


def refused(
    error: str | None = "x", status: int = 200, headers: dict[str, str] | None = None
) -> SlackApiError:
    """Return the error slack_sdk raises for such an answer."""
    return SlackApiError("refused", answer(error, status, headers))  # type: ignore[no-untyped-call]


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (refused("channel_not_found"), "channel_not_found"),
        (refused("ratelimited"), "ratelimited"),
        (refused("anything", 429), "ratelimited"),
        (refused("channel_not_found", 500), ""),
        (refused("x", 503), ""),
        (refused("fatal_error"), ""),
        (refused("internal_error"), ""),
        (refused("request_timeout"), ""),
        (refused("service_unavailable"), ""),
        (refused(None), ""),
        (TimeoutError(), ""),
        (ConnectionResetError(), ""),
        (SlackRequestError("x"), ""),
    ],
)
def test_error_code(error: BaseException, code: str) -> None:
    """Only what Slack certainly did not carry out has a name."""
    assert error_code(error) == code


@pytest.mark.parametrize(
    ("headers", "seconds"),
    [
        ({}, 1.0),
        ({"Retry-After": "7"}, 7.0),
        ({"Retry-After": "0"}, 1.0),
        ({"Retry-After": "-3"}, 1.0),
        ({"Retry-After": "300"}, 300.0),
        ({"Retry-After": "86400"}, 600.0),
        ({"Retry-After": "soon"}, 1.0),
        ({"Retry-After": ""}, 1.0),
    ],
)
def test_seconds_asked(headers: dict[str, str], seconds: float) -> None:
    """The wait is what Slack says, a second at least, ten minutes at most."""
    assert seconds_asked(headers) == seconds


@pytest.mark.parametrize("team", ["T2", "", "T", "API"])
async def test_a_call_for_another_workspace_is_not_sent(team: str) -> None:
    """The token of the installation is used for its own workspace only; nothing listens here."""
    here = Installation(team_id="T1", bot_user_id="UBOT", bot_token="xoxb-1")
    api = SlackApi(here, base_url="http://127.0.0.1:1/api/")
    with pytest.raises(NotInstalled) as refused:
        await api.client(team).chat_postMessage(channel="C1", text="hello")
    assert "xox" not in str(refused.value)
