"""Run the tests: ``python -m tests.run`` those of ``make test``, with ``--slow`` the slow ones.

With ``--slow`` the tests of the database run on PostgreSQL 16 as well (`tests.postgres_16`).
With ``--coverage`` it runs both and measures the branches of every process that a test starts,
which takes half as long again. The tests of ``make lint`` are left out. The exit code is pytest's,
or 2 where pytest passed and the coverage is too low.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
# Many tests wait for something most of their time.
WORKERS = "4"
SLOW_FOLDERS = ("tests/browser", "tests/deploy", "tests/examples")
"""Folders whose tests are all slow, and need no mark."""
_OF_DATABASE = (
    "audiences",
    "database",
    "database_shapes",
    "erasing_everywhere",
    "forgetting",
    "kept",
    "logins",
    "memory_machine",
    "pipelines",
    "queue",
    "recall",
)
ON_16 = (
    "tests/security",
    *(f"tests/integration/test_{name}.py" for name in _OF_DATABASE),
)
"""Tests of what PostgreSQL itself does, which run on its oldest version, too."""


def main(option: str = "") -> int:
    """Run pytest; with coverage report that of all its processes together."""
    tests = ("pytest", "--ignore=tests/lint", "-n", WORKERS)
    if option == "--coverage":
        with tempfile.TemporaryDirectory(prefix="kioku-coverage-") as folder:
            # Inherited by every process that is measured; two runs at once do not meet.
            os.environ["COVERAGE_FILE"] = f"{folder}/coverage"
            code = _python("coverage", "run", "-m", *tests)
            _python("coverage", "combine", "--quiet")
            return _python("coverage", "report") or code
    # What is not run is not imported either.
    if option == "--slow":
        code = _python(*tests, "-m", "slow", *SLOW_FOLDERS, *_marked())
        on_16 = (*tests, "-p", "tests.postgres_16", "-m", "not slow", *ON_16)
        return _python(*on_16) or code
    ignored = [f"--ignore={folder}" for folder in SLOW_FOLDERS]
    return _python(*tests, "-m", "not slow", *ignored)


def _marked() -> list[str]:
    """Return the modules that have a mark of slow tests."""
    modules = sorted(
        [*ROOT.glob("tests/**/test_*.py"), *ROOT.glob("packages/*/tests/test_*.py")]
    )
    return [
        str(path) for path in modules if "pytest.mark.slow" in path.read_text("utf-8")
    ]


def _python(*command: str) -> int:
    """Run a module of this Python and return its exit code."""
    return subprocess.run(
        [sys.executable, "-m", *command], cwd=ROOT, check=False
    ).returncode


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
