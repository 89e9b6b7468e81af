"""Starts ``python -m MODULE`` by forking a process that has imported what it needs already.

Most of the time of a start is spent on imports. One server for each process of tests has done
them, and opened nothing: no thread, no loop, no socket but the one it is asked by. Each start is a
fork of it that gets its own environment, folder and standard streams, then runs the module as
``__main__``: a process with an id of its own that can be signalled, killed and waited for.

What only the interpreter's own start can do is not repeated: ``PYTHON…`` variables mean nothing.
"""

from __future__ import annotations

import array
import contextlib
import gc
import json
import os
import runpy
import selectors
import signal
import socket
import struct
import subprocess
import sys
import threading
import time
import weakref
from collections.abc import Mapping, Sequence
from functools import cache
from importlib import import_module
from pathlib import Path
from typing import IO, Any, Protocol

_ROOT = Path(__file__).resolve().parent.parent
SOURCES = os.pathsep.join(map(str, [_ROOT, *sorted(_ROOT.glob("packages/*"))]))
"""The PYTHONPATH of processes of this copy."""
_MODULES = (
    "bot.runtime.service",
    "bot.runtime.local",
    "slack_playground.server",
    "openai_double.server",
)
_ONE_SERVER = threading.Lock()
_STREAMS = 3
_SIZE = struct.Struct("!I")
_READ = 1 << 16


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

    def __init__(self, told: int, stdout: IO[str] | None) -> None:
        # A descriptor, not a file: one that the garbage collector closes would warn.
        self._told = told
        weakref.finalize(self, os.close, told)
        self._lock = threading.Lock()
        self.pid = int(_line(told))
        self.returncode: int | None = None
        self.stdout = stdout

    def poll(self) -> int | None:
        """Return its exit code, negative for a signal; None while it runs."""
        return self._read(0)

    def wait(self, timeout: float | None = None) -> int:
        """Return its exit code when it has ended; raises `subprocess.TimeoutExpired`."""
        code = self._read(timeout)
        if code is None:
            raise subprocess.TimeoutExpired("a forked process", timeout or 0)
        return code

    def _read(self, seconds: float | None) -> int | None:
        if self.returncode is not None:
            return self.returncode
        with selectors.DefaultSelector() as selector:
            selector.register(self._told, selectors.EVENT_READ)
            if not selector.select(seconds):
                return None
        with self._lock:  # another thread may wait for it too
            if self.returncode is None:
                line = _line(self._told)
                assert line, "The fork server has ended."
                self.returncode = int(line)
        return self.returncode

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


def _line(descriptor: int) -> bytes:
    """Read one line, and nothing that follows it."""
    line = b""
    while not line.endswith(b"\n") and (byte := os.read(descriptor, 1)):
        line += byte
    return line


def start(
    module: str,
    *arguments: str,
    cwd: Path,
    env: Mapping[str, str],
    stdin: int | IO[Any] = subprocess.DEVNULL,
    stdout: int | IO[Any] = subprocess.PIPE,
    stderr: int | IO[Any] | None = None,
    own_group: bool = False,
) -> Forked:
    """Start ``python -m MODULE ARGUMENTS`` in the folder `cwd`; the streams are as for `Popen`."""
    with contextlib.ExitStack() as stack:
        shown: IO[str] | None = None
        given = []
        for stream in (stdin, stdout, sys.__stderr__ if stderr is None else stderr):
            if stream == subprocess.DEVNULL:
                stream = stack.enter_context(Path(os.devnull).open("r+b"))
            elif stream == subprocess.PIPE:
                reading, writing = os.pipe()
                shown = os.fdopen(reading)
                stream = stack.enter_context(os.fdopen(writing, "wb"))
            assert stream is not None
            given.append(stream if isinstance(stream, int) else stream.fileno())
        reading, telling = os.pipe()
        stack.callback(os.close, telling)
        asked = {
            "module": module,
            "arguments": arguments,
            "cwd": str(cwd),
            "env": dict(env),
            "own_group": own_group,
        }
        with _ONE_SERVER:
            server = _server()
        server.ask(json.dumps(asked), [*given, telling])
    return Forked(reading, shown)


def close() -> None:
    """End the server, if there is one, and what it started that still runs."""
    if _server.cache_info().currsize:
        _server().close()
        _server.cache_clear()


@cache
def _server() -> _Client:
    return _Client()


class _Client:
    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._socket, theirs = socket.socketpair()
        with theirs:
            process = subprocess.Popen(
                [sys.executable, "-m", "tests.fork_server", str(theirs.fileno())],
                pass_fds=[theirs.fileno()],
                stdin=subprocess.DEVNULL,
                cwd=_ROOT,
                env={**os.environ, "PYTHONPATH": SOURCES},
            )
        self._process = process

    def ask(self, request: str, descriptors: Sequence[int]) -> None:
        rights = [(socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array("i", descriptors))]
        text = request.encode()
        with self._lock:
            self._socket.sendmsg([_SIZE.pack(len(text))], rights)
            self._socket.sendall(text)

    def close(self) -> None:
        self._socket.close()
        self._process.wait(60)


