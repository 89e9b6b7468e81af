"""No text is cut off and none lies over other text, on a phone and a desktop, light and dark."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from playwright.async_api import Browser, Locator

from tests.browser.camera import THEMES, Camera
from tests.browser.gallery import LANGUAGES, live_a_day
from tests.kioku_process import running

_CHECK = (Path(__file__).parent / "layout.js").read_text("utf-8")
_WIDTHS = (390, 1280)


@dataclass
class LayoutCheck(Camera):
    """Checks the page where the gallery takes a picture; `found` says what was wrong, and where."""

    found: list[str] = field(default_factory=list)

    async def shoot(
        self,
        name: str,
        *parts: Locator,
        margin: int | None = None,
        themes: Sequence[str] = THEMES,
    ) -> None:
        """Check the whole page at each width in each theme."""
        del margin
        before = self.page.viewport_size or {"width": 1000, "height": 1000}
        # A menu closes when the window changes, and a stream does not wait.
        fleeting = await self.page.locator(".menu, .message.live, .message.status").count()
        for width in (before["width"],) if fleeting else _WIDTHS:
            await self.resize(width=width, height=before["height"])
            for theme in themes:
                await self.page.emulate_media(color_scheme=theme)  # type: ignore[arg-type]
                await self.page.evaluate("() => new Promise(done => requestAnimationFrame(done))")
                await parts[0].evaluate("part => part.scrollIntoView({block: 'nearest'})")
                where = f"{name}, {self.language}, {width} px, {theme}"
                self.found += [f"{where}: {one}" for one in await self.page.evaluate(_CHECK)]
        await self.page.emulate_media(color_scheme="light")
        await self.page.set_viewport_size(before)
        self.taken[name] = 1


_HIDDEN = "overflow: hidden; width: 60px; white-space: nowrap"


@pytest.mark.parametrize(
    ("body", "found"),
    [
        ("<p>plain</p><p style='overflow: auto; width: 40px'>a line that can be scrolled</p>", []),
        (f"<p style='{_HIDDEN}'>a line that is too long</p>", ["cut: “a line that is too long”"]),
        (
            f"<p style='{_HIDDEN}; text-overflow: ellipsis' title='a line that is long'>"
            "a line that is long</p>",
            [],
        ),
        (
            "<p style='white-space: nowrap'>" + "wide " * 60 + "</p>",
            [f"beyond the window: “{('wide ' * 60)[:60]}”"],
        ),
        (
            "<p>first line</p><p style='margin-top: -40px; position: relative'>second one</p>",
            ["overlap: “second one” and “first line”"],
        ),
    ],
    ids=["readable", "cut", "ellipsis", "beyond", "overlap"],
)
async def test_the_check_finds_it(browser: Browser, body: str, found: list[str]) -> None:
    """What the check is to find, and what it is to leave alone."""
    page = await browser.new_page(viewport={"width": 390, "height": 600})
    await page.set_content(f"<body style='margin: 8px; font: 16px/20px sans-serif'>{body}</body>")
    assert await page.evaluate(_CHECK) == found
    await page.close()


@pytest.mark.parametrize("language", LANGUAGES)
async def test_every_text_can_be_read(browser: Browser, tmp_path: Path, language: str) -> None:
    """Through a day of one person, each surface of the gallery is readable at each width."""
    with running(tmp_path, "up", PORT="0") as process:
        url = process.line().rsplit(" ", 1)[1].rstrip("/")
        check = await live_a_day(browser, url, language, LayoutCheck)
    assert len(check.taken) > 20
    assert check.found == []
