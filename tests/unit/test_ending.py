"""A task that is to end does end."""

from __future__ import annotations

import asyncio
from contextlib import suppress

from bot.cancellation import cancel_until_done


async def test_a_loop_that_lost_its_cancellation_is_cancelled_again() -> None:
    """A cancellation that was swallowed is not the last one."""
    lost: list[int] = []
    begun = asyncio.Event()

    async def loop() -> None:
        while True:
            begun.set()
            if lost:
                await asyncio.sleep(60)
            with suppress(asyncio.CancelledError):
                await asyncio.sleep(60)
            lost.append(1)

    task = asyncio.create_task(loop())
    await begun.wait()
    async with asyncio.timeout(60):
        await cancel_until_done(task)
    assert task.cancelled()
    assert lost == [1]


async def test_what_has_ended_is_left_alone() -> None:
    """A task that is over, well or not, raises nothing here."""

    async def fail() -> None:
        raise ValueError

    task = asyncio.create_task(fail())
    with suppress(ValueError):
        await task
    await cancel_until_done(task)
