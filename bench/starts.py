"""Start-up time, and memory of the app at rest and after many turns."""

from __future__ import annotations

import asyncio
import statistics
import time
from pathlib import Path

from bench.ground import Ground, free_port, start
from bench.load import crowd
from bench.plan import Plan
from bench.side_by_side import Progress

_REST_SECONDS = 5.0
_WRITERS = 48
# Connections, imports and caches of bounded size fill in the first turns: what is measured is
# whether memory grows afterwards.
_WARM_TURNS = 2_000
_SCALED_TO = 10_000
_ENOUGH_TURNS = 500  # fewer say more about warming up than about growth


async def measure(ground: Ground, plan: Plan, progress: Progress) -> dict[str, float]:
    """Time ``kioku up`` from nothing and again, and watch the memory of ``kioku run``."""
    folder = ground.folder / "up"
    folder.mkdir()
    cold = await _ready_after(folder)
    again = [await _ready_after(folder) for _ in range(plan.second_starts)]
    progress(1, 2)
    found = {
        "ready_s_cold_start": round(cold, 2),
        "ready_s_second_start": round(statistics.median(again), 2),
    }
    address = ground.app_database("rest")
    async with ground.app(address) as [app]:
        await asyncio.sleep(_REST_SECONDS)
        found["rss_mb_idle"] = round(app.rss_mb(), 1)
        await ground.pace(first_token_ms=0, embedding_ms=0)
        try:
            async with crowd(ground, _WRITERS) as people:
                await people.at_once(_WRITERS, plan.growth_seconds / 2, turns=_WARM_TURNS)
                await ground.formed(address)
                before, turns = app.rss_mb(), len(people.waits)
                left = _SCALED_TO - turns
                await people.at_once(_WRITERS, plan.growth_seconds, turns=left)
                await ground.formed(address)
                grown, turns = app.rss_mb() - before, len(people.waits) - turns
        finally:
            await ground.pace()
    progress(2, 2)
    found |= {"rss_growth_mb_measured": round(grown, 1), "rss_growth_turns_measured": turns}
    if turns >= _ENOUGH_TURNS:
        found["rss_growth_mb_10k_turns"] = round(grown * _SCALED_TO / turns, 1)
    return found


async def _ready_after(folder: Path) -> float:
    """Return the seconds from the command to its word that it is ready."""
    settings = {"KIOKU_DATA_DIR": str(folder / "data"), "PORT": str(free_port())}
    began = time.monotonic()
    up = await start("-m", "bot", "up", settings=settings, log=folder.parent / "up.log", cwd=folder)
    try:
        while "is ready" not in await up.line():
            pass
        return time.monotonic() - began
    finally:
        await up.stop()
