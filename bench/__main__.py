"""``python -m bench``: run every measurement, write the metrics and their page, print a table.

``QUICK=1`` takes about four minutes. With names of parts, only those run, and nothing is written.
``python -m bench public FOLDER`` runs `bench.public`.
"""

from __future__ import annotations

import asyncio
import sys
import tempfile
import time
from collections.abc import Awaitable, Callable
from pathlib import Path

from bench import (
    costs,
    known,
    load,
    plan,
    public,
    report,
    results,
    search,
    side_by_side,
    starts,
    threads,
)
from bench.plan import Plan
from bench.testbed import ROOT, Testbed, open_testbed

Part = Callable[[Testbed, Plan], Awaitable[dict[str, float]]]

PARTS: dict[str, Part] = {
    "side_by_side": side_by_side.measure,
    "known": known.measure,
    "costs": costs.measure,
    "threads": threads.measure,
    "load": load.measure,
    "starts": starts.measure,
    "search": search.measure,
}
"""Each returns its metrics. All share one `Testbed`, and each has databases of its own.

`search` is last because PostgreSQL goes on writing and analyzing its million rows afterwards.
"""


async def run(names: list[str], chosen: Plan) -> dict[str, float]:
    """Run these parts and return their metrics."""
    found: dict[str, float] = {}
    # The name is short because PostgreSQL's sockets are below it.
    with tempfile.TemporaryDirectory(prefix="kb-") as folder:
        async with open_testbed(Path(folder)) as testbed:
            for name in names:
                began = time.monotonic()
                found |= await PARTS[name](testbed, chosen)
                print(
                    f"{name}: {time.monotonic() - began:.0f} s",
                    file=sys.stderr,
                    flush=True,
                )
    return found


def main() -> None:
    """Run the bench."""
    chosen = plan.chosen()
    names = sys.argv[1:]
    if names[:1] == ["public"]:
        public.main(names[1:])
        report.write()
        return
    if unknown := [name for name in names if name not in PARTS]:
        raise SystemExit(f"There is no part {unknown[0]!r}: use {', '.join(PARTS)}.")
    metrics = asyncio.run(run(names or list(PARTS), chosen))
    for name, value in metrics.items():
        print(f"{name:48} {value:12.2f}")
    print("\n".join(f"{' '.join(row)}" for row in report.goals(metrics)))
    if names:
        return
    results.write(metrics, plan=chosen.name)
    report.write()
    print(
        f"\nWritten: {results.LATEST.relative_to(ROOT)}, {report.PAGE.relative_to(ROOT)}"
    )


if __name__ == "__main__":
    main()
