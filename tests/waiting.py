"""Waiting in tests for what announces nothing."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import TypeVar

T = TypeVar("T")


async def until(check: Callable[[], T | None]) -> T:
    """Wait until `check` returns something true, for a minute at most; return that."""
    async with asyncio.timeout(60):
        while not (found := check()):  # noqa: ASYNC110 - there is no event to wait for
            await asyncio.sleep(0.02)
    return found
