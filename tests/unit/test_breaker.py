"""The breaker: a failure is the model's only once a request of the app's own has failed, too."""

from __future__ import annotations

import asyncio

import pytest

from bot.models.breaker import PROBE_SECONDS, CircuitBreaker, Probed
from memory.metrics import recorded


class Model:
    """A model whose probes the test answers, with a clock that the test sets."""

    def __init__(self, result: Probed = "failed") -> None:
        self.now = 100.0
        self.result: Probed = result
        self.probes = 0
        self.may_answer = asyncio.Event()
        self.may_answer.set()
        self.breaker = CircuitBreaker(self._probe, lambda: self.now)

    async def _probe(self) -> Probed:
        self.probes += 1
        await self.may_answer.wait()
        return self.result


async def test_a_model_that_answers_is_not_probed() -> None:
    """Nobody waits while nothing has failed, and after each answer."""
    model = Model()
    assert await model.breaker.is_answering()
    model.breaker.failed("model_down")
    model.breaker.answered()
    assert await model.breaker.is_answering()
    assert model.probes == 0


async def test_a_request_that_always_fails_keeps_nobody_else_waiting() -> None:
    """Each failure is followed by one probe, and others are let through."""
    model = Model("answered")
    for _ in range(10):
        model.breaker.failed("model_down")
        assert await model.breaker.is_answering()
        assert await model.breaker.is_answering()
    assert model.probes == 10


async def test_a_model_that_is_away_is_probed_once_an_interval() -> None:
    """Whoever asks is refused at once, and told why; the first answer ends it. Probes count."""
    model = Model()
    model.breaker.failed("model_busy")
    let_through = []
    counted: list[tuple[str, float, dict[str, str]]] = []

    def count(name: str, amount: float, labels: dict[str, str]) -> None:
        counted.append((name, amount, labels))

    with recorded(lambda _, __: None, count):
        for _ in range(3):
            let_through += [await model.breaker.is_answering() for _ in range(5)]
            model.now += PROBE_SECONDS
    assert counted == [("errors", 1, {"kind": "model_busy"})] * 3
    assert let_through == [False] * 15
    assert (model.probes, model.breaker.cause) == (3, "model_busy")
    model.result = "answered"
    assert await model.breaker.is_answering()
    assert not model.breaker.is_away


async def test_all_who_ask_wait_for_the_same_probe() -> None:
    """Twenty people whose requests fail at once cost one probe."""
    model = Model()
    model.may_answer.clear()
    model.breaker.failed("model_down")
    asking = [asyncio.create_task(model.breaker.is_answering()) for _ in range(20)]
    await asyncio.sleep(0)
    model.may_answer.set()
    assert await asyncio.gather(*asking) == [False] * 20
    assert model.probes == 1


async def test_an_answer_to_somebody_else_takes_the_place_of_the_probe() -> None:
    """A server with one place, which writes an answer, answers the probe only after it."""
    model = Model()
    model.may_answer.clear()
    model.breaker.failed("model_down")
    asking = asyncio.create_task(model.breaker.is_answering())
    await asyncio.sleep(0)
    model.breaker.answered()
    assert await asking


@pytest.mark.parametrize("silent", [True, False])
async def test_a_silent_probe_shows_nothing_by_itself(silent: bool) -> None:
    """It does only where the request that failed was not answered in time either."""
    model = Model("silent")
    model.breaker.failed("model_down", silent=silent)
    assert await model.breaker.is_answering() is not silent
