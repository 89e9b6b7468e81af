"""Slack's refusals are remembered by workspace and method until they expire."""

from __future__ import annotations

from bot.slack.client import APPEND, STOP, posts
from bot.slack.retries import RateLimits


def test_a_refusal_is_of_one_method_in_one_workspace() -> None:
    """What Slack refuses in one workspace, method or channel may be called in another."""
    limits = RateLimits()
    limits.note("T1", STOP, 30)
    limits.note("T1", posts("C1"), 30)
    assert 29 < limits.wait("T1", STOP) <= 30
    assert limits.wait("T1", APPEND) == limits.wait("T2", STOP) == 0
    assert limits.wait("T1", posts("C1")) > 0 == limits.wait("T1", posts("C2"))


def test_refusals_that_are_over_are_forgotten() -> None:
    """The names of channels do not gather."""
    limits = RateLimits()
    limits.note("T1", posts("C1"), 0)
    limits.note("T1", posts("C2"), 30)
    assert len(limits._until) == 1
