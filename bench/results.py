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


def quantile(values: Sequence[float], share: float) -> float:
    """Return the value below which `share` (0 to 1) of `values` lie; nearest rank."""
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(share * len(ordered)))]


def spread(name: str, values: Sequence[float]) -> dict[str, float]:
    """Return the median and 95th percentile of `values` as two metrics."""
    return {
        f"{name}_p50": round(statistics.median(values), 2),
        f"{name}_p95": round(quantile(values, 0.95), 2),
    }


def machine() -> dict[str, str | int | None]:
    """Return the processor, the number of its cores, and the version of Python."""
    found = Path("/proc/cpuinfo")
    lines = found.read_text("utf-8").splitlines() if found.exists() else []
    models = [
        line.partition(":")[2].strip()
        for line in lines
        if line.startswith("model name")
    ]
    return {
        "processor": (models or [platform.machine()])[0],
        "cores": os.cpu_count(),
        "python": platform.python_version(),
    }


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
