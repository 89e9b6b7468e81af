"""What passes is waited for at the start; what is refused is said at once."""

from __future__ import annotations

import asyncio
import subprocess
import sys
import time
from typing import Any

import pytest

from bot.runtime.connections import retry_until_connected
from bot.runtime.problem import Problem
from bot.slack.client import create_client
from tests.integration.playground_slack import PlaygroundSlack

BOT = ("SLACK_BOT_TOKEN", "http://127.0.0.1/api/")
PASSING: list[list[dict[str, Any]]] = [
    [{"error": "ratelimited", "retry_after": 1}],
    [{"status": 500}],
    [{"drop": "before"}, {"drop": "after"}],
    [{"error": "internal_error"}],
]


@pytest.mark.parametrize("faults", PASSING)
async def test_a_passing_trouble_does_not_end_the_start(
    slack: PlaygroundSlack, faults: list[dict[str, Any]]
) -> None:
    """Slack is asked again after a 429, a 500 and a lost connection, until it answers."""
    for fault in faults:
        slack.fault("auth.test", **fault)
    answer = await retry_until_connected(*BOT, slack.client().auth_test)
    assert answer["user_id"] == slack.bot_user_id
    assert len(slack.calls("auth.test")) == len(faults) + 1


@pytest.mark.failed_calls("auth.test: invalid_auth", because="The token is wrong.")
async def test_a_refusal_ends_the_start_at_once(slack: PlaygroundSlack) -> None:
    """A token that Slack refuses is named, without a second try."""
    with pytest.raises(Problem, match=r"Slack refuses SLACK_BOT_TOKEN \(invalid_auth\): inst"):
        await retry_until_connected(*BOT, slack.client("xoxb-no").auth_test)
    assert len(slack.calls("auth.test")) == 1


async def test_troubles_that_stay_end_the_start(monkeypatch: pytest.MonkeyPatch) -> None:
    """A Slack that cannot be reached is asked again for a limited time, and then named."""
    monkeypatch.setattr("bot.runtime.connections._RETRY_SECONDS", 1.0)
    nowhere = create_client("xoxb-1", "http://127.0.0.1:1/api/")
    begun = time.monotonic()
    with pytest.raises(Problem, match=r"Slack does not answer at http://127.0.0.1:1/api/: check"):
        await retry_until_connected("SLACK_BOT_TOKEN", nowhere.base_url, nowhere.auth_test)
    assert time.monotonic() - begun < 30


async def test_a_start_can_be_broken_off(slack: PlaygroundSlack) -> None:
    """A task that waits for Slack can be cancelled meanwhile."""
    slack.fault("auth.test", status=500, times=9)
    waiting = asyncio.create_task(retry_until_connected(*BOT, slack.client().auth_test))
    while not slack.calls("auth.test"):  # noqa: ASYNC110 - the playground tells nobody
        await asyncio.sleep(0.01)
    waiting.cancel()
    with pytest.raises(asyncio.CancelledError):
        await waiting


def test_other_processes_start_before_the_large_imports() -> None:
    """What `kioku up` imports until PostgreSQL and the playground run is small."""
    program = (
        "import bot.runtime.commands, sys;"
        " print({'aiohttp', 'slack_sdk', 'openai', 'langgraph'} & {*sys.modules})"
    )
    assert subprocess.check_output([sys.executable, "-c", program], text=True) == "set()\n"
