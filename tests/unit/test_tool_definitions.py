"""Which tools the model is offered."""

from __future__ import annotations

import pytest

from bot.pipeline.tools import (
    KEEP_TOOL,
    SETTINGS_TOOL,
    tool_definitions,
)
from memory import SCHEMAS
from memory.tools.definitions import CHANGE_TOOL, SEARCH_TOOL


@pytest.mark.parametrize(
    ("off", "in_channel", "offered"),
    [
        (False, False, {SEARCH_TOOL, CHANGE_TOOL, SETTINGS_TOOL}),
        (False, True, {SEARCH_TOOL, CHANGE_TOOL, SETTINGS_TOOL, KEEP_TOOL}),
        (True, False, {SETTINGS_TOOL}),
        (True, True, {SETTINGS_TOOL}),
    ],
)
def test_nothing_is_read_or_stored_by_a_tool_while_memory_is_off(
    off: bool, in_channel: bool, offered: set[str]
) -> None:
    """Something is kept for a channel only; the settings can always be changed."""
    definitions = tool_definitions(tuple(SCHEMAS), off, in_channel=in_channel)
    assert {str(one["name"]) for one in definitions} == offered
