"""What `systemctl` and `systemd-run` do with Kioku's units, where there is no systemd.

``python systemd.py FOLDER PROGRAM …``: FOLDER is the root below which a page was followed. A unit's
environment files and command are used as written, its sandbox is not. Other programs, such as
apt-get, are only noted in ``FOLDER/noted``. A timer that runs is an empty file in FOLDER.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

READY_SECONDS = 120
_UNITS = "etc/systemd/system"


def main(folder: Path, program: str, arguments: list[str]) -> int:
    """Do what one program would do; return its exit code."""
    with (folder / "noted").open("a", encoding="utf-8") as noted:
        noted.write(" ".join([program, *arguments]) + "\n")
    if program == "systemd-run":
        properties = [one for one in arguments if one.startswith("EnvironmentFile=")]
        first = next(n for n, one in enumerate(arguments) if one.startswith("/"))
        files = [Path(one.partition("=")[2]) for one in properties]
        return subprocess.run(arguments[first:], env=_environment(files), check=False).returncode
    if program != "systemctl":
        return 0
    verb, *rest = [one for one in arguments if one != "--now"]
    if verb in ("start", "enable"):
        return max(_start(folder, unit) for unit in rest)
    if verb in ("stop", "disable"):
        return max(_stop(folder, unit) for unit in rest)
    return int(verb != "daemon-reload")


def _environment(files: list[Path]) -> dict[str, str]:
    """Read environment files as systemd does: NAME=value, `#` begins a comment, the last counts."""
    found = {"PATH": os.environ["PATH"]}
    for path in files:
        for line in path.read_text("utf-8").splitlines():
            if line.strip() and not line.startswith("#"):
                name, _, value = line.partition("=")
                found[name] = value
    return found


def _start(folder: Path, unit: str) -> int:
    """Run a oneshot unit to its end; start another and wait until it says that it is ready."""
    if unit.endswith(".timer"):
        timer = folder / _UNITS / unit
        (folder / unit).touch()
        return int(not (timer.exists() and timer.with_suffix(".service").exists()))
    text = (folder / _UNITS / f"{unit}.service").read_text("utf-8")
    pairs = [line.partition("=")[::2] for line in text.splitlines() if "=" in line]
    here = [(name, value.replace(" /", f" {folder}/")) for name, value in pairs]
    one = dict(here)
    files = [folder / value.lstrip("/") for name, value in pairs if name == "EnvironmentFile"]
    command = [f"{folder}{one['ExecStart'].split()[0]}", *one["ExecStart"].split()[1:]]
    environment = _environment(files)
    if one["Type"] == "oneshot":
        return subprocess.run(command, env=environment, check=False).returncode
    log = folder / f"{unit}.log"
    with log.open("wb") as output:
        process = subprocess.Popen(command, env=environment, stdout=output, stderr=output)
    (folder / f"{unit}.pid").write_text(str(process.pid))
    end = time.monotonic() + READY_SECONDS
    while "Kioku is ready" not in log.read_text("utf-8"):
        if process.poll() is not None or time.monotonic() > end:
            sys.stderr.write(log.read_text("utf-8"))
            return 1
        _pause()
    return 0


def _stop(folder: Path, unit: str) -> int:
    """End a unit's process as systemd does, and wait for its end."""
    if unit.endswith(".timer"):
        (folder / unit).unlink()
        return 0
    written = folder / f"{unit}.pid"
    pid = int(written.read_text())
    os.kill(pid, signal.SIGTERM)
    end = time.monotonic() + 40
    while _runs(pid):
        if time.monotonic() > end:
            return 1
        _pause()
    written.unlink()
    return 0


def _pause() -> None:
    threading.Event().wait(0.05)


def _runs(pid: int) -> bool:
    try:
        state = Path(f"/proc/{pid}/stat").read_text("utf-8").rpartition(")")[2].split()[0]
    except FileNotFoundError:
        return False
    return state != "Z"


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1]), sys.argv[2], sys.argv[3:]))
