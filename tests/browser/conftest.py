"""The page in headless Chromium, in front of the whole of Kioku or of an app that shows it all."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio
from playwright.async_api import Browser, BrowserContext, Page, async_playwright

from tests.browser.setup import system_chromium
from tests.browser.showcase import Showcase, showcase
from tests.browser.visitor import Visitor
from tests.kioku import Kioku
from tests.playground import Playground

HERE = Path(__file__).parent
Visit = Callable[..., Awaitable[Visitor]]


@pytest.fixture(scope="session")
def kioku(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Playground]:
    """`kioku up` with its playground and stand-in model, as a person would start it."""
    started = Kioku(tmp_path_factory.mktemp("kioku") / "up")
    try:
        started.start()
        started.slack.model("settings", {"chunk_chars": 12})
        yield started.slack
    finally:
        started.stop()


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """One event loop, and so one Chromium, for every test of this folder."""
    for item in items:
        if HERE in item.path.parents:
            item.add_marker(pytest.mark.asyncio(loop_scope="session"), append=False)


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def browser() -> AsyncIterator[Browser]:
    """Debian's Chromium, or Playwright's own; a missing one fails the test."""
    async with async_playwright() as playwright:
        started = await playwright.chromium.launch(executable_path=system_chromium())
        yield started
        await started.close()


@pytest_asyncio.fixture(loop_scope="session")
async def visit(browser: Browser) -> AsyncIterator[Visit]:
    """Opens the page as somebody; whatever goes wrong on it fails the test at its end."""
    problems: list[str] = []
    contexts: list[BrowserContext] = []
    # The browser reports each failed request; tests that stop the server expect those.
    expected = ("Failed to load resource", "net::ERR")

    def watch(page: Page) -> None:
        page.on("pageerror", lambda error: problems.append(str(error)))
        page.on(
            "console",
            lambda said: (
                problems.append(said.text)
                if said.type == "error" and not said.text.startswith(expected)
                else None
            ),
        )

    async def open_page(
        playground: Playground,
        person: str | None = None,
        *,
        phone: bool = False,
        theme: str = "light",
        **options: Any,
    ) -> Visitor:
        size = (
            {"width": 390, "height": 844} if phone else {"width": 1280, "height": 800}
        )
        context = await browser.new_context(
            viewport=size,  # type: ignore[arg-type]
            color_scheme=theme,  # type: ignore[arg-type]
            has_touch=phone,
            **options,
        )
        contexts.append(context)
        page = await context.new_page()
        watch(page)
        if person is not None:
            await page.add_init_script(
                f"localStorage.getItem('playground.me')"
                f" ?? localStorage.setItem('playground.me', '\"{person}\"')"
            )
        await page.goto(playground.url)
        await page.wait_for_selector("[data-ready]")
        return Visitor(page, playground)

    yield open_page
    for context in contexts:
        await context.close()
    assert problems == []


@pytest_asyncio.fixture(loop_scope="session")
async def show() -> AsyncIterator[Showcase]:
    """A playground with the app that shows everything."""
    async with showcase() as started:
        yield started
        assert started.slack.violations.since(0) == []


@pytest_asyncio.fixture(loop_scope="session")
async def ben(show: Showcase, visit: Visit) -> Visitor:
    """Ben, who reads English, in front of that playground."""
    return await visit(show.playground, show.person("Ben"))