class _Server:
    """The process that forks; `serve` returns in every child, with what it is to run."""

    def __init__(self, asked: socket.socket) -> None:
        self._asked = asked
        self._telling: dict[int, int] = {}
        self._woken, self._waking = socket.socketpair()
        self._waking.setblocking(False)
        self._woken.setblocking(False)

    def serve(self) -> dict[str, Any] | None:
        """Fork on each request; None, and in this process only, when the tests have ended."""
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        signal.signal(signal.SIGCHLD, lambda *_: None)
        signal.set_wakeup_fd(self._waking.fileno(), warn_on_full_buffer=False)
        with selectors.DefaultSelector() as selector:
            selector.register(self._asked, selectors.EVENT_READ)
            selector.register(self._woken, selectors.EVENT_READ)
            while True:
                for key, _ in selector.select():
                    if key.fileobj is self._woken:
                        self._reap()
                    elif (request := self._read()) is None:
                        self._end()
                        return None
                    elif self._fork(request):
                        return request

    def _read(self) -> dict[str, Any] | None:
        size, descriptors, _, _ = socket.recv_fds(
            self._asked, _SIZE.size, _STREAMS + 1, socket.MSG_WAITALL
        )
        if not size:
            return None
        # Another request may follow at once: not a byte of it is taken.
        [length] = _SIZE.unpack(size)
        text = self._asked.recv(length, socket.MSG_WAITALL)
        request: dict[str, Any] = json.loads(text)
        request["descriptors"] = descriptors
        return request

    def _fork(self, request: dict[str, Any]) -> bool:
        *streams, telling = request["descriptors"]
        pid = os.fork()
        if pid == 0:
            self._let_go(telling)
            if request["own_group"]:
                os.setpgid(0, 0)
            for number, stream in enumerate(streams):
                os.dup2(stream, number)
                os.close(stream)
            return True
        for stream in streams:
            os.close(stream)
        if request["own_group"]:
            with contextlib.suppress(PermissionError, ProcessLookupError):
                os.setpgid(pid, pid)
        self._telling[pid] = telling
        self._tell(pid, pid)
        return False

    def _let_go(self, telling: int) -> None:
        """Close, in a child, what is the server's."""
        signal.set_wakeup_fd(-1)
        signal.signal(signal.SIGINT, signal.default_int_handler)
        signal.signal(signal.SIGCHLD, signal.SIG_DFL)
        for socket_ in (self._asked, self._woken, self._waking):
            socket_.close()
        for descriptor in (telling, *self._telling.values()):
            os.close(descriptor)

    def _reap(self) -> None:
        with contextlib.suppress(BlockingIOError):
            self._woken.recv(_READ)
        for pid in list(self._telling):
            ended, status = os.waitpid(pid, os.WNOHANG)
            if ended:
                self._tell(pid, os.waitstatus_to_exitcode(status))
                os.close(self._telling.pop(pid))

    def _tell(self, pid: int, number: int) -> None:
        with contextlib.suppress(BrokenPipeError):  # nobody waits for it any more
            os.write(self._telling[pid], f"{number}\n".encode())

    def _end(self) -> None:
        for pid in self._telling:
            os.kill(pid, signal.SIGTERM)
        for pid in self._telling:
            os.waitpid(pid, 0)


def _build_models() -> None:
    """Build the models of OpenAI's and LangChain's clients, which are built on first use otherwise.

    That would take half a second of every process.
    """
    import openai.types
    from langchain_openai import ChatOpenAI
    from openai.types import responses
    from pydantic import BaseModel, SecretStr

    modules = (openai.types, responses)
    named = [getattr(module, name) for module in modules for name in dir(module)]
    for model in named:
        if isinstance(model, type) and issubclass(model, BaseModel):
            model.model_rebuild(raise_errors=False)
    ChatOpenAI(model="none", api_key=SecretStr("none"), base_url="http://127.0.0.1:9")


def _prepare() -> None:
    from memory import Former
    from openai_double import request_types

    for module in _MODULES:
        import_module(module)
    Former.warm_up()
    request_types.load()
    _build_models()
    assert threading.active_count() == 1, "A process with threads cannot be forked."
    gc.collect()
    gc.freeze()


def _become(request: dict[str, Any]) -> None:
    """Run the module as a process of its own would."""
    os.environ.clear()
    os.environ.update(request["env"])
    time.tzset()
    os.chdir(request["cwd"])
    sys.path[0] = request["cwd"]
    sys.argv[:] = [request["module"], *request["arguments"]]
    runpy.run_module(request["module"], run_name="__main__", alter_sys=True)


def _main(descriptor: int) -> None:
    _prepare()
    request = _Server(socket.socket(fileno=descriptor)).serve()
    if request is not None:
        _become(request)


if __name__ == "__main__":
    _main(int(sys.argv[1]))
