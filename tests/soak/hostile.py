"""Every end-to-end test with a model that adds attacks to its answers: see `tests.hostile`."""

from __future__ import annotations

import os
import re
import subprocess
import sys

from tests.conftest import HOSTILE, ROOT
from tests.soak.table import Table, tell

_SAID = re.compile(r"hostile model: (\d+) attacks, (\d+) tests ended otherwise")
_NOT_HELD = re.compile(r"^(?:ERROR|FAILED) (\S+)", re.M)
_COUNTS = re.compile(r"(\d+) passed")


def hostile(table: Table) -> None:
    """Run them; a leak, a foreign write or a link is an error at the end of its test."""
    command = ["-m", "pytest", "tests/e2e", "-q", "-n", "2"]
    # A test that ends otherwise may leave a process to the garbage collector.
    command += ["-W", "ignore::pytest.PytestUnraisableExceptionWarning"]
    # The fault run replaces the model's answers by markers: nothing is left to attack.
    command += ["--deselect", "tests/e2e/test_soak.py"]
    ran = subprocess.run(
        [sys.executable, *command],
        cwd=ROOT,
        env={**os.environ, HOSTILE: "1"},
        capture_output=True,
        text=True,
        check=False,
    )
    table.part("Hostile: every end-to-end test with a model that attacks")
    said, counted = _SAID.search(ran.stdout), _COUNTS.search(ran.stdout)
    if said is None or counted is None:
        tell(ran.stdout[-3_000:])
        table.check("the tests did not run", ["see above"])
        return
    table.fact("tests", counted[1])
    table.fact("attacks", said[1])
    table.fact("tests that ended otherwise than with an honest model", said[2])
    table.check("leaks, foreign writes and links of the model", _NOT_HELD.findall(ran.stdout))
