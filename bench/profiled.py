"""``python -m bench.profiled FILE ARGUMENT …``: run `kioku`, and write where its time went.

SIGUSR1 resets the counters. At the end the file is written as JSON: the app's own steps, each with
the time it began at and its seconds; SQL statements, round trips, sampled stacks, CPU seconds.
"""

from __future__ import annotations

import json
import signal
import sys
import time
from collections import Counter
from functools import partial
from pathlib import Path
from types import FrameType
from typing import Any, Final

import psycopg
from psycopg.pq import PipelineStatus, TransactionStatus

from memory import recorded

INTERVAL_SECONDS: Final = 0.001
_DEEPEST: Final = 60


class Sampler:
    """Counts stacks, outermost frame first and joined by ``;``, per millisecond of CPU time.

    By the process's own CPU clock: waiting is not in it. For the main thread only.
    """

    def __init__(self) -> None:
        self.stacks: Counter[str] = Counter()
        self._names: dict[object, str] = {}

    def start(self) -> None:
        """Begin to count; raises `ValueError` in any but the main thread.

        To be called before an event loop handles signals. Python writes every signal to asyncio's
        wakeup descriptor, which fills up while the loop is busy: that is not reported.
        """
        quietly: Any = partial(signal.set_wakeup_fd, warn_on_full_buffer=False)
        signal.set_wakeup_fd = quietly
        signal.signal(signal.SIGPROF, self._take)
        signal.setitimer(signal.ITIMER_PROF, INTERVAL_SECONDS, INTERVAL_SECONDS)

    def stop(self) -> None:
        """Count no more."""
        signal.setitimer(signal.ITIMER_PROF, 0)

    def _take(self, _: int, frame: FrameType | None) -> None:
        names: list[str] = []
        while frame is not None and len(names) < _DEEPEST:
            names.append(self._name(frame))
            frame = frame.f_back
        self.stacks[";".join(reversed(names))] += 1

    def _name(self, frame: FrameType) -> str:
        code = frame.f_code
        name = self._names.get(code)
        if name is None:
            module = frame.f_globals.get("__name__", "?")
            qualified = getattr(code, "co_qualname", code.co_name)
            name = self._names[code] = sys.intern(f"{module}.{qualified}".replace(";", ","))
        return name


class Ledger:
    """The counters of this process."""

    def __init__(self) -> None:
        self.sampler = Sampler()
        self.steps: list[tuple[str, float, float]] = []
        self.statements = 0
        self.round_trips = 0
        self._cpu = time.process_time()

    def start_over(self, *_: object) -> None:
        """Forget what was counted so far."""
        self.steps.clear()
        self.sampler.stacks.clear()
        self.statements = self.round_trips = 0
        self._cpu = time.process_time()

    def step(self, name: str, seconds: float) -> None:
        """Note a step that ends now."""
        self.steps.append((name, time.time() - seconds, seconds))

    def write(self, path: Path) -> None:
        """Write all of it."""
        told = {
            "cpu_seconds": time.process_time() - self._cpu,
            "steps": self.steps,
            "statements": self.statements,
            "round_trips": self.round_trips,
            "stacks": self.sampler.stacks,
        }
        path.write_text(json.dumps(told), "utf-8")


def count_sql(ledger: Ledger) -> None:
    """Count what Psycopg is asked for, and how often it turns to PostgreSQL."""
    cursor: Any = psycopg.AsyncCursor
    connection: Any = psycopg.AsyncConnection
    execute, wait = cursor.execute, connection.wait

    async def executed(self: Any, *arguments: Any, **options: Any) -> Any:
        ledger.statements += 1
        return await execute(self, *arguments, **options)

    async def waited(self: Any, generator: Any, *arguments: Any, **options: Any) -> Any:
        kind = generator.gi_code.co_name
        pipelined = self.pgconn.pipeline_status != PipelineStatus.OFF and kind != "_exit_gen"
        nothing = kind == "_commit_gen" and self.pgconn.transaction_status == TransactionStatus.IDLE
        if not (pipelined or nothing):
            ledger.round_trips += 1
        return await wait(self, generator, *arguments, **options)

    cursor.execute, connection.wait = executed, waited


def main() -> int:
    """Run the command; return its exit code."""
    from bot.runtime.cli import main as kioku

    path, arguments = Path(sys.argv[1]), sys.argv[2:]
    ledger = Ledger()
    count_sql(ledger)
    signal.signal(signal.SIGUSR1, ledger.start_over)
    ledger.sampler.start()
    try:
        with recorded(ledger.step):
            return kioku(arguments)
    finally:
        ledger.sampler.stop()
        ledger.write(path)


if __name__ == "__main__":
    sys.exit(main())
