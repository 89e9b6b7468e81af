"""The documentation site: it builds without a warning, and every link in it leads somewhere."""

from __future__ import annotations

import subprocess
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote, urlsplit

import pytest

from tests.conftest import ROOT

PYTHON = ROOT / ".venv-docs" / "bin" / "python"
LOADED = {"img": "src", "script": "src", "source": "srcset", "link": "href"}


class Page(HTMLParser):
    """The addresses that a page links to or loads, and the ids in it."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.links: set[str] = set()
        self.loads: set[str] = set()
        self.ids: set[str] = set()
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Note the addresses and ids of an element."""
        given = {name: value for name, value in attrs if value}
        self.ids |= {given[name] for name in ("id", "name") if name in given}
        if tag == "a" and "href" in given:
            self.links.add(given["href"])
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
    """Links lead somewhere, and nothing is loaded from elsewhere."""
    check_links(site)
    check_loads(site)


def check_links(site: Path) -> None:
    """Fail for a link to no page or heading, from raw HTML, too."""
    pages = {path: Page(path.read_text("utf-8")) for path in site.rglob("*.html")}
    assert len(pages) > 25
    wrong = []
    for path, page in pages.items():
        for link in page.links | page.loads:
            address = urlsplit(link)
            if address.scheme or address.netloc:
                continue
            target = path.parent / unquote(address.path) if address.path else path
            if not target.resolve().is_file():
                wrong.append((str(path.relative_to(site)), link))
            elif address.fragment and target.suffix == ".html":
                ids = pages[target.resolve()].ids
                if not {unquote(address.fragment), address.fragment} & ids:
                    wrong.append((str(path.relative_to(site)), link))
    assert wrong == []


def check_loads(site: Path) -> None:
    """Fail for a font, style, script or picture that is not in the site."""
    loaded = {
        address
        for path in site.rglob("*.html")
        for address in Page(path.read_text("utf-8")).loads
        if urlsplit(address).netloc
    }
    styles = [path for path in site.rglob("*.css") if "url(http" in path.read_text("utf-8")]
    assert (loaded, styles) == (set(), [])
