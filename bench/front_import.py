"""The AWS front's cold import: a fresh process each time, what Slack's three seconds begin with."""

from __future__ import annotations

import asyncio
import json
import statistics
import subprocess
import sys

from bench.ground import ROOT, Ground
from bench.plan import Plan
from bench.side_by_side import Progress

_ROUNDS = 5
# Seconds from before the import until after it, without the interpreter's own start; the memory is
# the whole process's, at its peak. On Linux `ru_maxrss` (KiB) outlives exec and would tell of the
# process that started this one, VmHWM does not; elsewhere, on macOS, it is in bytes.
_CODE = """
import json, pathlib, resource, time
began = time.perf_counter()
import deploy.aws.front
seconds = time.perf_counter() - began
status = pathlib.Path("/proc/self/status")
if status.exists():
    told = dict(line.split(":", 1) for line in status.read_text().splitlines())
    peak = int(told["VmHWM"].split()[0]) * 1024
else:
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
print(json.dumps([seconds, peak / 1e6]))
"""


async def measure(_ground: Ground, _plan: Plan, _progress: Progress) -> dict[str, float]:
    """Import the front in fresh processes; return the medians of seconds and peak memory (MB)."""
    imports = [await asyncio.to_thread(imported) for _ in range(_ROUNDS)]
    seconds, megabytes = (statistics.median(values) for values in zip(*imports, strict=True))
    return {"front_import_s": round(seconds, 3), "front_import_mb": round(megabytes, 1)}


def imported() -> tuple[float, float]:
    """Import the front in a fresh process; return its seconds and peak memory in MB.

    Raises `CalledProcessError`.
    """
    told = subprocess.run(
        [sys.executable, "-c", _CODE], cwd=ROOT, capture_output=True, text=True, check=True
    ).stdout
    seconds, megabytes = json.loads(told)
    return float(seconds), float(megabytes)
