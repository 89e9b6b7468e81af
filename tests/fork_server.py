"""Starts ``python -m MODULE`` by forking a process that has imported what it needs already.

Most of the time of a start is spent on imports. multiprocessing's fork server has done them once,
in `tests.preloaded`. Each start is a fork of it with its own environment, folder and standard
streams, which runs the module as ``__main__``: a process with an id of its own that can be
signalled, killed and waited for.

What only the interpreter's own start can do is not repeated: ``PYTHON…`` variables mean nothing.
"""

from __future__ import annotations

import contextlib
import multiprocessing
import os
import runpy
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Mapping
from multiprocessing import reduction
from multiprocessing.connection import wait
from pathlib import Path
from typing import IO, Any, Protocol

_ROOT = Path(__file__).resolve().parent.parent
SOURCES = os.pathsep.join(map(str, [_ROOT, *sorted(_ROOT.glob("packages/*"))]))
"""The PYTHONPATH of processes of this copy."""
_CONTEXT = multiprocessing.get_context("forkserver")
_CONTEXT.set_forkserver_preload(["tests.preloaded"])
# multiprocessing looks at all its processes when it starts one, and reads each exit code once.
_LOCK = threading.Lock()


class Process(Protocol):
    """What the tests use of a process, started either way."""

    @property
    def pid(self) -> int: ...
    def poll(self) -> int | None: ...
    def wait(self, timeout: float | None = None) -> int: ...
    def send_signal(self, sig: int, /) -> None: ...
    def terminate(self) -> None: ...
    def kill(self) -> None: ...


class Forked:
    """A process that the server forked, with what `subprocess.Popen` has of the same names."""

    def __init__(self, process: Any, stdout: IO[str] | None) -> None:
        self._process = process
        self.pid = int(process.pid)
        self.stdout = stdout

    def poll(self) -> int | None:
        """Return its exit code, negative for a signal; None while it runs."""
        with _LOCK:
            code: int | None = self._process.exitcode
            return code

    def wait(self, timeout: float | None = None) -> int:
        """Return its exit code when it has ended; raises `subprocess.TimeoutExpired`."""
        with contextlib.suppress(OSError):  # another thread has read the code
            wait([self._process.sentinel], timeout)
        code = self.poll()
        if code is None:
            raise subprocess.TimeoutExpired("a forked process", timeout or 0)
        return code

    def send_signal(self, sig: int, /) -> None:
        """Send it a signal, unless it has ended."""
        if self.poll() is None:
            os.kill(self.pid, sig)

    def close(self) -> None:
        """Close its output, if that was a pipe."""
        if self.stdout is not None:
            self.stdout.close()

    def terminate(self) -> None:
        """Send SIGTERM."""
        self.send_signal(signal.SIGTERM)

    def kill(self) -> None:
        """Send SIGKILL."""
        self.send_signal(signal.SIGKILL)


class _Passed:
    """A descriptor that the new process gets; unpickled there, it is a number."""

    def __init__(self, descriptor: int) -> None:
        self._descriptor = descriptor

    def __reduce__(self) -> Any:
        return _detached, (reduction.DupFd(self._descriptor),)


def _detached(passed: Any) -> int:
    return int(passed.detach())


def start(
    module: str,
    *arguments: str,
    cwd: Path,
    env: Mapping[str, str],
    stdout: int | IO[Any] = subprocess.PIPE,
    stderr: int | IO[Any] | None = None,
    own_group: bool = False,
) -> Forked:
    """Start ``python -m MODULE ARGUMENTS`` in the folder `cwd`; the streams are as for `Popen`.

    There is nothing to read on its standard input.
    """
    with contextlib.ExitStack() as stack:
        shown: IO[str] | None = None
        given = []
        for stream in (stdout, sys.__stderr__ if stderr is None else stderr):
            if stream == subprocess.PIPE:
                reading, writing = os.pipe()
                shown = os.fdopen(reading)
                stack.callback(os.close, writing)
                stream = writing
            assert stream is not None
            given.append(stream if isinstance(stream, int) else stream.fileno())
        begun, telling = os.pipe()
        stack.callback(os.close, begun)
        passed = [_Passed(one) for one in (*given, telling)]
        what = (module, arguments, str(cwd), dict(env), own_group, passed)
        process = _CONTEXT.Process(target=_become, args=what, daemon=True)
        with _LOCK:
            process.start()
        os.close(telling)
        os.read(begun, 1)  # it is in its group
    return Forked(process, shown)


def close() -> None:
    """End what was started and still runs; the server ends with this process."""
    for process in multiprocessing.active_children():
        process.terminate()
        process.join()


def _become(
    module: str,
    arguments: tuple[str, ...],
    cwd: str,
    env: Mapping[str, str],
    own_group: bool,
    descriptors: tuple[int, ...],
) -> None:
    """Run the module as a process of its own would."""
    # Whoever runs the tests may ignore it, as nohup does; then the app ignores it, too.
    signal.signal(signal.SIGHUP, signal.SIG_DFL)
    *streams, telling = descriptors
    if own_group:
        os.setpgid(0, 0)
    os.close(telling)
    for number, stream in enumerate(streams, 1):
        os.dup2(stream, number)
        os.close(stream)
    os.environ.clear()
    os.environ.update(env)
    time.tzset()
    os.chdir(cwd)
    sys.path.insert(0, cwd)
    sys.argv[:] = [module, *arguments]
    runpy.run_module(module, run_name="__main__", alter_sys=True)
