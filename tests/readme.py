"""The programs at the beginning of the READMEs of the two doubles."""

from __future__ import annotations

import re
from pathlib import Path

from tests.conftest import ROOT

DOUBLES = {"slack-playground": "slack_playground", "openai-double": "openai_double"}
"""The packages of the doubles by their distributions."""


def first_block(distribution: str) -> tuple[str, list[str]]:
    """Return the program that a README begins with, and what its first line installs."""
    page = (ROOT / "packages" / distribution / "README.md").read_text("utf-8")
    found = re.search(
        r"^```(\w+)\n(# test_hello\.py, after: pip install ([^\n]+)\n.+?)^```", page, re.M | re.S
    )
    assert found is not None
    assert page.index("```") == found.start()
    assert found[1] == "python"
    return found[2], found[3].split()


def written(distribution: str, folder: Path) -> Path:
    """Write the program to a folder as its first line names it."""
    path = folder / "test_hello.py"
    path.write_text(first_block(distribution)[0], "utf-8")
    return path
