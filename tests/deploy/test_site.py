"""The documentation site: it builds without a warning, also of a link that leads nowhere."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from playwright.sync_api import Browser, expect, sync_playwright

from tests.browser.setup import system_chromium
from tests.conftest import ROOT

PYTHON = ROOT / ".venv-docs" / "bin" / "python"
# What is searched for, the title of the page that answers it, and its answer. Ten questions of a
# person who uses Kioku, then ten of somebody who runs it.
QUESTIONS = {
    "manager see": (
        "Kioku, for the people who use it",
        "nobody else sees your list, your manager and the admins included",
    ),
    "forget": (
        "Kioku, for the people who use it",
        "type /forget ramen",
    ),
    "undo": (
        "What people can do with their memories",
        "works at any time and in any order",
    ),
    "pause": (
        "What people can do with their memories",
        "/memories pause 2 hours",
    ),
    "not remembered why": (
        "What people can do with their memories",
        "it lists for a day, with your sentence and the reason",
    ),
    "reminder promise": (
        "What people can do with their memories",
        "What is still open comes once more at 9:00 of the next day",
    ),
    "take back channel": (
        "What people can do with their memories",
        "when its author clicks Undo or Take Back",
    ),
    "delete all my data": (
        "What people can do with their memories",
        "Delete All My Data removes every row of the person",
    ),
    "direct message private channel": (
        "Audiences: where a memory may be used",
        "in that person's direct messages with Kioku",
    ),
    "元に戻す": (
        "自分の記憶についてできること",
        "どの順番でも",
    ),
    "scopes": (
        "Slack: scopes and events",
        "to get the mentions that it answers in channels",
    ),
    "administrator see": (
        "Privacy: what Kioku stores about people",
        "An administrator in Slack sees no memories of others",
    ),
    "systemd": (
        "Run Kioku on one server with systemd",
        "systemctl",
    ),
    "docker compose": (
        "Run Kioku in containers",
        "docker compose up --build --detach",
    ),
    "ollama": (
        "Use other models and servers",
        "OLLAMA_CONTEXT_LENGTH=32768",
    ),
    "restore backup": (
        "Back up and restore",
        "kioku forget-again",
    ),
    "alert": (
        "Monitoring",
        "is a rule file",
    ),
    "who can use": (
        "Control who can use Kioku, where, and with which features",
        "ids of the channels it answers in",
    ),
    "no answer in a channel": (
        "Connect Kioku to your Slack",
        "/invite @Kioku",
    ),
    "uninstall": (
        "Uninstalling, and people who leave",
        "a day later every row of everybody is deleted",
    ),
}

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
