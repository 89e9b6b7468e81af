"""Opens a page in the browser of the person who sits at this machine."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Mapping
from typing import Final

# One of them is set where programs can show windows, except on macOS.
_DISPLAYS: Final = ("DISPLAY", "WAYLAND_DISPLAY")
# One of them is set where no one, or someone elsewhere, would see the page.
_ELSEWHERE: Final = ("CI", "SSH_CONNECTION")


def can_open_browser(
    environment: Mapping[str, str], *, platform: str, is_terminal: bool
) -> bool:
    """Return whether a person at this machine would see a page that is opened here."""
    if not is_terminal or any(map(environment.get, _ELSEWHERE)):
        return False
    return platform == "darwin" or any(map(environment.get, _DISPLAYS))


def open_browser(url: str) -> bool:
    """Open `url` if it can be seen there; return whether that was tried.

    The browser is not waited for, does not write to this terminal, and does not end with Ctrl-C.
    """
    is_terminal = sys.stdout.isatty()
    if not can_open_browser(os.environ, platform=sys.platform, is_terminal=is_terminal):
        return False
    subprocess.Popen(  # noqa: S603 - no shell, and the address is our own
        [sys.executable, "-m", "webbrowser", url],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )
    return True
