"""The tables of a Markdown page, and the tests that their cells name."""

from __future__ import annotations

import re
from pathlib import Path

ROOT = Path(__file__).parents[2]


def rows(page: str, header: str) -> list[list[str]]:
    """Return the cells of each row of the page's tables; `header` matches their first cells."""
    lines = [line for line in page.splitlines() if line.startswith("| ")]
    cells = [[cell.strip() for cell in line.strip().strip("|").split("|")] for line in lines]
    return [row for row in cells if not re.fullmatch(header, row[0])]


def names_a_test(cell: str) -> bool:
    """Return whether a cell is `` `FILE::FUNCTION` `` or `` `FILE` `` of a test that exists."""
    named = re.fullmatch(r"`(tests/[\w/]+\.py)(?:::(test_\w+))?`", cell)
    if named is None or not (ROOT / named[1]).is_file():
        return False
    return f"def {named[2] or 'test_'}" in (ROOT / named[1]).read_text("utf-8")
