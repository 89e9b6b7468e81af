"""Slack's refusals are remembered by workspace and method until they expire, and waited for."""

from __future__ import annotations

import asyncio

import pytest
from slack_sdk.errors import SlackApiError

from bot.slack.client import APPEND, STOP, RateLimits, posts
from tests.unit.test_slack import Calls, refused


def limited(seconds: int) -> SlackApiError:
    """Return the error of a call that Slack refuses for so many seconds."""
    return refused("ratelimited", 429, {"Retry-After": str(seconds)})


def test_a_refusal_is_of_one_method_in_one_workspace() -> None:
    """What Slack refuses in one workspace, method or channel may be called in another."""
    limits = RateLimits()
    assert limits.note("T1", STOP, limited(30))
    assert limits.note("T1", posts("C1"), limited(30))
    assert 29 < limits.wait("T1", STOP) <= 30
    assert limits.wait("T1", APPEND) == limits.wait("T2", STOP) == 0
    assert limits.wait("T1", posts("C1")) > 0 == limits.wait("T1", posts("C2"))


@pytest.mark.parametrize("error", [refused("is_archived"), refused("x", 500), TimeoutError()])
def test_other_errors_are_no_refusals(error: Exception) -> None:
    """An error that is not about a limit keeps no call from being made."""
    limits = RateLimits()
    assert not limits.note("T1", STOP, error)
    assert limits.wait("T1", STOP) == 0


async def test_a_call_waits_for_a_refusal_that_is_known() -> None:
    """A call that Slack would refuse is not made before the time that Slack has named."""
    limits, calls = RateLimits(), Calls()
    limits.note("T1", STOP, limited(1))
    before = asyncio.get_running_loop().time()
    assert (await limits.retry("T1", STOP, calls))["ok"]
    assert calls.made == 1
    assert asyncio.get_running_loop().time() - before >= 1
    assert limits.wait("T1", STOP) == 0


async def test_a_refused_call_is_repeated_and_others_wait_with_it() -> None:
    """Of two callers the one that was refused repeats its call; the other one waits at once."""
    limits = RateLimits()
    first, second = Calls(limited(1)), Calls()
    repeated = asyncio.create_task(limits.retry("T1", STOP, first))
    while not first.made:  # noqa: ASYNC110 - there is no event to wait for
        await asyncio.sleep(0)
    before = asyncio.get_running_loop().time()
    await limits.retry("T1", STOP, second)
    await repeated
    assert (first.made, second.made) == (2, 1)
    assert asyncio.get_running_loop().time() - before >= 0.9


@pytest.mark.parametrize(("seconds", "made"), [(0.0, 1), (1.0, 2), (1.1, 2), (1.5, 2)])
async def test_patience_ends(seconds: float, made: int) -> None:
    """Once the waits would come to more than the caller allows, the refusal is raised."""
    limits, calls = RateLimits(), Calls(*[limited(1) for _ in range(9)])
    with pytest.raises(SlackApiError):
        await limits.retry("T1", STOP, calls, seconds=seconds)
    assert calls.made == made


async def test_refusals_that_are_over_are_forgotten() -> None:
    """The names of channels do not gather."""
    limits = RateLimits()
    limits.note("T1", posts("C1"), limited(1))
    await limits.retry("T1", posts("C1"), Calls())
    limits.note("T1", posts("C2"), limited(30))
    assert len(limits._until) == 1
