"""Break one listed line at a time; each break must fail a test: ``python -m tests.mutants``.

The breaks are in ``tests/breaks.toml``; words on the command line choose those whose names hold one
of them, and ``--check`` only looks whether each can be applied. Each is applied to a copy of the
source tree. The exit code is 1 where a break survives or is not found in its file exactly once.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
import tomllib
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from operator import attrgetter
from pathlib import Path

from tests.fork_server import SOURCES

ROOT = Path(__file__).resolve().parent.parent
AT_ONCE = 2
SECONDS = 300
_LEFT_OUT = shutil.ignore_patterns(
    *(".git", ".venv*", ".kioku", ".env", ".coverage*", ".hypothesis", ".*_cache"),
    *("*.egg-info", "build", "dist", "htmlcov", "__pycache__"),
)
_OPTIONS = ("-x", "-q", "-n", "0", "-p", "no:cacheprovider", "--no-header", "--tb=line")


@dataclass(frozen=True)
class Break:
    """`old` occurs exactly once in `file`; with `new` in its place one of `tests` must fail.

    `tests` are files, or test functions as ``FILE::FUNCTION``.
    """

    file: str
    name: str
    old: str
    new: str
    why: str
    tests: Sequence[str]

    @property
    def problem(self) -> str:
        """Why it cannot be applied; empty where it can."""
        file = ROOT / self.file
        count = file.read_text("utf-8").count(self.old) if file.is_file() else 0
        if count != 1:
            return f"its line occurs {count} times in {self.file}"
        for test in self.tests:
            path, _, function = test.partition("::")
            source = ROOT / path
            if not source.is_file() or f"def {function}" not in source.read_text("utf-8"):
                return f"there is no {test}"
        return ""


def breaks(words: Sequence[str]) -> list[Break]:
    """Return the breaks of ``tests/breaks.toml`` whose names hold one of the words."""
    content = tomllib.loads((ROOT / "tests" / "breaks.toml").read_text("utf-8"))
    listed = [Break(file, **one) for file, ones in content.items() for one in ones]
    return [one for one in listed if not words or any(word in one.name for word in words)]


def judge(broken: Break) -> str:
    """Apply a break to a copy of the tree and run its tests there; empty where one fails."""
    if broken.problem:
        return broken.problem
    with tempfile.TemporaryDirectory(prefix="kioku-mutant-") as folder:
        copy = Path(folder) / "kioku"
        shutil.copytree(ROOT, copy, ignore=_LEFT_OUT)
        file = copy / broken.file
        file.write_text(file.read_text("utf-8").replace(broken.old, broken.new), "utf-8")
        command = [sys.executable, "-m", "pytest", *_OPTIONS, *broken.tests]
        environment = {**os.environ, "PYTHONPATH": SOURCES.replace(str(ROOT), str(copy))}
        with subprocess.Popen(command, cwd=copy, env=environment, stdout=subprocess.PIPE) as run:
            said, _ = run.communicate(timeout=SECONDS)
    return "" if run.returncode == 1 else f"SURVIVED: {broken.why} {said.decode()[-300:]}"


def main(arguments: Sequence[str]) -> int:
    """Judge the chosen breaks, print a line for each, and return the exit code."""
    chosen = breaks([one for one in arguments if one != "--check"])
    with ThreadPoolExecutor(AT_ONCE) as workers:
        check = attrgetter("problem") if "--check" in arguments else judge
        failed = 0
        for broken, problem in zip(chosen, workers.map(check, chosen), strict=True):
            failed += bool(problem)
            print(f"{broken.name}: {problem or 'ok'}", flush=True)  # noqa: T201
    print(f"{len(chosen)} breaks, {failed} failed")  # noqa: T201
    return 1 if failed or not chosen else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
