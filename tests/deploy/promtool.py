"""Finds Prometheus' promtool, and installs it: ``python -m tests.deploy.promtool``.

From Debian's package `prometheus`, unpacked below build/: no service is installed or started. It
says in one sentence what is missing then; its exit code is 1.
"""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

from tests.apt import tried

ROOT = Path(__file__).resolve().parent.parent.parent
_FOLDER = ROOT / "build" / "promtool"


def promtool() -> str | None:
    """Return the path of promtool, if there is one."""
    return shutil.which("promtool") or shutil.which(
        _FOLDER / "usr" / "bin" / "promtool"
    )


def run(*arguments: str, folder: Path = ROOT) -> subprocess.CompletedProcess[str]:
    """Run promtool; what it prints on stderr is with its output."""
    path = promtool()
    assert path, "promtool is missing: run `python -m tests.deploy.promtool`"
    return subprocess.run(
        [path, *arguments],
        cwd=folder,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
        timeout=100,
    )


def main() -> int:
    """Install it where that can be done."""
    if promtool() is None and shutil.which("apt-get") and shutil.which("dpkg"):
        _FOLDER.mkdir(parents=True, exist_ok=True)
        tried(["apt-get", "update", "-q"])
        fetch = f"cd {_FOLDER} && apt-get download -q prometheus && dpkg -x prometheus_*.deb ."
        tried(["sh", "-c", fetch])
    if promtool() is None:
        sys.stderr.write(
            "The test of the alerts will fail: missing is promtool (prometheus).\n"
        )
    return int(promtool() is None)


if __name__ == "__main__":
    sys.exit(main())
