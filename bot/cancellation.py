"""Ending a task for certain."""

from __future__ import annotations

import asyncio
from typing import Any

_AGAIN_SECONDS = 0.5


async def cancel_until_done(task: asyncio.Task[Any]) -> None:
    """Cancel `task` until it has ended.

    Once is not enough for a loop: before Python 3.12 `asyncio.wait_for`, in which the pool waits
    for a connection, forgets a cancellation that comes just as what it waits for does.
    Source: https://github.com/python/cpython/issues/86296
    """
    while not task.done():
        task.cancel()
        await asyncio.wait({task}, timeout=_AGAIN_SECONDS)
