"""The workflows of GitHub, by zizmor, which reads them for what an attacker could use."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from tests.conftest import ROOT


def test_zizmor_finds_nothing() -> None:
    """No workflow leaks a credential, takes more rights than it needs or runs unpinned code."""
    zizmor = Path(sys.executable).with_name("zizmor")
    checked = subprocess.run(
        [
            str(zizmor),
            "--offline",
            "--persona=pedantic",
            "--no-progress",
            str(ROOT / ".github"),
        ],
        capture_output=True,
        text=True,
        check=False,
    )
    assert checked.returncode == 0, checked.stdout + checked.stderr
