"""What a first memory needs is loaded in a thread of a process that has just started."""

from __future__ import annotations

import asyncio
from dataclasses import replace

import pytest

import bot.app
from bot.queue.queue import Queue
from bot.runtime import worker
from memory import Pool
from tests.integration.app import App
from tests.waiting import until


@pytest.fixture
async def core(app: App, pool: Pool) -> bot.app.App:
    """The application with a queue that does not work yet."""
    queue = Queue(pool)
    await queue.open()
    return replace(app.core, queue=queue)


async def test_no_warm_up_begins_in_a_process_that_has_ended(
    core: bot.app.App, monkeypatch: pytest.MonkeyPatch
) -> None:
    """No thread begins in an event loop that is being closed."""
    begun: list[bool] = []
    left = asyncio.Event()
    monkeypatch.setattr(worker, "_WARM_UP_SECONDS", 0.5)
    monkeypatch.setattr(worker, "_make_ready", lambda _: begun.append(left.is_set()))
    loop = asyncio.get_running_loop()
    later = asyncio.Event()
    async with worker.open_worker(core):
        loop.call_later(0.5, later.set)
    left.set()
    await later.wait()
    await loop.shutdown_default_executor()
    assert True not in begun


async def test_a_warm_up_that_fails_is_logged_and_nothing_else(
    core: bot.app.App,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    """Whoever needs what it was to load loads it, or says why that is impossible."""

    def fail(_: bot.app.App) -> None:
        raise ImportError("no such package")

    monkeypatch.setattr(worker, "_WARM_UP_SECONDS", 0.0)
    monkeypatch.setattr(worker, "_make_ready", fail)
    async with worker.open_worker(core):
        await until(lambda: "was not loaded before: ImportError" in caplog.text)
