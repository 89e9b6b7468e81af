"""What is put into the functions' package."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from deploy.aws.package import copy_code


def test_the_package_has_all_our_code(tmp_path: Path) -> None:
    """Its handlers can be imported from it, with what else is installed."""
    copy_code(tmp_path)
    code = (
        "import sys; sys.path.insert(0, sys.argv[1]); import deploy.aws.ask, deploy.aws.migration;"
        "print(deploy.aws.ask.__file__, deploy.aws.migration.__file__)"
    )
    told = subprocess.run(
        [sys.executable, "-c", code, str(tmp_path)],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=True,
    ).stdout
    assert told.count(str(tmp_path)) == 2
