"""Spans: named steps with durations, measured only while a recorder is set; never any text."""

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

_NOTHING: AbstractContextManager[None] = nullcontext()
_current: ContextVar[str] = ContextVar("step", default="")
_record: Record | None = None


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


@contextmanager
def recorded(record: Record) -> Iterator[None]:
    """Call `record` with each step of this process that ends within this block."""
    global _record
    before, _record = _record, record
    try:
        yield
    finally:
        _record = before


class _Step:
    def __init__(self, name: str) -> None:
        self._name = name

    def __enter__(self) -> None:
        self._within: Token[str] = _current.set(self._name)
        self._began_at, self._began = time.time(), time.perf_counter()

    def __exit__(self, *_: object) -> None:
        seconds = time.perf_counter() - self._began
        within = self._within.old_value
        _current.reset(self._within)
        if _record is not None:
            outer = within if isinstance(within, str) else ""
            _record(Span(self._name, self._began_at, seconds, outer))
