"""``python -m bench.profile``: the time of a turn by step, process and function.

``TURNS`` messages (60 unless set) of a few people are sent one after the other. The app's process
also runs this module, with a file to write to and the arguments of `kioku`; SIGUSR1 makes it start
counting.
"""

from __future__ import annotations

import asyncio
import json
import os
import signal
import statistics
import sys
import tempfile
import time
from collections import Counter, defaultdict
from contextlib import suppress
from functools import partial
from pathlib import Path
from types import FrameType
from typing import Any

import psutil  # type: ignore[import-untyped] # the embedded PostgreSQL brings it

from bench.load import DEFAULT_DELAY
from bench.replies import Replies
from bench.results import percentile_95
from bench.systems import QUESTION
from bench.testbed import PACE, Testbed, open_testbed
from memory.metrics import recorded

_PEOPLE = 6
_SAMPLE_SECONDS = 0.001


class Ledger:
    """Durations of the app's steps, and samples of its main thread, one per ms of CPU time."""

    def __init__(self) -> None:
        self.steps: defaultdict[str, list[float]] = defaultdict(list)
        self.packages: Counter[str] = Counter()
        self.functions: Counter[str] = Counter()
        self._cpu = time.process_time()

    def begin(self, *_: object) -> None:
        """Forget what was counted so far."""
        for counted in (self.steps, self.packages, self.functions):
            counted.clear()
        self._cpu = time.process_time()

    def sample(self, _: int, frame: FrameType | None) -> None:
        """Count the running package, and each of our functions on the stack."""
        package = _module_of(frame).partition(".")[0]
        self.packages[package] += 1
        ours: set[str] = set()
        while frame is not None:
            module = _module_of(frame)
            if module.startswith(("bot.", "memory.")):
                ours.add(f"{module}.{frame.f_code.co_name}")
            frame = frame.f_back
        self.functions.update(ours)

    def write(self, path: Path) -> None:
        """Write what was counted."""
        counted = (self.steps, self.packages, self.functions)
        cpu = time.process_time() - self._cpu
        path.write_text(json.dumps([*counted, cpu]), "utf-8")


def _module_of(frame: FrameType | None) -> str:
    if frame is None:
        return "?"
    return str(frame.f_globals.get("__name__", "?"))


def profiled(path: Path, arguments: list[str]) -> int:
    """Run `kioku` and write what was counted to `path`; return its exit code."""
    from bot.runtime.cli import main as kioku

    ledger = Ledger()
    wakeup: Any = signal.set_wakeup_fd
    # asyncio would log a warning for each signal that does not fit into its buffer.
    quiet = partial(wakeup, warn_on_full_buffer=False)
    setattr(signal, "set_wakeup_fd", lambda fd, **_: quiet(fd))  # noqa: B010
    signal.signal(signal.SIGUSR1, ledger.begin)
    signal.signal(signal.SIGPROF, ledger.sample)
    signal.setitimer(signal.ITIMER_PROF, _SAMPLE_SECONDS, _SAMPLE_SECONDS)
    try:
        with recorded(lambda name, seconds: ledger.steps[name].append(seconds)):
            return kioku(arguments)
    finally:
        signal.setitimer(signal.ITIMER_PROF, 0)
        ledger.write(path)


def _cpu(testbed: Testbed) -> dict[str, float]:
    """Return the CPU seconds used so far by the processes other than the app."""
    found = defaultdict[str, float](float)
    for name, double in testbed.doubles.items():
        found[name] = double.cpu_seconds()
    for process in psutil.Process().children(recursive=True):
        # The process of a connection ends when that is closed.
        with suppress(psutil.NoSuchProcess):
            if process.name() == "postgres":
                found["PostgreSQL"] += sum(process.cpu_times()[:2])
    return found


async def run(turns: int) -> None:
    """Send the messages one after the other, and print the tables."""
    with tempfile.TemporaryDirectory(prefix="kb-") as folder:
        counted = Path(folder) / "profile.json"
        command = ("-m", "bench.profile", str(counted), "run")
        async with open_testbed(Path(folder)) as testbed:
            pace = {**PACE, "first_token_ms": 100, "embedding_ms": 0}
            await testbed.model("settings", pace)
            address = testbed.app_database("profile")
            async with (
                testbed.app(
                    address, command=command, KIOKU_FORMATION_DELAY=DEFAULT_DELAY
                ) as [app],
                Replies.opened(testbed) as replies,
            ):
                people = [
                    await testbed.person(f"P{number}") for number in range(_PEOPLE)
                ]
                ready: list[float] = []
                before = _cpu(testbed)
                for number in range(_PEOPLE + turns):
                    if number == _PEOPLE:
                        await testbed.formed(address)
                        app.process.send_signal(signal.SIGUSR1)
                        ready.clear()
                        before = _cpu(testbed)
                    reply = await replies.ask(people[number % _PEOPLE], QUESTION)
                    ready.append(reply.ready or 0.0)
                await testbed.formed(address)
                beside = _cpu(testbed)
        steps, packages, functions, cpu = json.loads(counted.read_text("utf-8"))
    print(f"{'step':34}{'a turn':>8}{'p50 ms':>9}{'p95 ms':>9}")
    _print_step("reply ready", ready, turns)
    for step, seconds in steps.items():
        _print_step(step, [one * 1000 for one in seconds], turns)
    print("\nCPU, ms a turn, formation included")
    print(f"{'app':34}{cpu / turns * 1000:8.2f}")
    for process, used in beside.items():
        spent = used - before[process]
        print(f"{process:34}{spent / turns * 1000:8.2f}")
    total = sum(packages.values()) or 1
    by_title = {"package": packages, "function, with what it calls": functions}
    for title, samples in by_title.items():
        print(f"\nCPU of the app by {title}")
        for name, count in Counter(samples).most_common(10):
            share = count / total
            print(f"{name:60}{share:8.1%}{share * cpu / turns * 1000:8.2f} ms")


def _print_step(name: str, milliseconds: list[float], turns: int) -> None:
    median = statistics.median(milliseconds)
    late = percentile_95(milliseconds)
    print(f"{name:34}{len(milliseconds) / turns:8.2f}{median:9.2f}{late:9.2f}")


if __name__ == "__main__":
    if len(sys.argv) > 1:
        sys.exit(profiled(Path(sys.argv[1]), sys.argv[2:]))
    asyncio.run(run(int(os.environ.get("TURNS", "60"))))
