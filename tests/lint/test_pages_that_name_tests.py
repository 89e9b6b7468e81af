"""Pages whose tables name a test in each row: controls, threats, points of Slack's guidance."""

from __future__ import annotations

import re

import pytest
import yaml

from bot.locale import say
from bot.views.subcommands import MEMORIES
from tests.lint.tables import ROOT, names_a_test, rows
from tests.unit.test_subcommands import FORGET

# By page: what matches the heading of the first column, the columns, and the least rows.
PAGES = {
    "docs/controls.md": ("control", 4, 25),
    "docs/security.md": ("threat", 3, 35),
    "docs/explanation/slack-guidance.md": (r"\w+ asks?", 4, 50),
}


def text(page: str) -> str:
    """Return a page."""
    return (ROOT / page).read_text("utf-8")


@pytest.mark.parametrize("page", PAGES)
def test_each_row_is_whole_and_names_a_test_that_exists(page: str) -> None:
    """No cell of the tables is empty, and the test in the last one exists."""
    header, columns, least = PAGES[page]
    found = rows(text(page), header)
    assert len(found) >= least
    assert [r for r in found if len(r) != columns] == [], f"a row has {columns} cells"
    assert [r for r in found if not all(r)] == [], "a cell is empty"
    assert [r for r in found if not names_a_test(r[-1])] == [], "the last cell names no test"


def test_each_use_of_a_command_is_a_control() -> None:
    """No use of a command is missing from the page of controls."""
    commands = " ".join(row[1] for row in rows(text("docs/controls.md"), "control"))
    features = yaml.safe_load(text("manifest.yml"))["features"]
    declared = [one["command"] for one in features["slash_commands"]]
    usages = [say("en", use.usage) for use in (*MEMORIES, *FORGET)]
    lacking = [usage for usage in usages if f"`{usage}`" not in commands]
    assert lacking == [], "add a row to docs/controls.md"
    assert [command for command in declared if f"`{command}" not in commands] == []


def test_each_point_of_slacks_guidance_names_a_file() -> None:
    """Four tables of points: each says enough, and the file where the point is met exists."""
    page = text("docs/explanation/slack-guidance.md")
    assert page.count("\n## ") == 4
    for row in rows(page, r"\w+ asks?"):
        assert all(len(cell) > 5 for cell in row), row
        assert re.fullmatch("`.+`", row[2]), row
        assert (ROOT / row[2][1:-1]).exists(), row


def test_the_categories_of_owasp_are_named() -> None:
    """Each category of threats that the page covers is in its table of contents and its text."""
    for category in ("LLM01", "LLM02", "LLM05", "LLM08", "ASI06"):
        assert text("docs/security.md").count(category) >= 2, category
