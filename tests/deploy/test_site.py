"""The documentation site: it builds without a warning, also of a link that leads nowhere."""

from __future__ import annotations

import subprocess
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from tests.conftest import ROOT

PYTHON = ROOT / ".venv-docs" / "bin" / "python"
LOADED = {"img": "src", "script": "src", "source": "srcset", "link": "href"}


class Page(HTMLParser):
    """The addresses of what a page loads."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.loads: set[str] = set()
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Note what an element loads."""
        given = {name: value for name, value in attrs if value}
        if tag in LOADED and LOADED[tag] in given and given.get("rel") != "canonical":
            self.loads.add(given[LOADED[tag]])


@pytest.fixture
def site(tmp_path: Path) -> Path:
    """The site as `make docs` builds it."""
    assert PYTHON.is_file(), "`make docs` installs what builds the site"
    folder = tmp_path / "site"
    command = [str(PYTHON), "-m", "sphinx", "-q", "-n", "-W", "--keep-going", "-c", "docs"]
    done = subprocess.run(
        [*command, ".", str(folder), "-d", str(tmp_path / "doctrees")],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, "")
    return folder


def test_the_site(site: Path) -> None:
    """No font, style, script or picture is loaded from elsewhere."""
    loaded = {
        address
        for path in site.rglob("*.html")
        for address in Page(path.read_text("utf-8")).loads
        if urlsplit(address).netloc
    }
    styles = [path for path in site.rglob("*.css") if "url(http" in path.read_text("utf-8")]
    assert (loaded, styles) == (set(), [])
