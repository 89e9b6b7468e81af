"""docs/explanation/slack-guidance.md: each point of Slack's guidance, where it is met, proof."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "explanation" / "slack-guidance.md").read_text("utf-8")
ROWS = [
    [cell.strip() for cell in line.strip().strip("|").split("|")]
    for line in PAGE.splitlines()
    if line.startswith("| ") and not re.match(r"\| \w+ asks? \|", line)
]


def test_the_tables_are_there() -> None:
    """Design, governance, best practices and what people ask are each a table of points."""
    assert PAGE.count("\n## ") == 4
    assert len(ROWS) >= 50


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row[0][:50])
def test_no_cell_is_empty_and_what_it_names_exists(row: list[str]) -> None:
    """Each point says what Kioku does, where, and by which test that can be seen."""
    assert len(row) == 4
    assert all(len(cell) > 5 for cell in row)
    where, proof = (re.fullmatch(r"`([^`]+)`", cell) for cell in row[2:])
    assert where is not None
    assert proof is not None
    assert (ROOT / where[1]).exists(), where[1]
    file, _, function = proof[1].partition("::")
    assert file.startswith("tests/")
    assert f"def {function}" in (ROOT / file).read_text("utf-8")
