"""Steps (named, with durations) and counts, only while a recorder is set; never any text."""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable, Coroutine, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from contextvars import ContextVar, Token
from dataclasses import dataclass
from functools import wraps
from typing import Any, ParamSpec, TypeAlias, TypeVar


@dataclass(frozen=True, slots=True)
class Span:
    """One measured step: start (Unix time), duration in seconds, and name of the enclosing step."""

    name: str
    began_at: float
    seconds: float
    within: str


P = ParamSpec("P")
T = TypeVar("T")
Record: TypeAlias = Callable[[Span], None]
CountRecorder: TypeAlias = Callable[[str, float, dict[str, str]], None]


_NOTHING: AbstractContextManager[Any] = nullcontext()
_current: ContextVar[str] = ContextVar("step", default="")
_record: Record | None = None
_count: CountRecorder | None = None


def step(name: str) -> AbstractContextManager[None]:
    """Measure this block, awaits included, if a recorder is set."""
    return _NOTHING if _record is None else _Step(name)


def measured(
    name: str,
) -> Callable[[Callable[P, Awaitable[T]]], Callable[P, Coroutine[Any, Any, T]]]:
    """Decorate a coroutine function so that each call is the step `name`."""

    def decorate(call: Callable[P, Awaitable[T]]) -> Callable[P, Coroutine[Any, Any, T]]:
        @wraps(call)
        async def called(*args: P.args, **kwargs: P.kwargs) -> T:
            with step(name):
                return await call(*args, **kwargs)

        return called

    return decorate


def current_step() -> str:
    """Return the name of the current innermost step, or an empty string."""
    return _current.get()


def count(name: str, amount: float = 1.0, **labels: str) -> None:
    """Report that something happened `amount` times, if a recorder is set.

    Values of `labels` are from small sets, such as methods of Slack's API: never a person or text.
    """
    if _count is not None:
        _count(name, amount, labels)


def step_ended(name: str, began: float) -> None:
    """Report a step that began at `began` (`time.perf_counter`) and ends now."""
    seconds = time.perf_counter() - began
    if _record is not None:
        _record(Span(name, time.time() - seconds, seconds, _current.get()))


@contextmanager
def recorded(record: Record, counts: CountRecorder | None = None) -> Iterator[None]:
    """Call `record` with each step that ends in this process within this block.

    `counts` is called with the name, amount and labels of each `count`.
    """
    global _record, _count
    before = _record, _count
    _record, _count = record, counts
    try:
        yield
    finally:
        _record, _count = before


class _Step:
    def __init__(self, name: str) -> None:
        self._name = name

    def __enter__(self) -> None:
        self._within: Token[str] = _current.set(self._name)
        self._began_at, self._began = time.time(), time.perf_counter()

    def __exit__(self, *error: Any) -> None:
        seconds = time.perf_counter() - self._began
        within = self._within.old_value
        _current.reset(self._within)
        if _record is not None:
            outer = within if isinstance(within, str) else ""
            _record(Span(self._name, self._began_at, seconds, outer))
