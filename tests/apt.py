"""Installing Debian's packages for tests, where that can be done: as root, with apt-get."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Mapping, Sequence

_SECONDS = 600


def install(*packages: str) -> None:
    """Install packages, without those that are only recommended; says on stderr what failed."""
    if sys.platform != "linux" or shutil.which("apt-get") is None or os.geteuid() != 0:
        return
    environment = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
    for arguments in (
        ["update", "-q"],
        ["install", "-yq", "--no-install-recommends", *packages],
    ):
        tried(["apt-get", *arguments], environment)


def tried(command: Sequence[str], environment: Mapping[str, str] | None = None) -> None:
    """Run a command, ten minutes at most; what it prints on stdout is not shown."""
    try:
        subprocess.run(
            command,
            env=environment,
            stdout=subprocess.DEVNULL,
            check=False,
            timeout=_SECONDS,
        )
    except (OSError, subprocess.TimeoutExpired) as problem:
        print(f"{command[0]} did not work: {problem}", file=sys.stderr)  # noqa: T201
