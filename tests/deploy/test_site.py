"""The documentation site: it builds without a warning, also of a link that leads nowhere."""

from __future__ import annotations

import subprocess
import tomllib
from collections.abc import Iterator
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from playwright.sync_api import Browser, expect, sync_playwright

from tests.browser.setup import system_chromium
from tests.conftest import ROOT

PYTHON = ROOT / ".venv-docs" / "bin" / "python"
QUESTIONS: dict[str, list[str]] = tomllib.loads(
    (ROOT / "tests" / "data" / "questions.toml").read_text("utf-8")
)
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


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The site as `make docs` builds it."""
    tmp_path = tmp_path_factory.mktemp("docs")
    assert PYTHON.is_file(), "`make docs` installs what builds the site"
    folder = tmp_path / "site"
    command = [
        str(PYTHON),
        "-m",
        "sphinx",
        "-q",
        "-n",
        "-W",
        "--keep-going",
        "-c",
        "docs",
    ]
    done = subprocess.run(
        [*command, ".", str(folder), "-d", str(tmp_path / "doctrees")],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, "")
    return folder


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """Debian's Chromium, or Playwright's own."""
    with sync_playwright() as playwright:
        started = playwright.chromium.launch(executable_path=system_chromium())
        yield started
        started.close()


def test_the_site(site: Path) -> None:
    """No font, style, script or picture is loaded from elsewhere."""
    loaded = {
        address
        for path in site.rglob("*.html")
        for address in Page(path.read_text("utf-8")).loads
        if urlsplit(address).netloc
    }
    styles = [
        path for path in site.rglob("*.css") if "url(http" in path.read_text("utf-8")
    ]
    assert (loaded, styles) == (set(), [])


@pytest.mark.parametrize("words", QUESTIONS)
def test_a_search_brings_the_page_that_answers(
    site: Path, browser: Browser, words: str
) -> None:
    """It is among the first three that are found, and says so."""
    title, answer = QUESTIONS[words]
    page = browser.new_page()
    page.goto(f"{(site / 'search.html').as_uri()}?q={words}")
    found = page.locator("ul.search > li > a")
    expect(page.locator(".search-summary")).to_contain_text("found")
    assert title in found.all_inner_texts()[:3]
    found.filter(has_text=title).first.click()
    said = " ".join(page.locator("article").inner_text().replace("’", "'").split())
    page.close()
    assert answer in said
