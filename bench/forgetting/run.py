"""Runs both sets, and writes the metrics that docs/forgetting.md shows."""

from __future__ import annotations

import asyncio
import multiprocessing
import os
import tempfile
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

from bench.forgetting import forgeteval, gatemem
from bench.forgetting.world import Counts, open_world
from bench.results import FORGETTING, write
from bench.testbed import open_testbed

FOLDERS = ("gatemem", "forgeteval")
_PROCESSES = 3


async def measure(folder: Path, process: int, most: int | None) -> Counts:
    """Play one process's part: its episodes, and in the first one ForgetEval-Adv."""
    counts = Counts()
    with tempfile.TemporaryDirectory(prefix="kb-") as place:
        async with open_testbed(Path(place)) as testbed, open_world(testbed) as world:
            if process == 0:
                await forgeteval.measure(world, folder / "forgeteval", counts)
            chosen = gatemem.read(folder / "gatemem")[:most]
            await gatemem.measure(world, chosen[process::_PROCESSES], counts)
    return counts


def _measure(folder: Path, process: int, most: int | None) -> Counts:
    return asyncio.run(measure(folder, process, most))


def main(folder: Path) -> None:
    """Measure and print; write the results if all episodes were played.

    ``EPISODES=10`` plays ten of them, which are always the same.
    """
    most = int(os.environ.get("EPISODES", "0")) or None
    counts = Counts()
    spawning = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(_PROCESSES, mp_context=spawning) as processes:
        parts = [
            processes.submit(_measure, folder, process, most)
            for process in range(_PROCESSES)
        ]
        for part in parts:
            counts.numbers += part.result().numbers
            counts.lines += part.result().lines
    print("\n".join(sorted(counts.lines)))
    for name, value in sorted(counts.numbers.items()):
        print(f"{name:64} {value:8}")
    if most is None:
        write(counts.numbers, FORGETTING, plan="public data")
