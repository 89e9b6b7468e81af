"""Statistics, and the files of results."""

from __future__ import annotations

import json
import os
import platform
import statistics
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path

LATEST = Path(__file__).resolve().parent / "results" / "latest.json"
PUBLIC = LATEST.with_name("public.json")
FORGETTING = LATEST.with_name("forgetting.json")


def percentile_95(values: Sequence[float]) -> float:
    """Return the value below which 95 % of `values` lie; nearest rank."""
    in_order = sorted(values)
    rank = int(0.95 * len(in_order))
    return in_order[min(rank, len(in_order) - 1)]


def spread(name: str, values: Sequence[float]) -> dict[str, float]:
    """Return the median and 95th percentile of `values` as two metrics."""
    return {
        f"{name}_p50": round(statistics.median(values), 2),
        f"{name}_p95": round(percentile_95(values), 2),
    }


def machine() -> dict[str, str | int | None]:
    """Return the processor, the number of its cores, and the version of Python."""
    return {
        "processor": _processor(),
        "cores": os.cpu_count(),
        "python": platform.python_version(),
    }


def _processor() -> str:
    found = Path("/proc/cpuinfo")
    if found.exists():
        for line in found.read_text("utf-8").splitlines():
            name, _, value = line.partition(":")
            if name.strip() == "model name":
                return value.strip()
    return platform.machine()


def write(
    metrics: Mapping[str, float], path: Path = LATEST, *, plan: str = "usual"
) -> None:
    """Write the metrics with the machine they were measured on."""
    path.parent.mkdir(parents=True, exist_ok=True)
    result = {
        "measured_at": datetime.now(UTC).isoformat(timespec="seconds"),
        "plan": plan,
        "machine": machine(),
        "metrics": dict(sorted(metrics.items())),
    }
    path.write_text(json.dumps(result, indent=2) + "\n", "utf-8")
