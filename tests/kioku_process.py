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
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import IO, TypeAlias

import psutil  # type: ignore[import-untyped]

from tests import fork_server, loopback
from tests.fork_server import SOURCES, Process
from tests.waiting import wait_until

PYTHON_M_BOT = (sys.executable, "-m", "bot")
END_SECONDS = 60.0
READY = re.compile(r"Kioku is ready on port (\d+)\.")

Settings: TypeAlias = Mapping[str, str]
Start: TypeAlias = Callable[
    [Path, Sequence[str], Settings, IO[bytes], IO[bytes]], Process
]


@dataclass(frozen=True)
class Ended:
    """A command that has ended: its exit code, standard output and standard error."""

    code: int
    out: str
    err: str


class Running:
    """A command in a process group of its own, as a terminal would have it; it may start again.

    Its standard error is added to the file `log`, its standard output to `out`, or to `log` too.
    """

    process: Process

    def __init__(self, log: Path, out: Path | None = None) -> None:
        self.log = log
        self.port = 0
        self._out = out or log
        self._begin = self._read = 0

    def run(
        self, start: Start, folder: Path, arguments: Sequence[str], settings: Settings
    ) -> None:
        """Start ``kioku ARGUMENTS`` in `folder`."""
        with self._out.open("ab") as out, self.log.open("ab") as log:
            self._read = out.tell()
            self._begin = log.tell()
            self.port = 0
            self.process = start(folder, arguments, settings, out, log)

    def runs(self) -> bool:
        """Say whether it has not ended."""
        return self.process.poll() is None

    def listens(self) -> int:
        """Return its port as soon as it has said that it is ready, else 0."""
        if not self.port and (found := READY.search(self._rest())):
            self.port = int(found[1])
        return self.port

    def line(self) -> str:
        """Return the next line of its standard output, without its end."""
        wait_until(lambda: "\n" in self._rest() or not self.runs())
        line, end, _ = self._rest().partition("\n")
        assert end, f"It said nothing more: {self.errors}"
        self._read += len(line.encode()) + 1
        return line

    def said(self, begin: int = 0) -> str:
        """Return what was logged from byte `begin` on."""
        return _text(self.log, begin)

    def _rest(self) -> str:
        return _text(self._out, self._read)

    @property
    def errors(self) -> str:
        """What the present process wrote to `log` so far."""
        return self.said(self._begin)

    @property
    def children(self) -> list[psutil.Process]:
        """Every process below it."""
        found: list[psutil.Process] = psutil.Process(self.process.pid).children(
            recursive=True
        )
        return found

    def child(self, word: str) -> psutil.Process | None:
        """Return a process below it whose command has a word, if there is one."""
        return child_named(psutil.Process(self.process.pid), word)

    def stop(self, number: signal.Signals) -> Ended:
        """Send a signal as the terminal does, to the whole group; return how it ended."""
        os.killpg(self.process.pid, number)
        return self.ended()

    def ended(self) -> Ended:
        """Wait for its end; return how it ended."""
        return Ended(self.process.wait(END_SECONDS), self._rest(), self.errors)

    def kill(self) -> None:
        """End it as a crash would: it cannot finish anything."""
        # Another thread may start it again meanwhile.
        process = self.process
        process.kill()
        process.wait(END_SECONDS)

    def terminate(self) -> int:
        """End it as a server manager would, if it still runs; returns its exit code."""
        self.process.terminate()
        return self.process.wait(END_SECONDS)

    def close(self) -> None:
        """Let it not run on, whether it ends in time or not."""
        try:
            self.terminate()
        finally:
            self.process.kill()


def _text(file: Path, begin: int) -> str:
    with file.open("rb") as stream:
        stream.seek(begin)
        return stream.read().decode(errors="replace")


def ready(kioku: Running) -> str:
    """Return where a `kioku run` that is ready listens."""
    found = READY.fullmatch(kioku.line())
    assert found, kioku.errors
    return f"http://127.0.0.1:{found[1]}"


def environment(settings: Settings) -> dict[str, str]:
    """Return what a process is started with: `settings`, and this source tree's modules."""
    return {**os.environ, "PYTHONPATH": SOURCES, **settings}


def forked_module(
    module: str,
    folder: Path,
    arguments: Sequence[str],
    settings: Settings,
    out: IO[bytes],
    errors: IO[bytes],
) -> Process:
    """Start ``python -m MODULE ARGUMENTS`` by the fork server."""
    return fork_server.start(
        module,
        *arguments,
        cwd=folder,
        env=environment(settings),
        stdout=out,
        stderr=errors,
        own_group=True,
    )


forked: Start = partial(forked_module, "bot")


def fresh(
    folder: Path,
    arguments: Sequence[str],
    settings: Settings,
    out: IO[bytes],
    errors: IO[bytes],
) -> Process:
    """Start ``python -m bot ARGUMENTS`` by its command line."""
    return subprocess.Popen(
        [*PYTHON_M_BOT, *arguments],
        cwd=folder,
        env=environment(settings),
        stdin=subprocess.DEVNULL,
        stdout=out,
        stderr=errors,
        process_group=0,
    )


def _ended(start: Start, folder: Path, /, *arguments: str, **settings: str) -> Ended:
    """Run ``kioku ARGUMENTS`` in `folder` until it ends by itself."""
    with tempfile.TemporaryDirectory() as name:
        kioku = Running(Path(name) / "stderr.txt", Path(name) / "stdout.txt")
        kioku.run(start, folder, arguments, settings)
        try:
            return kioku.ended()
        finally:
            kioku.process.kill()


@contextmanager
def _running(
    start: Start, folder: Path, /, *arguments: str, **settings: str
) -> Iterator[Running]:
    """Run ``kioku ARGUMENTS`` in `folder`; stop it at the end if it still runs."""
    kioku = Running(folder / "stderr.txt", folder / "stdout.txt")
    kioku.run(start, folder, arguments, settings)
    with closing(kioku):
        yield kioku


ended = partial(_ended, forked)
running = partial(_running, forked)
running_fresh = partial(_running, fresh)


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
        preexec_fn=_take_terminal,
    )
    os.close(theirs)
    shown = b""
    left = list(answers)
    with suppress(OSError):  # the terminal of a process that has ended
        while piece := os.read(ours, 4096):
            shown += piece
            if left and shown.endswith(prompt.encode()):
                os.write(ours, f"{left.pop(0)}\n".encode())
    os.close(ours)
    return process.wait(END_SECONDS), shown.decode()


def _take_terminal() -> None:
    """Be controlled by the terminal, and end by Ctrl-C although the tests may ignore it."""
    fcntl.ioctl(0, termios.TIOCSCTTY, 0)
    signal.signal(signal.SIGINT, signal.SIG_DFL)


def child_named(parent: psutil.Process, word: str) -> psutil.Process | None:
    """Return a process below `parent` with a word in its command; others may end meanwhile."""
    for process in parent.children(recursive=True):
        with suppress(psutil.NoSuchProcess):
            if word in " ".join(process.cmdline()):
                return process
    return None


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
