"""Break one listed line at a time; each break must fail a test: ``python -m tests.mutants``.

The breaks are in ``tests/breaks.toml``; words on the command line choose those whose names hold one
of them. Each is applied to a copy of the source tree. The exit code is 1 where a break survives, is
not found in its file exactly once, or its tests fail without it.
"""

from __future__ import annotations

import math
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import tomllib
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, TypeAlias

from tests import fork_server
from tests.temporary import use_memory

ROOT = Path(__file__).resolve().parent.parent
AT_ONCE = 2
PATIENCE = 240.0  # seconds: for one break, and for each twenty tests of the unbroken tree
_COMPILED = ("bot", "memory", "playground", "deploy", "tests")
_LEFT_OUT = shutil.ignore_patterns(
    *(".git", ".venv*", ".kioku", ".env", ".coverage*", ".hypothesis", ".*_cache"),
    *("*.egg-info", "build", "dist", "htmlcov"),
)

Verdict: TypeAlias = Literal[
    "caught", "passed", "FAILED", "SURVIVED", "NOT FOUND", "NOT RUN", "TOO SLOW"
]


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


def breaks() -> list[Break]:
    """Return those of ``tests/breaks.toml``."""
    content = tomllib.loads((ROOT / "tests" / "breaks.toml").read_text("utf-8"))
    return [Break(file, **one) for file, listed in content.items() for one in listed]


@dataclass(frozen=True)
class Judged:
    """What became of one break, after how many seconds, and what pytest said last."""

    broken: Break
    verdict: Verdict
    seconds: float
    said: str


def occurrences(broken: Break, root: Path = ROOT) -> int:
    """Return how often the old line occurs in its file."""
    return (root / broken.file).read_text("utf-8").count(broken.old)


def judge(broken: Break) -> Judged:
    """Apply a break to a copy of the source tree and run its tests there."""
    begin = time.monotonic()
    if occurrences(broken) != 1:
        return Judged(broken, "NOT FOUND", 0.0, f"{occurrences(broken)} times in {broken.file}")
    with tempfile.TemporaryDirectory(prefix="kioku-mutant-") as folder:
        copy = _copy(Path(folder))
        file = copy / broken.file
        file.write_text(file.read_text("utf-8").replace(broken.old, broken.new), "utf-8")
        code, said = _pytest(copy, broken.tests, PATIENCE)
    verdicts: dict[int | None, Verdict] = {1: "caught", 0: "SURVIVED", None: "TOO SLOW"}
    return Judged(broken, verdicts.get(code, "NOT RUN"), time.monotonic() - begin, said)


def _copy(folder: Path) -> Path:
    """Copy the tree with its byte code, which is valid because the times of files are copied."""
    copy = folder / "kioku"
    shutil.copytree(ROOT, copy, ignore=_LEFT_OUT)
    return copy


def _pytest(copy: Path, tests: Sequence[str], patience: float) -> tuple[int | None, str]:
    """Run tests of a copy up to the first failure; None as the code where that takes too long."""
    options = ["-x", "-q", "-p", "no:cacheprovider", "--no-header", "--tb=line", "-n", "0"]
    # pytest cannot rewrite the assertions of its plugins, which are imported already.
    options += ["-W", "ignore::pytest.PytestAssertRewriteWarning"]
    said = copy.parent / "said"
    with said.open("wb") as written:
        process = fork_server.start(
            "pytest",
            *(*options, f"--basetemp={copy.parent / 'tmp'}", *tests),
            cwd=copy,
            # Before the installed package, which leads to the tree that is not broken.
            env={**os.environ, "PYTHONPATH": str(copy)},
            stdout=written,
            stderr=written,
        )
    try:
        code = process.wait(patience)
    except subprocess.TimeoutExpired:
        # So that its fixtures stop what they started.
        process.send_signal(signal.SIGINT)
        process.wait()
        return None, f"not done after {patience:g} seconds"
    return code, _telling(said.read_text("utf-8", errors="replace"))


def _telling(said: str) -> str:
    lines = said.strip().splitlines()
    failed = [line for line in lines if line.startswith(("FAILED tests/", "ERROR tests/"))]
    return (failed or lines or ["nothing"])[0][:160]


def unbroken(chosen: Iterable[Break]) -> Judged:
    """Run the tests of all breaks on an unbroken copy: what fails there proves nothing."""
    begin = time.monotonic()
    tests = sorted({test for broken in chosen for test in broken.tests})
    with tempfile.TemporaryDirectory(prefix="kioku-unbroken-") as folder:
        code, said = _pytest(_copy(Path(folder)), tests, PATIENCE * math.ceil(len(tests) / 20))
    whole = Break("", "without a break", "", "", "", ())
    return Judged(whole, "passed" if code == 0 else "FAILED", time.monotonic() - begin, said)


@contextmanager
def _libraries_imported() -> Iterator[None]:
    """Compile the tree, which its copies take over, and start runs with the libraries imported."""
    use_memory()
    os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
    subprocess.run([sys.executable, "-m", "compileall", "-q", *_COMPILED], cwd=ROOT, check=True)
    with tempfile.NamedTemporaryFile("w", encoding="utf-8") as file:
        code = "from tests.fork_server import libraries; print(*libraries(), sep='\\n')"
        done = subprocess.run(
            [sys.executable, "-c", code], cwd=ROOT, check=True, stdout=subprocess.PIPE, text=True
        )
        file.write(done.stdout)
        file.flush()
        os.environ[fork_server.LIBRARIES] = file.name
        try:
            yield
        finally:
            fork_server.close()


def main(words: Sequence[str]) -> int:
    """Judge the chosen breaks, print a table, and say by the exit code whether all were caught."""
    chosen = [b for b in breaks() if not words or any(word in b.name for word in words)]
    if not chosen:
        print("no break has such a name")  # noqa: T201
        return 1
    begin = time.monotonic()
    with _libraries_imported(), ThreadPoolExecutor(AT_ONCE) as workers:
        first = workers.submit(unbroken, chosen)
        judged = [_told(one) for one in workers.map(judge, chosen)]
        judged.append(_told(first.result()))
    failed = [one for one in judged if one.verdict not in ("caught", "passed")]
    seconds = time.monotonic() - begin
    print(f"{len(chosen)} breaks, {len(failed)} not caught, {seconds:.0f} s")  # noqa: T201
    return 1 if failed else 0


def _told(one: Judged) -> Judged:
    print(f"{one.verdict:9} {one.seconds:5.0f} s  {one.broken.name}: {one.said}", flush=True)  # noqa: T201
    if one.verdict == "SURVIVED":
        print(f"{'':19}{one.broken.file}: {one.broken.why}", flush=True)  # noqa: T201
    return one


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
