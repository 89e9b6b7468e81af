"""Titles of threads: what their first message asks, in a line."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.slack.sessions import TITLE_CHARACTERS, title_of


@pytest.mark.parametrize(
    ("text", "title"),
    [
        ("What shall I eat?", "What shall I eat?"),
        ("*Bold* and `code`\nsecond line", "Bold and code"),
        ("\n\n  > rest", "rest"),
        ("今日は何を食べるといいですか？", "今日は何を食べるといいですか？"),
        ("", ""),
        ("***", ""),
    ],
)
def test_the_first_line_is_the_title(text: str, title: str) -> None:
    """The first line that says something, without Slack's markup."""
    assert title_of(text) == title


@given(st.text(max_size=400))
def test_titles_fit_whatever_is_asked(text: str) -> None:
    """No title is longer than it may be, nor has a line break."""
    title = title_of(text)
    assert len(title) <= TITLE_CHARACTERS
    assert "\n" not in title
