"""deploy/systemd: `systemd-analyze` accepts the units and finds them confined."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.conftest import ROOT

FOLDER = ROOT / "deploy" / "systemd"
# Points of `systemd-analyze security`, of 100: below 20 it says "OK".
EXPOSURE = 20


def analyze(*arguments: str) -> tuple[int, str]:
    """Run `systemd-analyze`; return its exit code and what it says."""
    tool = shutil.which("systemd-analyze")
    assert tool, "systemd-analyze is missing: install systemd."
    done = subprocess.run(
        [tool, *arguments],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )
    return done.returncode, done.stdout


@pytest.fixture
def units(tmp_path: Path) -> list[Path]:
    """The units, with this Python in the place of the program that a server has."""
    found = [path for path in FOLDER.iterdir() if path.suffix in (".service", ".timer")]
    for path in found:
        text = path.read_text("utf-8").replace(
            "/opt/kioku/venv/bin/kioku", sys.executable
        )
        (tmp_path / path.name).write_text(text)
    return sorted(tmp_path.iterdir())


def test_units_are_valid(units: list[Path]) -> None:
    """`systemd-analyze verify` has nothing to say."""
    assert analyze("verify", "--man=no", *map(str, units)) == (0, "")


def test_service_is_exposed_to_little(units: list[Path]) -> None:
    """`systemd-analyze security` gives each service less than 20 points of 100."""
    for unit in units:
        code, said = analyze(
            "security", "--offline=true", f"--threshold={EXPOSURE}", str(unit)
        )
        assert code == 0, said
