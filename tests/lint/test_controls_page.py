"""docs/controls.md: every control with its command, its words and its test."""

from __future__ import annotations

import yaml

from bot.locale import say
from bot.views.subcommands import MEMORIES
from tests.lint.tables import ROOT, names_a_test, rows
from tests.unit.test_subcommands import FORGET

ROWS = rows((ROOT / "docs" / "controls.md").read_text("utf-8"), "control")


def test_each_control_has_its_commands_its_words_and_a_test_that_exists() -> None:
    """No cell of the table is empty, and the test that a row names exists."""
    assert len(ROWS) >= 25
    assert [row for row in ROWS if len(row) != 4 or not all(row) or not names_a_test(row[3])] == []


def test_each_use_of_a_command_is_there() -> None:
    """No use of a command is missing from the page."""
    commands = " ".join(row[1] for row in ROWS)
    manifest = yaml.safe_load((ROOT / "manifest.yml").read_text("utf-8"))
    declared = [one["command"] for one in manifest["features"]["slash_commands"]]
    usages = [say("en", use.usage) for use in (*MEMORIES, *FORGET)]
    assert [usage for usage in usages if f"`{usage}`" not in commands] == []
    assert [command for command in declared if f"`{command}" not in commands] == []
