"""``python -m bench``: run every measurement, write the metrics and their page, print a table.

``QUICK=1`` takes less than two minutes on a quiet machine, ``FULL=1`` as long as it takes. With
names of parts only these are run, and nothing is written.
"""

from __future__ import annotations

import asyncio
import sys
import tempfile
import time
import traceback
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import aiohttp
import psycopg

from bench import (
    costs,
    front_import,
    large,
    load,
    observed,
    plan,
    report,
    results,
    side_by_side,
    starts,
)
from bench.ground import ROOT, Ground, open_ground
from bench.mem0_venv import Mem0Unavailable
from bench.plan import Plan
from bench.retrieval import measure as retrieval
from bench.search import measure as search
from bench.side_by_side import Progress
from bench.systems import NotRecalled
from bot.runtime.database import progress

_TROUBLE = (TimeoutError, OSError, RuntimeError, aiohttp.ClientError, psycopg.Error)

Part = Callable[[Ground, Plan, Progress], Awaitable[dict[str, float]]]


PARTS: dict[str, Part] = dict(
    zip(
        report.PARTS,
        (
            side_by_side.measure,
            costs.measure,
            large.measure,
            search.measure,
            retrieval.measure,
            load.measure,
            starts.measure,
            front_import.measure,
            observed.measure,
        ),
        strict=True,
    )
)
"""Each returns its metrics; all run on one ground, on databases of their own."""


async def run(names: list[str], chosen: Plan) -> dict[str, float]:
    """Return the metrics of these parts; one that fails is measured once more."""
    found: dict[str, float] = {}
    broken: list[str] = []
    async with _ground() as ground:
        for name in names:
            try:
                found |= await _measured(name, ground, chosen)
            except _TROUBLE:
                traceback.print_exc()
                broken.append(name)
    for name in broken:
        async with _ground() as ground:
            found |= await _measured(name, ground, chosen)
    return found


async def _measured(name: str, ground: Ground, chosen: Plan) -> dict[str, float]:
    began = time.monotonic()
    found = await PARTS[name](ground, chosen, progress(f"of {name}"))
    print(f"{name}: {time.monotonic() - began:.0f} s", file=sys.stderr, flush=True)
    return found


@asynccontextmanager
async def _ground() -> AsyncIterator[Ground]:
    # A short name: PostgreSQL's sockets lie below it.
    with tempfile.TemporaryDirectory(prefix="kb-") as folder:
        async with open_ground(Path(folder)) as ground:
            yield ground


def main() -> None:
    """Run the bench."""
    chosen = plan.chosen()
    names = sys.argv[1:]
    if unknown := [name for name in names if name not in PARTS]:
        raise SystemExit(f"There is no part {unknown[0]!r}: use {', '.join(PARTS)}.")
    began = time.monotonic()
    try:
        metrics = asyncio.run(run(names or list(PARTS), chosen))
    except (Mem0Unavailable, NotRecalled) as problem:
        raise SystemExit(f"bench: {problem}") from None
    metrics["bench_seconds"] = round(time.monotonic() - began, 1)
    for name, value in metrics.items():
        print(f"{name:48} {value:12.2f}")
    print(f"\n{report.told(metrics)}")
    if names:
        return
    results.write(metrics, plan=chosen.name)
    report.write()
    print(f"\nWritten: {results.LATEST.relative_to(ROOT)}, {report.PAGE.relative_to(ROOT)}")
    if without := report.unexplained(metrics):
        print(f"Write a reason into bench/reasons.toml for: {', '.join(without)}")


if __name__ == "__main__":
    main()
