"""``python -m bench``: run every measurement, write the metrics, print a table.

`QUICK=1` makes fewer rounds.
"""

from __future__ import annotations

import asyncio
import os
import tempfile
from pathlib import Path

import openai

from bench import front_import, results
from bench.stack import running_app
from bench.turn_overhead import measure, measure_together

FIRST_TOKEN_MS = 300


async def run() -> dict[str, float]:
    """Return all metrics, in milliseconds unless their name says otherwise."""
    rounds = 10 if os.environ.get("QUICK") else 40
    with tempfile.TemporaryDirectory() as folder:
        async with (
            running_app(Path(folder), first_token_ms=FIRST_TOKEN_MS) as stack,
            openai.AsyncOpenAI(api_key="stand-in", base_url=stack.openai_base_url) as client,
        ):
            alone = await measure(stack, client, rounds=rounds)
            together = await measure_together(stack, client, people=20)
    overhead = [ready - floor for ready, floor in zip(alone.reply_ready, alone.floor, strict=True)]
    ready, floor = results.spread("a", together.reply_ready), results.spread("a", together.floor)
    front = await asyncio.to_thread(front_import.measure)
    return {
        **front.metrics(),
        **results.spread("floor_ms", alone.floor),
        **results.spread("reply_ready_ms", alone.reply_ready),
        **results.spread("turn_overhead_ms", overhead),
        **results.spread("floor_ms_20", together.floor),
        **results.spread("reply_ready_ms_20", together.reply_ready),
        "reply_ready_ratio_20": round(ready["a_p50"] / floor["a_p50"], 3),
    }


def main() -> None:
    """Run the bench."""
    metrics = asyncio.run(run())
    results.write(metrics)
    for name, value in metrics.items():
        print(f"{name:28} {value:10.2f}")


if __name__ == "__main__":
    main()
