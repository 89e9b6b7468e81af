"""PostgreSQL's processes: those of this run and orphans of an earlier run.

psutil is a dependency of the ``embedded`` extra only, so it is imported where it is used.
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

POLL = 0.005  # seconds


def orphaned_processes(cluster: Path) -> "list[psutil.Process]":
    """Return the running PostgreSQL processes of the cluster's folder, oldest first."""
    import psutil

    found = []
    for process in psutil.process_iter():
        try:
            if process.name().startswith("postgres") and _works_in(process, cluster):
                found.append((process.create_time(), process.pid, process))
        except (psutil.Error, OSError):
            continue  # it has just ended or belongs to another user
    return [process for _, _, process in sorted(found)]


def _works_in(process: "psutil.Process", folder: Path) -> bool:
    # The link identifies the folder itself, even if its path now leads to another folder.
    link = f"/proc/{process.pid}/cwd"
    return os.path.samefile(link if os.path.isdir("/proc/self") else process.cwd(), folder)


def attach(pid: int, cluster: Path) -> "psutil.Process | None":
    """Return the process if its working directory is the cluster's folder, else None."""
    import psutil

    try:
        process = psutil.Process(pid)
        return process if _works_in(process, cluster) else None
    except (psutil.Error, OSError):
        return None


def ended(server: "Server") -> bool:
    """Return whether the process has ended (an unreaped zombie counts as ended)."""
    if isinstance(server, subprocess.Popen):
        return server.poll() is not None
    import psutil

    try:
        return not server.is_running() or server.status() == psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return True


def end(server: "Server", *steps: tuple[signal.Signals, float]) -> bool:
    """Send each signal in turn, with a wait in seconds after each, until the process has ended."""
    for number, patience in steps:
        if ended(server):
            return True
        with contextlib.suppress(ProcessLookupError):
            os.kill(server.pid, number)
        deadline = time.monotonic() + patience
        while not ended(server) and time.monotonic() < deadline:
            time.sleep(POLL)
    return ended(server)
