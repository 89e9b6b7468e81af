"""Slack's refusals are remembered by method until they expire."""

from __future__ import annotations

from bot.slack.client import APPEND, STOP, posts
from bot.slack.retries import RateLimits


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
