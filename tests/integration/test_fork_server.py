"""What the fork server starts is a process like any other."""

from __future__ import annotations

import json
import os
import signal
import subprocess
from pathlib import Path

import pytest

from tests import fork_server

SHOWS = """
import json, os, random, signal, sys, threading
print(json.dumps({
    "name": __name__, "arguments": sys.argv[1:], "path": sys.path[0], "folder": os.getcwd(),
    "environment": dict(os.environ), "pid": os.getpid(), "group": os.getpgid(0),
    "random": random.random(), "threads": threading.active_count(), "input": sys.stdin.read(),
    "signals": [signal.getsignal(signal.SIGINT) is signal.default_int_handler,
                signal.getsignal(signal.SIGCHLD) == signal.SIG_DFL],
    "open": len(os.listdir("/dev/fd")),
}))
sys.exit(7)
"""
WAITS = "import signal; print('begun', flush=True); signal.pause()"


def module(folder: Path, text: str) -> str:
    """Write a module of that text in `folder`; return its name."""
    (folder / "told.py").write_text(text, "utf-8")
    return "told"


def test_it_is_as_if_started_alone(tmp_path: Path) -> None:
    """It has the environment, folder, arguments and group it was given, and nothing else open."""
    shown = []
    for _ in range(2):
        process = fork_server.start(
            module(tmp_path, SHOWS), "a", "b", cwd=tmp_path, env={"ONLY": "this"}, own_group=True
        )
        assert process.stdout is not None
        told = json.loads(process.stdout.read())
        process.close()
        assert process.wait(20) == 7
        assert (process.poll(), process.pid, process.pid) == (7, told["pid"], told["group"])
        shown.append(told)
    first, second = shown
    assert first["pid"] != second["pid"]
    assert first["random"] != second["random"]
    assert first["environment"] == {"ONLY": "this"}
    assert (first["name"], first["arguments"]) == ("__main__", ["a", "b"])
    assert first["folder"] == first["path"] == str(tmp_path)
    assert (first["threads"], first["input"], first["signals"]) == (1, "", [True, True])
    assert first["open"] <= 4  # three streams, and the folder that is being listed


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM, signal.SIGUSR1])
def test_a_signal_ends_it(tmp_path: Path, number: signal.Signals) -> None:
    """A signal ends it alone, and its exit code says which one it was."""
    name = module(tmp_path, WAITS)
    ended, other = (fork_server.start(name, cwd=tmp_path, env=os.environ) for _ in range(2))
    for process in (ended, other):
        assert process.stdout is not None
        assert process.stdout.readline() == "begun\n"
    with pytest.raises(subprocess.TimeoutExpired):
        ended.wait(0)
    ended.send_signal(number)
    assert ended.wait(20) == -number
    assert other.poll() is None
    other.kill()
    assert other.wait(20) == -signal.SIGKILL
    other.kill()
    for process in (ended, other):
        process.close()
