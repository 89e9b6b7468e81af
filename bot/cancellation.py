"""Cancels tasks reliably, and the whole command at a signal; why an answer is interrupted."""

from __future__ import annotations

import asyncio
import signal
from collections.abc import AsyncIterator, Coroutine
from contextlib import asynccontextmanager
from typing import Any, TypeVar

_AGAIN_SECONDS = 0.5
_Result = TypeVar("_Result")


class Interrupted(Exception):
    """The running answer must end."""


class Stopped(Interrupted):
    """The person pressed Stop; the text written so far is kept."""


class Superseded(Interrupted):
    """The message was edited or deleted, or another run answers it: this one writes no more."""


async def cancel_until_done(task: asyncio.Task[Any]) -> None:
    """Cancel `task` until it has ended.

    Once is not enough: before Python 3.12 `asyncio.wait_for`, with which the pool waits for a
    connection, loses a cancellation that comes at the same moment as its result.
    Source: https://github.com/python/cpython/issues/86296
    """
    while not task.done():
        task.cancel()
        await asyncio.wait({task}, timeout=_AGAIN_SECONDS)


@asynccontextmanager
async def in_background(
    work: Coroutine[Any, Any, _Result], name: str
) -> AsyncIterator[asyncio.Task[_Result]]:
    """Do `work` beside the block, whose end cancels it; an error is raised to whoever awaits it."""
    task = asyncio.create_task(work, name=name)
    try:
        yield task
    finally:
        await cancel_until_done(task)
        # What nobody awaited is not logged.
        await asyncio.gather(task, return_exceptions=True)


def stopped_by_signal() -> asyncio.Event:
    """Return an event that a signal to end sets; the first one cancels the calling task, too.

    These are SIGINT, SIGTERM, and, unless it is ignored as by nohup, the SIGHUP of a terminal that
    was closed.
    """
    loop = asyncio.get_running_loop()
    task = asyncio.current_task()
    stop = asyncio.Event()

    def stopped() -> None:
        if not stop.is_set() and task is not None:
            task.cancel()
        stop.set()

    numbers = [signal.SIGINT, signal.SIGTERM]
    if signal.getsignal(signal.SIGHUP) is not signal.SIG_IGN:
        numbers.append(signal.SIGHUP)
    for number in numbers:
        loop.add_signal_handler(number, stopped)
    return stop
