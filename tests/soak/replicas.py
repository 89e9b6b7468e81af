"""The processes of the app: started, killed, started again, and looked at."""

from __future__ import annotations

import os
import signal
import threading
from collections import Counter
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

from tests.kioku_process import Running, Start
from tests.waiting import wait_until

_LOOK_SECONDS = 0.1


class Replica(Running):
    """One process of the app, and those that took its place."""

    def __init__(
        self,
        name: str,
        arguments: Sequence[str],
        settings: dict[str, str],
        folder: Path,
    ) -> None:
        super().__init__(folder / f"{name}.log")
        self.name = name
        self.wanted = False
        self._arguments = arguments
        self._settings = settings
        self._killed = False

    def start(self, start: Start) -> None:
        """Start a process."""
        self._killed = False
        self.run(start, self.log.parent, self._arguments, self._settings)
        self.wanted = True

    def kill(self) -> None:
        """End it as a crash would."""
        self._killed = True
        super().kill()

    def suspend(self) -> None:
        """Stop its execution, as the end of a laptop's battery or a busy host does."""
        os.kill(self.process.pid, signal.SIGSTOP)

    def resume(self) -> None:
        """Let it go on where it was."""
        with suppress(ProcessLookupError):
            os.kill(self.process.pid, signal.SIGCONT)

    def look(self) -> str:
        """Return how it is: ``runs``, ``starts``, ``killed``, ``refused`` or ``ended``."""
        runs = self.runs()
        port = self.listens()
        if runs:
            return "runs" if port else "starts"
        if self._killed:
            return "killed"
        return "ended" if port else "refused"


class Fleet:
    """All processes of the app; what ends is started again at once."""

    def __init__(self, replicas: Sequence[Replica], start: Start) -> None:
        self.replicas = replicas
        self.happened: Counter[str] = Counter()
        self.complaints: list[str] = []
        self._start = start
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._watch, name="fleet", daemon=True)
        self._timers: list[threading.Timer] = []

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
        wait_until(
            lambda: all(replica.port for replica in started), "ready processes", seconds
        )

    def kill(self, replica: Replica) -> None:
        """Kill a process; it is started again."""
        replica.kill()
        self.happened["kill -9"] += 1

    def suspend(self, replica: Replica, seconds: float) -> None:
        """Suspend a process that runs for a while: others take its work."""
        replica.suspend()
        self.happened["SIGSTOP"] += 1
        timer = threading.Timer(seconds, replica.resume)
        self._timers.append(timer)
        timer.start()

    def _watch(self) -> None:
        while not self._stop.wait(_LOOK_SECONDS):
            for replica in self.replicas:
                if replica.wanted and (state := replica.look()) not in (
                    "runs",
                    "starts",
                ):
                    self._again(replica, state)

    def _again(self, replica: Replica, state: str) -> None:
        if state == "ended":
            self.complaints.append(f"{replica.name}: {_last_line(replica)}")
        elif state == "refused":
            self.happened["starts that ended with a sentence"] += 1
        replica.start(self._start)

    def close(self) -> None:
        """Let nothing run on."""
        self._stop.set()
        for timer in self._timers:
            timer.cancel()
        if self._thread.is_alive():
            self._thread.join()
        for replica in self.replicas:
            if replica.log.exists():
                replica.kill()


def _last_line(replica: Replica) -> str:
    return (replica.errors.splitlines() or ["it said nothing"])[-1][:200]
