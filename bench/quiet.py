"""Waiting for a quiet machine: neighbours on the same processor slow every measurement down."""

from __future__ import annotations

import asyncio
import os
import sys
from dataclasses import dataclass, field

from bench.results import spread

_LOOP = (
    "import time; began = time.process_time(); sum(n * n for n in range(2_000_000));"
    "print((time.process_time() - began) * 1000)"
)
_PAUSE_SECONDS = 5.0


@dataclass(slots=True, kw_only=True)
class Quiet:
    """Times a fixed loop of Python on all cores at once, before each measurement.

    With the environment's ``QUIET_MS``, a measurement begins when the loop takes at most so many
    milliseconds of processor time on each core, or when the run has waited `patience` seconds in
    all. `loops` are the times with which measurements began.
    """

    bound: float = field(default_factory=lambda: float(os.environ.get("QUIET_MS", "inf")))
    patience: float = 3600.0
    loops: list[float] = field(default_factory=list)

    async def wait(self) -> None:
        """Return when the machine is quiet, or the run has waited long enough."""
        while (took := await _loop_ms()) > self.bound and self.patience > 0:
            await asyncio.sleep(_PAUSE_SECONDS)
            self.patience -= _PAUSE_SECONDS
        self.loops.append(took)

    def metrics(self) -> dict[str, float]:
        """Return the median and the 95th percentile of `loops`, if there are any."""
        return spread("loop_ms", self.loops) if self.loops else {}


async def _loop_ms() -> float:
    """Return the processor time of the loop on the slowest core, in milliseconds."""

    async def one() -> float:
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-S", "-c", _LOOP), stdout=asyncio.subprocess.PIPE
        )
        out, _ = await process.communicate()
        return float(out)

    return max(await asyncio.gather(*(one() for _ in range(os.cpu_count() or 1))))
