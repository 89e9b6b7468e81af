"""Follows README and tutorials in an empty environment, and prints how long each step takes.

``make newcomer``: a fresh clone of the last commit, an empty home folder, no cache of pip. It runs
the commands of the README unchanged, says what its list says to say, then runs the test that
follows the tutorials. ``ALL=1`` runs ``make test`` of the README as well. About three minutes.
"""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from tests.conftest import ROOT
from tests.examples.test_tutorials import Ben
from tests.kioku_process import wait_for
from tests.lint.test_pages import blocks
from tests.loopback import free_port

_KEPT = ("PATH", "LANG", "SSL_CERT_FILE")


def environment(home: Path) -> dict[str, str]:
    """Return what a new user has: a path, an empty home, and the machine's index of packages."""
    kept = {
        name: value
        for name, value in os.environ.items()
        if name in _KEPT or name.startswith("PIP_")
    }
    configured = Path.home() / ".config" / "pip" / "pip.conf"
    if configured.exists():
        kept["PIP_CONFIG_FILE"] = str(configured)
    return {**kept, "HOME": str(home), "PIP_NO_CACHE_DIR": "1", "PORT": str(free_port())}


@contextmanager
def timed(step: str) -> Iterator[None]:
    """Print how many seconds a step took."""
    began = time.monotonic()
    yield
    sys.stdout.write(f"{time.monotonic() - began:7.1f} s  {step}\n")
    sys.stdout.flush()


@contextmanager
def started(command: str, clone: Path, given: Mapping[str, str], step: str) -> Iterator[Ben]:
    """Run the command that starts Kioku; Ctrl-C ends it."""
    process = subprocess.Popen(
        command.split(),
        cwd=clone,
        env=dict(given),
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
        start_new_session=True,
    )
    try:
        with timed(step):
            assert process.stdout is not None
            address = next(
                found[0] for line in process.stdout if (found := re.findall(r"http://\S+", line))
            )
            ben = Ben(address)
        yield ben
        os.killpg(process.pid, signal.SIGINT)
        process.wait(60)  # make itself ends by the signal
    finally:
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGKILL)


def try_it(ben: Ben) -> None:
    """Say and type what the README's list says."""
    readme = (ROOT / "README.md").read_text("utf-8")
    steps = re.findall(r"^\d\. (.*?)(?=^\d\. |^\n|\Z)", readme, re.M | re.S)
    says = [re.findall(r"`([^`]+)`", step) for step in steps[:3]]
    (teaches, asks), listing, forgetting = says[0], says[1][:2], says[2][:1]
    with timed(f"“{teaches}” is answered and remembered"):
        ben.say(teaches)
        wait_for(lambda: "ramen" in ben.type_command(listing[0]))
    with timed(f"“{asks}” is answered with it"):
        assert "ramen" in ben.say(asks)
    for command in (*listing, *forgetting):
        with timed(command):
            # A notice may come between the command and its answer.
            wait_for(lambda: "ramen" in ben.type_command(command))  # noqa: B023


def main() -> None:
    """Follow the README and the tutorials."""
    [up, test] = [line.split("#")[0].strip() for line in blocks("README.md", "sh")[0].splitlines()]
    with tempfile.TemporaryDirectory(prefix="kioku-newcomer-") as folder:
        clone, home = Path(folder) / "kioku", Path(folder) / "home"
        home.mkdir()
        given = environment(home)
        with timed("git clone"):
            subprocess.run(["git", "clone", "-q", str(ROOT), str(clone)], check=True)
        with started(up, clone, given, f"{up}, the first time: set-up and start") as ben:
            try_it(ben)
        with started(up, clone, given, f"{up}, the second time"):
            pass
        with timed("make install: the tools of development"):
            quiet = subprocess.DEVNULL
            subprocess.run(["make", "install"], cwd=clone, env=given, check=True, stdout=quiet)
        tutorials = [".venv/bin/python", "-m", "pytest", "-q", "tests/examples/test_tutorials.py"]
        with timed("the tutorials, as their test follows them"):
            subprocess.run(tutorials, cwd=clone, env=given, check=True)
        if os.environ.get("ALL"):
            with timed(test):
                subprocess.run(test.split(), cwd=clone, env=given, check=True)


if __name__ == "__main__":
    main()
