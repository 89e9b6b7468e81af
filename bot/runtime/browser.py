"""Opening a page in the browser of the person who sits before this machine."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Mapping
from typing import Final

# One of them is set where programs can show windows, but on macOS and Windows.
_DISPLAYS: Final = ("DISPLAY", "WAYLAND_DISPLAY")
# One of them is set where nobody, or somebody elsewhere, would see the page.
_ELSEWHERE: Final = ("CI", "SSH_CONNECTION")


def can_open_browser(environment: Mapping[str, str], *, platform: str, is_terminal: bool) -> bool:
    """Say whether a person before this machine would see a page that is opened here."""
    has_display = platform in {"darwin", "win32"} or any(map(environment.get, _DISPLAYS))
    return is_terminal and has_display and not any(map(environment.get, _ELSEWHERE))


def open_browser(url: str) -> bool:
    """Open `url` if it can be seen there; return whether that was tried.

    Nothing waits for the browser, which neither writes to this terminal nor ends with Ctrl-C.
    """
    is_terminal = sys.stdout.isatty()
    if not can_open_browser(os.environ, platform=sys.platform, is_terminal=is_terminal):
        return False
    subprocess.Popen(  # noqa: S603 - no shell, and an address of this program
        [sys.executable, "-m", "webbrowser", url],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )
    return True
