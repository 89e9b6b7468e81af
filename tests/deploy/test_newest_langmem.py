"""Formation with the newest LangMem and trustcall within the bounds, whatever the locks have."""

from __future__ import annotations

import os
import subprocess
import sys
import tomllib
from pathlib import Path

from tests.conftest import ROOT

_INSTALL = (
    "-m",
    "pip",
    "install",
    "--quiet",
    "--disable-pip-version-check",
    "--no-deps",
)
_TESTS = "tests/integration/test_formation.py"


def _python(*arguments: str, **settings: str) -> str:
    """Run Python at the root of the project; return what it printed."""
    inherited = {
        name: value for name, value in os.environ.items() if "PYTEST" not in name
    }
    done = subprocess.run(
        [sys.executable, *arguments],
        cwd=ROOT,
        env={**inherited, **settings},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout[-4_000:] + done.stderr[-2_000:]
    return done.stdout


def test_memories_are_formed_with_the_newest_langmem_and_trustcall(
    tmp_path: Path,
) -> None:
    """A release of theirs that asks the model in another way is noticed here."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
    wanted = [one for one in project["dependencies"] if one.startswith("langmem")]
    _python(*_INSTALL, "--target", str(tmp_path), *wanted, "trustcall")
    path = {"PYTHONPATH": str(tmp_path)}
    where = _python("-c", "import langmem, trustcall; print(langmem.__file__)", **path)
    assert where.startswith(str(tmp_path))
    assert " passed" in _python("-m", "pytest", "-q", _TESTS, **path)
