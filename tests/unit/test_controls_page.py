"""docs/controls.md: every control with its command, its words and its proof."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from bot.locale import say
from bot.views.subcommands import FORGET, MEMORIES, Subcommand

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "controls.md").read_text("utf-8")
ROWS = [
    [cell.strip() for cell in line.strip().strip("|").split("|")]
    for line in PAGE.splitlines()
    if line.startswith("| ") and not line.startswith("| control")
]


def test_the_table_is_there() -> None:
    """There are as many rows as there are controls."""
    assert len(ROWS) >= 25


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row[0])
def test_no_cell_is_empty(row: list[str]) -> None:
    """Each control has a command or click, plain words, and a test."""
    assert len(row) == 4
    assert all(row)


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row[0])
def test_each_test_exists(row: list[str]) -> None:
    """The test that is named stands in the file that is named."""
    named = re.fullmatch(r"`(tests/[\w/]+\.py)::(test_\w+)`", row[3])
    assert named is not None
    assert f"def {named[2]}(" in (ROOT / named[1]).read_text("utf-8")


@pytest.mark.parametrize("use", [*MEMORIES, *FORGET], ids=lambda use: use.name)
def test_each_use_of_a_command_is_there(use: Subcommand) -> None:
    """No use of a command is missing from the page."""
    commands = " ".join(row[1] for row in ROWS)
    usage = say("en", use.usage)
    assert re.search(rf"`{re.escape(usage)}`", commands), usage
