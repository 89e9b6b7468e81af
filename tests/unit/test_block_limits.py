"""The limits by which the app cuts texts, against those in the playground's table of Block Kit."""

from __future__ import annotations

import pytest

from bot.acts import blocks
from slack_playground.block_kit import LIMITS, limit

EQUAL = {
    "INPUT_LIMIT": limit("typed", "plain_text_input", "initial_value"),
    "LABEL_LIMIT": limit("interactive", "button", "accessibility_label"),
    "MESSAGE_BLOCKS_LIMIT": LIMITS["message_blocks"],
    "MESSAGE_TEXT_LIMIT": LIMITS["message_text"],
    "OPTION_TEXT_LIMIT": limit("objects", "option", "text"),
    "OPTION_VALUE_LIMIT": limit("objects", "option", "value"),
    "VALUE_LIMIT": limit("interactive", "button", "value"),
    "VIEW_BLOCKS_LIMIT": limit("views", "modal", "blocks"),
}
BELOW = {
    "FALLBACK_LIMIT": LIMITS["updated_text"],
    "LINE_LIMIT": limit("blocks", "section", "text"),
    "PART_LIMIT": LIMITS["message_markdown"],
    "SECTION_LIMIT": limit("blocks", "section", "text"),
}


def test_every_limit_is_compared() -> None:
    """No limit of the app is left out here."""
    names = {name for name in vars(blocks) if name.endswith("_LIMIT")}
    assert names == {*EQUAL, *BELOW}


@pytest.mark.parametrize("name", EQUAL)
def test_limit_is_slacks(name: str) -> None:
    """The app cuts at the length that Slack still takes."""
    assert getattr(blocks, name) == EQUAL[name]


@pytest.mark.parametrize("name", BELOW)
def test_limit_is_below_slacks(name: str) -> None:
    """The app leaves room below Slack's limit."""
    assert getattr(blocks, name) < BELOW[name]
