"""The AWS front's cold import: a fresh process each time, what Slack's three seconds begin with."""

from __future__ import annotations

import json
import statistics
import subprocess
import sys
from dataclasses import dataclass, field
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
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


@dataclass(slots=True)
class Imports:
    """Seconds and peak memory (MB) of each import."""

    seconds: list[float] = field(default_factory=list)
    megabytes: list[float] = field(default_factory=list)

    def metrics(self) -> dict[str, float]:
        """Return the median of both."""
        return {
            "front_import_s": round(statistics.median(self.seconds), 3),
            "front_import_mb": round(statistics.median(self.megabytes), 1),
        }


def measure(rounds: int = _ROUNDS) -> Imports:
    """Import the front in `rounds` fresh processes; raises `CalledProcessError`."""
    imports = Imports()
    for _ in range(rounds):
        told = subprocess.run(
            [sys.executable, "-c", _CODE], cwd=ROOT, capture_output=True, text=True, check=True
        ).stdout
        seconds, megabytes = json.loads(told)
        imports.seconds.append(float(seconds))
        imports.megabytes.append(float(megabytes))
    return imports


def main() -> None:
    """Print both metrics."""
    for name, value in measure().metrics().items():
        print(f"{name:28} {value:10.2f}")


if __name__ == "__main__":
    main()
