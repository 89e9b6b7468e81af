"""PostgreSQL's processes: those started here and those an earlier run left behind.

psutil comes with the ``embedded`` extra alone, so it is imported where it is used.
"""

import contextlib
import os
import signal
import subprocess
import time
from pathlib import Path
from typing import TYPE_CHECKING, TypeAlias

if TYPE_CHECKING:
    import psutil  # type: ignore[import-untyped]

    Server: TypeAlias = "subprocess.Popen[bytes] | psutil.Process"

POLL = 0.005  # seconds between two looks


def left_behind(cluster: Path) -> "list[psutil.Process]":
    """Return the live PostgreSQL processes that work in the cluster's folder, oldest first."""
    import psutil

    found = []
    for process in psutil.process_iter():
        try:
            if process.name().startswith("postgres") and _works_in(process, cluster):
                found.append((process.create_time(), process.pid, process))
        except (psutil.Error, OSError):
            continue  # it has just ended, or belongs to somebody else
    return [process for _, _, process in sorted(found)]


def _works_in(process: "psutil.Process", folder: Path) -> bool:
    # The link names the folder itself, even where another one has taken over its path.
    link = f"/proc/{process.pid}/cwd"
    return os.path.samefile(link if os.path.isdir("/proc/self") else process.cwd(), folder)


def attach(pid: int, cluster: Path) -> "psutil.Process | None":
    """Return a handle on the process if it works in the cluster's folder, else None."""
    import psutil

    try:
        process = psutil.Process(pid)
        return process if _works_in(process, cluster) else None
    except (psutil.Error, OSError):
        return None


def ended(server: "Server") -> bool:
    """Whether the process is gone (a zombie that nobody collects counts as gone)."""
    if isinstance(server, subprocess.Popen):
        return server.poll() is not None
    import psutil

    try:
        return not server.is_running() or server.status() == psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return True


def end(server: "Server", *steps: tuple[signal.Signals, float]) -> bool:
    """Send each signal in turn until the process is gone, waiting so many seconds after each."""
    for number, patience in steps:
        if ended(server):
            return True
        with contextlib.suppress(ProcessLookupError):
            os.kill(server.pid, number)
        deadline = time.monotonic() + patience
        while not ended(server) and time.monotonic() < deadline:
            time.sleep(POLL)
    return ended(server)
