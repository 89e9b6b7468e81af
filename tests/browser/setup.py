"""Finds a Chromium and fonts for Japanese and emoji, and installs what it can.

``python -m tests.browser.setup`` tries, in this order: what is there, apt-get (as root), the
browser Playwright brings. It says in one sentence what is missing then; its exit code is 1.
"""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

from tests.apt import install, tried

_NAMES = ("chromium", "chromium-browser", "google-chrome-stable", "google-chrome")
_PACKAGES = ("chromium", "fonts-noto-cjk", "fonts-noto-color-emoji")


def system_chromium() -> str | None:
    """Return the path of an installed Chromium, or None: then Playwright's own is to be used."""
    for name in _NAMES:
        path = shutil.which(name)
        # Ubuntu's chromium-browser only says to install a snap.
        if path and not ("snap" in Path(path).resolve().as_posix() or _is_stub(path)):
            return path
    return None


def _is_stub(path: str) -> bool:
    with Path(path).open("rb") as file:
        return b"snap install" in file.read(4096)


def playwright_chromium() -> bool:
    """Say whether Playwright's own browser is installed."""
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        return Path(playwright.chromium.executable_path).is_file()


def has_fonts() -> bool:
    """Say whether there is a font for Japanese; true where that cannot be asked."""
    if shutil.which("fc-list") is None:
        return sys.platform != "linux"
    listed = subprocess.run(
        ["fc-list", ":lang=ja"], capture_output=True, text=True, check=False
    )
    return bool(listed.stdout.strip())


def main() -> int:
    """Install what is missing where that can be done."""
    if system_chromium() is None or not has_fonts():
        install(*_PACKAGES)
    if system_chromium() is None and not playwright_chromium():
        tried([sys.executable, "-m", "playwright", "install", "chromium"])
    missing = []
    if system_chromium() is None and not playwright_chromium():
        missing.append("Chromium (install it, or run `playwright install chromium`)")
    if not has_fonts():
        missing.append("a font for Japanese (the package fonts-noto-cjk)")
    if missing:
        print(  # noqa: T201
            f"The browser tests will fail: missing are {' and '.join(missing)}.",
            file=sys.stderr,
        )
    return int(bool(missing))


if __name__ == "__main__":
    sys.exit(main())
