"""How long Slack asks to wait, and for what; whose token a call has."""

from __future__ import annotations

import pytest

from bot.slack.client import APPEND, STOP, NotInstalled, SlackApi, posts
from bot.slack.messages import Installation
from bot.slack.retries import RateLimits, seconds_asked


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


def test_a_refusal_is_of_one_method() -> None:
    """What Slack refuses in one channel may be called in another."""
    limits = RateLimits()
    limits.note(STOP, 30)
    limits.note(posts("C1"), 30)
    assert 29 < limits.wait(STOP) <= 30
    assert limits.wait(APPEND) == 0
    assert limits.wait(posts("C1")) > 0 == limits.wait(posts("C2"))


def test_refusals_that_are_over_are_forgotten() -> None:
    """The names of channels do not gather."""
    limits = RateLimits()
    limits.note(posts("C1"), 0)
    limits.note(posts("C2"), 30)
    assert len(limits._until) == 1
