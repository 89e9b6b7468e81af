"""Waiting in tests for what announces nothing: two minutes at most unless a test says otherwise.

Periodic work begins within a minute.
"""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Awaitable, Callable, Coroutine
from typing import Any, TypeVar, overload

T = TypeVar("T")
SECONDS = 120.0
_LOOK_SECONDS = 0.02


@overload
async def until(check: Callable[[], Coroutine[Any, Any, T | None]]) -> T: ...
@overload
async def until(check: Callable[[], T | None]) -> T: ...
async def until(check: Callable[[], Any]) -> Any:
    """Return what `check`, or its coroutine, returns as soon as that is true."""
    async with asyncio.timeout(SECONDS):
        while True:
            found = check()
            if found := await found if isinstance(found, Awaitable) else found:
                return found
            await asyncio.sleep(_LOOK_SECONDS)


def wait_until(
    check: Callable[[], T | None],
    what: str = "what was waited for",
    seconds: float = SECONDS,
) -> T:
    """Return what `check` returns as soon as that is true; for tests without an event loop."""
    end = time.monotonic() + seconds
    while not (found := check()):
        assert time.monotonic() < end, (
            f"There was not {what} within {seconds:g} seconds."
        )
        threading.Event().wait(_LOOK_SECONDS)
    return found
