"""The processes of the app: started, killed, started again, and looked at."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import IO, TypeAlias

import psutil  # type: ignore[import-untyped]

from tests import fork_server
from tests.conftest import ROOT
from tests.fork_server import Process

Start: TypeAlias = Callable[[Sequence[str], Path, Mapping[str, str], IO[bytes]], Process]

_READY = re.compile(r"Kioku is ready on port (\d+)\.")
_LOOK_SECONDS = 0.1
_SAMPLE_SECONDS = 2.0


def fresh(
    arguments: Sequence[str], folder: Path, env: Mapping[str, str], log: IO[bytes]
) -> Process:
    """Start ``python -m bot`` by its command line."""
    return subprocess.Popen(
        [sys.executable, "-m", "bot", *arguments],
        cwd=folder,
        env=env,
        stdin=subprocess.DEVNULL,
        stdout=log,
        stderr=log,
    )


def forked(
    arguments: Sequence[str], folder: Path, env: Mapping[str, str], log: IO[bytes]
) -> Process:
    """Start ``python -m bot`` by the fork server."""
    return fork_server.start("bot", *arguments, cwd=folder, env=env, stdout=log, stderr=log)


class Replica:
    """One process of the app, and those that took its place."""

    def __init__(
        self, name: str, arguments: Sequence[str], settings: dict[str, str], folder: Path
    ) -> None:
        self.name = name
        self.log = folder / f"{name}.log"
        self.port = 0
        self.wanted = False
        self.sizes: list[tuple[float, int]] = []
        self._arguments = arguments
        self._settings = settings
        self._folder = folder
        self._begin = 0
        self._process: Process | None = None
        self._killed = False

    def measured_at(self, port: int) -> int:
        """Let every process of it answer `/metrics` on this port; return the port."""
        self._settings = {**self._settings, "KIOKU_METRICS_PORT": str(port)}
        return port

    def start(self, start: Start) -> None:
        """Start a process."""
        self.wanted, self._killed, self.port = True, False, 0
        with self.log.open("ab") as log:
            self._begin = log.tell()
            env = {**os.environ, "PYTHONPATH": str(ROOT), **self._settings}
            self._process = start(self._arguments, self._folder, env, log)

    def kill(self) -> None:
        """End it as a crash would."""
        self._killed = True
        process = self._process
        if process is not None:
            process.kill()
            process.wait(20)

    def retire(self) -> Callable[[], int]:
        """Send SIGTERM; returns what waits for its end and returns its exit code."""
        process = self._process
        self.wanted = False
        assert process is not None
        process.send_signal(signal.SIGTERM)
        return lambda: process.wait(60)

    def stop(self) -> None:
        """Let nothing of it run on."""
        self.wanted = False
        self.kill()

    def look(self) -> str:
        """Return how it is: ``runs``, ``starts``, ``killed``, ``refused`` or ``ended``."""
        ended = self._process is None or self._process.poll() is not None
        if not self.port and (found := _READY.search(self.said())):
            self.port = int(found[1])
        if not ended:
            return "runs" if self.port else "starts"
        if self._killed:
            return "killed"
        return "ended" if self.port else "refused"

    @property
    def pid(self) -> int:
        """The id of the present process."""
        assert self._process is not None
        return self._process.pid

    def measure(self) -> None:
        """Note how much memory it uses."""
        if self._process is None or not self.port:
            return
        try:
            size = psutil.Process(self._process.pid).memory_info().rss
        except psutil.NoSuchProcess:
            return
        self.sizes.append((time.monotonic(), int(size)))

    def said(self) -> str:
        """Return what the present process has printed and logged."""
        with self.log.open("rb") as log:
            log.seek(self._begin)
            return log.read().decode(errors="replace")


def cpu_seconds(pid: int, *, below: bool = True) -> float:
    """Return the processor time of a process, and of those below it."""
    above = psutil.Process(pid)
    spent = 0.0
    for process in (above, *(above.children(recursive=True) if below else ())):
        try:
            times = process.cpu_times()
        except psutil.NoSuchProcess:
            continue
        spent += times.user + times.system
    return spent


class Fleet:
    """All processes of the app; what ends is started again at once."""

    def __init__(self, replicas: Sequence[Replica], start: Start) -> None:
        self.replicas = replicas
        self.happened: Counter[str] = Counter()
        self.complaints: list[str] = []
        self._start = start
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._watch, name="fleet", daemon=True)

    def named(self, name: str) -> list[Replica]:
        """Return the processes whose names begin so."""
        return [replica for replica in self.replicas if replica.name.startswith(name)]

    def begin(self, *names: str, seconds: float = 60.0) -> None:
        """Start those whose names begin so, and return when they are ready."""
        started = [replica for name in names for replica in self.named(name)]
        for replica in started:
            replica.start(self._start)
        if not self._thread.is_alive():
            self._thread.start()
        deadline = time.monotonic() + seconds
        while not all(replica.port for replica in started):
            assert time.monotonic() < deadline, "A process of the app was not ready in time."
            self._stop.wait(_LOOK_SECONDS)

    def kill(self, replica: Replica) -> None:
        """Kill a process; it is started again."""
        replica.kill()
        self.happened["kill -9"] += 1

    def _watch(self) -> None:
        sampled = 0.0
        while not self._stop.wait(_LOOK_SECONDS):
            for replica in self.replicas:
                if replica.wanted and (state := replica.look()) not in ("runs", "starts"):
                    self._again(replica, state)
            if time.monotonic() - sampled > _SAMPLE_SECONDS:
                sampled = time.monotonic()
                for replica in self.replicas:
                    replica.measure()

    def _again(self, replica: Replica, state: str) -> None:
        if state == "ended":
            self.complaints.append(f"{replica.name}: {_last_line(replica)}")
        elif state == "refused":
            self.happened["starts that ended with a sentence"] += 1
        replica.start(self._start)

    def close(self) -> None:
        """Let nothing run on."""
        self._stop.set()
        if self._thread.is_alive():
            self._thread.join()
        for replica in self.replicas:
            replica.stop()


def _last_line(replica: Replica) -> str:
    return (replica.said().splitlines() or ["it said nothing"])[-1][:200]


@contextmanager
def running(replicas: Sequence[Replica], start: Start) -> Iterator[Fleet]:
    """Close what was started, whatever happens."""
    fleet = Fleet(replicas, start)
    try:
        yield fleet
    finally:
        fleet.close()
