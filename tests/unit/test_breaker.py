"""The breaker: a model that is away is asked now and then only."""

from __future__ import annotations

from bot.pipeline.model import FAILURES, PROBE_SECONDS, CircuitBreaker


class Clock:
    """A clock that the test sets."""

    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


def test_single_failures_change_nothing() -> None:
    """As long as the model answers in between, every request is let through."""
    breaker = CircuitBreaker(Clock())
    for number in range(3 * FAILURES):
        breaker.failed(str(number))
        assert breaker.admit()
        breaker.answered()
    assert not breaker.probing


def test_a_model_that_is_away_is_probed_once_an_interval() -> None:
    """After several failures in a row one request an interval is let through, for any caller."""
    clock = Clock()
    breaker = CircuitBreaker(clock)
    for number in range(FAILURES):
        assert breaker.admit()
        breaker.failed(str(number))
    let_through = []
    for _ in range(3):
        let_through += [breaker.admit() for _ in range(5)]
        clock.now += PROBE_SECONDS
        let_through += [breaker.open, *(breaker.admit() for _ in range(5)), breaker.open]
        breaker.failed("0")
    assert let_through == [*[False] * 6, True, *[False] * 4, True] * 3


def test_one_request_that_always_fails_opens_nothing() -> None:
    """However often the same request fails, other requests are let through."""
    breaker = CircuitBreaker(Clock())
    for _ in range(5 * FAILURES):
        breaker.failed("poison")
        assert breaker.admit()
    for number in range(FAILURES - 1):
        assert breaker.admit()
        breaker.failed(str(number))
    assert not breaker.admit()


def test_one_answer_ends_it() -> None:
    """One answer, whatever it says, and every request is let through again."""
    breaker = CircuitBreaker(Clock())
    for number in range(2 * FAILURES):
        breaker.failed(str(number))
    breaker.answered()
    assert breaker.admit()
    assert not breaker.open
    assert not breaker.probing
