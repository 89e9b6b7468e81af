"""docs/security.md: every threat with its defence and its proof."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "security.md").read_text("utf-8")
ROWS = [
    [cell.strip() for cell in line.strip().strip("|").split("|")]
    for line in PAGE.splitlines()
    if line.startswith("| ") and not line.startswith("| threat")
]


def test_the_tables_are_there() -> None:
    """There is a row for each threat we know, under each category the page names."""
    assert len(ROWS) >= 35
    for category in ("LLM01", "LLM02", "LLM05", "LLM08", "ASI06"):
        assert PAGE.count(category) >= 2, category


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row[0][:40])
def test_each_threat_has_a_defence_and_a_test(row: list[str]) -> None:
    """No cell is empty, and the test that is named is in the file that is named."""
    assert len(row) == 3
    assert all(row)
    named = re.fullmatch(r"`(tests/[\w/]+\.py)::(test_\w+)`", row[2])
    assert named is not None
    assert f"def {named[2]}(" in (ROOT / named[1]).read_text("utf-8")


def test_both_privacy_pages_have_the_same_parts() -> None:
    """The Japanese page has as many sections and table rows as the English one."""
    pages = [(ROOT / "docs" / name).read_text("utf-8") for name in ("privacy.md", "privacy.ja.md")]
    headings, rows = (
        [len(re.findall(pattern, page, re.M)) for page in pages] for pattern in (r"^## ", r"^\| ")
    )
    assert headings[0] == headings[1] > 5
    assert rows[0] == rows[1] > 20
