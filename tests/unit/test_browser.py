"""When a page is opened in a browser: where the person at the terminal would see it."""

from __future__ import annotations

import pytest

from bot.runtime.browser import can_open_browser


@pytest.mark.parametrize(
    ("environment", "platform", "is_terminal", "opens"),
    [
        ({"DISPLAY": ":0"}, "linux", True, True),
        ({"WAYLAND_DISPLAY": "wayland-0"}, "linux", True, True),
        ({}, "darwin", True, True),
        ({}, "linux", True, False),
        ({"DISPLAY": ""}, "linux", True, False),
        ({"DISPLAY": ":0"}, "linux", False, False),
        ({"DISPLAY": ":0", "CI": "true"}, "linux", True, False),
        (
            {"DISPLAY": "localhost:10", "SSH_CONNECTION": "::1 1 ::1 22"},
            "linux",
            True,
            False,
        ),
        ({"CI": "1"}, "darwin", True, False),
    ],
)
def test_a_browser_is_opened_where_it_is_seen(
    environment: dict[str, str], platform: str, is_terminal: bool, opens: bool
) -> None:
    """Not without a display, in CI, over SSH, or when a program reads the output."""
    assert (
        can_open_browser(environment, platform=platform, is_terminal=is_terminal)
        is opens
    )
