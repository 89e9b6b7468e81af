"""Start-up time, and memory of the app at rest."""

from __future__ import annotations

import asyncio
import statistics
import time
from pathlib import Path

from bench.plan import Plan
from bench.testbed import Testbed, running

_REST_SECONDS = 5.0


async def measure(testbed: Testbed, plan: Plan) -> dict[str, float]:
    """Time a first and later ``kioku up``, and read the memory that ``kioku run`` uses."""
    folder = testbed.folder / "up"
    folder.mkdir()
    cold = await _ready_after(folder)
    again = [await _ready_after(folder) for _ in range(plan.second_starts)]
    async with testbed.app(testbed.app_database("rest")) as [app]:
        await asyncio.sleep(_REST_SECONDS)
        memory = app.rss_mb()
    return {
        "ready_s_cold_start": round(cold, 2),
        "ready_s_second_start": round(statistics.median(again), 2),
        "rss_mb_idle": round(memory, 1),
    }


async def _ready_after(folder: Path) -> float:
    """Return the seconds until the command prints that it is ready."""
    settings = {"KIOKU_DATA_DIR": str(folder / "data"), "PORT": "0"}
    log = folder.parent / "up.log"
    began = time.monotonic()
    async with running("-m", "bot", "up", settings=settings, log=log, cwd=folder) as up:
        while "is ready" not in await up.line():
            pass
        return time.monotonic() - began
