"""The programs at the beginning of the READMEs of the two doubles."""

from __future__ import annotations

import re
from pathlib import Path

from tests.conftest import ROOT

DOUBLES = {"slack-playground": "slack_playground", "openai-double": "openai_double"}
"""The packages of the doubles by their distributions."""
_FIRST = re.compile(
    r"[^`]*?```python\n(# (test_\w+\.py), after: pip install ([^\n]+)\n.+?)```", re.S
)


def written(distribution: str, folder: Path) -> tuple[Path, list[str]]:
    """Write the first block of a README to the file that it names; return what it installs."""
    page = (ROOT / "packages" / distribution / "README.md").read_text("utf-8")
    found = _FIRST.match(page)
    assert found is not None
    (folder / found[2]).write_text(found[1], "utf-8")
    return folder / found[2], found[3].split()
