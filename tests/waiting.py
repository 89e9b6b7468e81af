"""Waiting in tests for what announces nothing."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Coroutine
from typing import Any, TypeVar, overload

T = TypeVar("T")


@overload
async def until(check: Callable[[], Coroutine[Any, Any, T | None]]) -> T: ...
@overload
async def until(check: Callable[[], T | None]) -> T: ...
async def until(check: Callable[[], Any]) -> Any:
    """Wait a minute at most until `check`, or its coroutine, returns something true; return it."""
    async with asyncio.timeout(60):
        while True:
            found = check()
            if found := await found if isinstance(found, Awaitable) else found:
                return found
            await asyncio.sleep(0.02)
