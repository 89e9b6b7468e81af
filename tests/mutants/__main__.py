"""Run the tests over a sample of mutants: ``python -m tests.mutants FILE SHARE SHARES MOST``.

The modules of this copy are changed, one at a time. FILE has the lines that each test executes, as
coverage's contexts. Of the sample it takes each mutant whose number is SHARE modulo SHARES, and
runs the tests that execute the changed line, at most MOST. It prints a line for each mutant.
"""

from __future__ import annotations

import random
import re
import subprocess
import sys
from collections import Counter
from os.path import commonpath, relpath
from pathlib import Path

from coverage import CoverageData

from tests.mutants.changes import Mutant, mutants

_FOLDERS = ("memory", "bot/pipeline", "bot/conversation")
_SEED = 20261127
_COUNT = 200
_FIRST = 10
_PYTEST = ("pytest", "-x", "-q", "-p", "no:cacheprovider", "--tb=no")
_PYTEST += ("--timeout=60", "--session-timeout=300")


def main(file: str, share: str, shares: str, most: str) -> None:
    """Print what the tests say of each mutant."""
    modules = [path for folder in _FOLDERS for path in sorted(Path(folder).rglob("*.py"))]
    every = [one for path in modules for one in mutants(path)]
    sample = random.Random(_SEED).sample(every, _COUNT)
    _write(f"{len(every)} mutants, {_COUNT} of them in the sample\n")
    executed = Executed(file)
    for number in range(int(share), _COUNT, int(shares)):
        mutant = sample[number]
        tests = executed.tests(mutant)[: int(most)]
        place = f"{mutant.path}:{mutant.line}:{mutant.column}"
        _write(f"{number} {place} {mutant.new!r} {len(tests)} tests: ")
        _write(f"{_verdict(mutant, tests)}\n")


def _write(text: str) -> None:
    sys.stdout.write(text)
    sys.stdout.flush()


class Executed:
    """The tests that executed each line."""

    def __init__(self, file: str) -> None:
        data = CoverageData(file)
        data.read()
        files = data.measured_files()
        root = commonpath(files)  # the copy that was measured may be another one
        self._contexts = {relpath(path, root): data.contexts_by_lineno(path) for path in files}
        self._lines = Counter[str]()
        for lines in self._contexts.values():
            for contexts in lines.values():
                self._lines.update(contexts)

    def tests(self, mutant: Mutant) -> list[str]:
        """Return those of unit tests first, and of them those that execute the fewest lines.

        Of what is executed when a module is imported, those that execute anything of the module.
        """
        lines = self._contexts.get(mutant.path, {})
        measured = [line for line in lines if line <= mutant.line]
        found = set(lines[max(measured)]) if measured else set()
        if not found - {""}:
            found = {test for contexts in lines.values() for test in contexts}
        return sorted(found - {""}, key=self._rank)

    def _rank(self, test: str) -> tuple[bool, int]:
        return not test.startswith("tests/unit/"), self._lines[test]


def _verdict(mutant: Mutant, tests: list[str]) -> str:
    if not tests:
        return "survived: no test executes it"
    path = Path(mutant.path)
    original = path.read_bytes()
    path.write_bytes(mutant.apply(original))
    try:
        return _run(tests)
    finally:
        path.write_bytes(original)


def _run(tests: list[str]) -> str:
    """Run the first tests, and the others if those pass."""
    for some in (tests[:_FIRST], tests[_FIRST:]):
        if some:
            command = [sys.executable, "-m", *_PYTEST, *some]
            done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=False)
            if done.returncode:
                failed = re.search(r"^(FAILED|ERROR) (.*)", done.stdout, re.MULTILINE)
                return f"killed: {failed[2] if failed else done.stdout[-500:]}"
    return "survived"


if __name__ == "__main__":
    main(*sys.argv[1:])
