"""Waiting in tests for what announces nothing."""

from __future__ import annotations

import asyncio
from collections.abc import Callable


async def until(check: Callable[[], object]) -> None:
    """Wait until `check` returns something true, for twenty seconds at most."""
    async with asyncio.timeout(20):
        while not check():  # noqa: ASYNC110 - there is no event to wait for
            await asyncio.sleep(0.02)
