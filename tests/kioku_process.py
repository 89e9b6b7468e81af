"""The `kioku` command as people run it: a process, its output, its exit code.

The fork server starts it, which is cheap; a few tests take the true command line.
"""

from __future__ import annotations

import fcntl
import os
import pty
import re
import signal
import subprocess
import sys
import tempfile
import termios
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import IO, TypeAlias

import psutil  # type: ignore[import-untyped]

from tests import fork_server, loopback
from tests.conftest import ROOT
from tests.fork_server import Process

PYTHON_M_BOT = (sys.executable, "-m", "bot")
END_SECONDS = 60.0

Settings: TypeAlias = Mapping[str, str]
Start: TypeAlias = Callable[[Path, Sequence[str], Settings, IO[bytes], IO[bytes]], Process]


@dataclass(frozen=True)
class Ended:
    """A command that has ended: its exit code, standard output and standard error."""

    code: int
    out: str
    err: str


class Running:
    """A command that runs, in a process group of its own, as a terminal would have it."""

    def __init__(self, process: Process, folder: Path) -> None:
        self.process = process
        self._folder = folder
        self._read = 0

    def line(self) -> str:
        """Return the next line of its standard output, without its end."""
        wait_for(lambda: "\n" in self._rest() or self.process.poll() is not None)
        line, end, _ = self._rest().partition("\n")
        assert end, f"It said nothing more: {self.errors}"
        self._read += len(line) + 1
        return line

    def _rest(self) -> str:
        return (self._folder / "stdout.txt").read_text("utf-8")[self._read :]

    @property
    def errors(self) -> str:
        """What it wrote to standard error so far."""
        return (self._folder / "stderr.txt").read_text("utf-8")

    @property
    def children(self) -> list[psutil.Process]:
        """Every process below it."""
        found: list[psutil.Process] = psutil.Process(self.process.pid).children(recursive=True)
        return found

    def stop(self, number: signal.Signals) -> Ended:
        """Send a signal as the terminal does, to the whole group; return how it ended."""
        os.killpg(self.process.pid, number)
        return Ended(self.process.wait(END_SECONDS), self._rest(), self.errors)


def ready(kioku: Running) -> str:
    """Return where a `kioku run` that is ready listens."""
    found = re.fullmatch(r"Kioku is ready on port (\d+)\.", kioku.line())
    assert found, kioku.errors
    return f"http://127.0.0.1:{found[1]}"


def environment(settings: Settings) -> dict[str, str]:
    """Return what a process is started with: `settings`, and this source tree's modules."""
    return {**os.environ, "PYTHONPATH": str(ROOT), **settings}


def ended(folder: Path, *arguments: str, **settings: str) -> Ended:
    """Run ``kioku ARGUMENTS`` in `folder` until it ends by itself."""
    return _ended(_forked, folder, arguments, settings)


def ended_fresh(folder: Path, *arguments: str, **settings: str) -> Ended:
    """As `ended`, by the true command line."""
    return _ended(_fresh, folder, arguments, settings)


@contextmanager
def running(folder: Path, *arguments: str, **settings: str) -> Iterator[Running]:
    """Run ``kioku ARGUMENTS`` in `folder`; stop it at the end if it still runs."""
    with _running(_forked, folder, arguments, settings) as kioku:
        yield kioku


@contextmanager
def running_fresh(folder: Path, *arguments: str, **settings: str) -> Iterator[Running]:
    """As `running`, by the true command line."""
    with _running(_fresh, folder, arguments, settings) as kioku:
        yield kioku


def _ended(start: Start, folder: Path, arguments: Sequence[str], settings: Settings) -> Ended:
    with tempfile.TemporaryFile() as out, tempfile.TemporaryFile() as errors:
        process = start(folder, arguments, settings, out, errors)
        try:
            code = process.wait(END_SECONDS)
        finally:
            process.kill()
        shown = []
        for stream in (out, errors):
            stream.seek(0)
            shown.append(stream.read().decode())
    return Ended(code, *shown)


@contextmanager
def _running(
    start: Start, folder: Path, arguments: Sequence[str], settings: Settings
) -> Iterator[Running]:
    with (folder / "stdout.txt").open("wb") as out, (folder / "stderr.txt").open("wb") as errors:
        process = start(folder, arguments, settings, out, errors)
    try:
        yield Running(process, folder)
    finally:
        process.terminate()
        try:
            process.wait(END_SECONDS)
        finally:
            process.kill()


def _forked(
    folder: Path, arguments: Sequence[str], settings: Settings, out: IO[bytes], errors: IO[bytes]
) -> Process:
    return fork_server.start(
        "bot",
        *arguments,
        cwd=folder,
        env=environment(settings),
        stdout=out,
        stderr=errors,
        own_group=True,
    )


def _fresh(
    folder: Path, arguments: Sequence[str], settings: Settings, out: IO[bytes], errors: IO[bytes]
) -> Process:
    return subprocess.Popen(
        [*PYTHON_M_BOT, *arguments],
        cwd=folder,
        env=environment(settings),
        stdin=subprocess.DEVNULL,
        stdout=out,
        stderr=errors,
        process_group=0,
    )


def on_terminal(
    folder: Path, prompt: str, answers: Sequence[str], *arguments: str, **settings: str
) -> tuple[int, str]:
    """Run ``kioku ARGUMENTS`` on a terminal of its own, and answer each time that it prompts.

    Returns the exit code, and what was shown.
    """
    ours, theirs = pty.openpty()
    process = subprocess.Popen(
        [*PYTHON_M_BOT, *arguments],
        cwd=folder,
        env=environment(settings),
        stdin=theirs,
        stdout=theirs,
        stderr=theirs,
        start_new_session=True,
        preexec_fn=partial(fcntl.ioctl, 0, termios.TIOCSCTTY, 0),
    )
    os.close(theirs)
    shown, left = b"", list(answers)
    with suppress(OSError):  # the terminal of a process that has ended
        while piece := os.read(ours, 4096):
            shown += piece
            if left and shown.endswith(prompt.encode()):
                os.write(ours, f"{left.pop(0)}\n".encode())
    os.close(ours)
    return process.wait(END_SECONDS), shown.decode()


def wait_for(condition: Callable[[], object], seconds: float = 60.0) -> None:
    """Return as soon as the condition holds; fail after so many seconds."""
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "it did not happen in time"
        threading.Event().wait(0.01)


def gone(process: psutil.Process) -> bool:
    """Say whether a process has ended; who adopted an orphan may not have collected it."""
    try:
        return not process.is_running() or process.status() == psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return True


def fetched(url: str) -> tuple[int, str]:
    """Return the status and the text at `url`."""
    status, _, text = loopback.fetched(url)
    return status, text.decode()
