"""Durations of named steps and counts of events, reported to a recorder if one is set; no text."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from contextlib import asynccontextmanager, contextmanager
from typing import TypeAlias

StepRecorder: TypeAlias = Callable[[str, float], None]
CountRecorder: TypeAlias = Callable[[str, float, dict[str, str]], None]

_steps: StepRecorder | None = None
_counts: CountRecorder | None = None


@asynccontextmanager
async def step(name: str) -> AsyncIterator[None]:
    """Measure a block; as a decorator, each call of a coroutine function, including awaits."""
    began = time.perf_counter()
    try:
        yield
    finally:
        step_ended(name, began)


def step_ended(name: str, began: float) -> None:
    """Report a step that began at `began` (`time.perf_counter`) and ends now."""
    if _steps is not None:
        _steps(name, time.perf_counter() - began)


def count(name: str, amount: float = 1.0, **labels: str) -> None:
    """Report that something happened `amount` times.

    Values of `labels` are from small sets, such as methods of Slack's API: never a person or text.
    """
    if _counts is not None:
        _counts(name, amount, labels)


def count_tokens(team_id: str, used: Mapping[tuple[str, str], int]) -> None:
    """Count the tokens of a call of a model for a workspace, by model and kind of token."""
    for (model, kind), tokens in used.items():
        count("model_tokens", tokens, team=team_id, model=model, kind=kind)


@contextmanager
def recorded(
    steps: StepRecorder, counts: CountRecorder | None = None
) -> Iterator[None]:
    """Report the steps that end in this block to `steps`, and what is counted in it to `counts`."""
    global _steps, _counts
    before = _steps, _counts
    _steps = steps
    _counts = counts
    try:
        yield
    finally:
        _steps, _counts = before
