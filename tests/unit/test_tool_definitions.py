"""Which tools the model is offered."""

from __future__ import annotations

import pytest

from bot.pipeline.tools import SETTINGS_TOOL, tool_definitions
from memory import SCHEMAS
from memory.tools.definitions import CHANGE_TOOL, SEARCH_TOOL


@pytest.mark.parametrize(
    ("off", "offered"),
    [(False, {SEARCH_TOOL, CHANGE_TOOL, SETTINGS_TOOL}), (True, {SETTINGS_TOOL})],
)
def test_nothing_is_read_or_stored_by_a_tool_while_memory_is_off(
    off: bool, offered: set[str]
) -> None:
    """The settings can always be changed."""
    definitions = tool_definitions(tuple(SCHEMAS), off)
    assert {str(one["name"]) for one in definitions} == offered
