"""Run the tests: ``python -m tests.run`` those of ``make test``, with ``--slow`` the slow ones.

With ``--coverage`` it runs both and measures the branches of every process that a test starts,
which takes half as long again. Further arguments go to pytest, and choose the tests instead;
coverage is then shown but not judged. The tests of ``make lint`` are left out. The exit code is
pytest's, or 2 where pytest passed and the coverage is too low.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
# Many tests wait for something most of their time; a slow one starts processes, or a browser.
WORKERS, SLOW_WORKERS = 4, 3
MEASURED, SLOW = "--coverage", "--slow"
SLOW_FOLDERS = ("tests/browser", "tests/deploy", "tests/examples")
"""Folders whose tests are all slow, and need no mark."""
_CLOSING = re.compile(r"=* *(\d+ (?:passed|failed|error|skipped)|no tests ran).* in [\d.:]+")


def main(arguments: Sequence[str]) -> int:
    """Run pytest, then report the coverage of all its processes together, if that is wanted."""
    chosen = [one for one in arguments if one not in (MEASURED, SLOW)]
    if MEASURED not in arguments:
        # What is not run is not imported either.
        ignored = [f"--ignore={folder}" for folder in SLOW_FOLDERS]
        marked = ["-m", "slow"] if SLOW in arguments else ["-m", "not slow", *ignored]
        workers = SLOW_WORKERS if SLOW in arguments else WORKERS
        code, closing = _pytest([], chosen or marked, os.environ, workers)
    else:
        with tempfile.TemporaryDirectory(prefix="kioku-coverage-") as folder:
            # Inherited by every process that is measured; two runs at once do not meet.
            environment = {**os.environ, "COVERAGE_FILE": f"{folder}/coverage"}
            code, closing = _pytest(["coverage", "run", "-m"], chosen, environment)
            code = code or _report(environment, judged=not chosen)
    # CI reads the counts from the end of the output.
    print(closing, flush=True)  # noqa: T201 - output of a command
    return code


def _pytest(
    under: Sequence[str],
    arguments: Sequence[str],
    environment: Mapping[str, str],
    workers: int = SLOW_WORKERS,
) -> tuple[int, str]:
    """Run pytest, show what it says as it says it, and return its exit code and closing line."""
    closing = "pytest did not finish"
    command = ["-m", *under, "pytest", "-n", str(workers), "--ignore=tests/lint", *arguments]
    with subprocess.Popen(
        [sys.executable, *command],
        cwd=ROOT,
        env=environment,
        stdout=subprocess.PIPE,
        text=True,
        errors="replace",
    ) as process:
        assert process.stdout is not None
        for line in process.stdout:
            sys.stdout.write(line)
            sys.stdout.flush()
            if _CLOSING.match(line):
                closing = line.strip()
    return process.returncode, closing


def _report(environment: Mapping[str, str], *, judged: bool) -> int:
    """Combine what each process measured and print it; 2 where it is judged and too little."""
    report = ["report", *([] if judged else ["--fail-under=0"])]
    for command in (["combine", "--quiet"], report):
        ended = subprocess.run(
            [sys.executable, "-m", "coverage", *command], cwd=ROOT, env=environment, check=False
        )
    return ended.returncode


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
