"""The page in front of an app that is not Kioku: it speaks of that app only."""

from __future__ import annotations

import pytest
from playwright.async_api import Page, expect

from playground.manifest import read_manifest
from playground.server import serve
from tests.browser.conftest import Visit
from tests.browser.visitor import Playground
from tests.conftest import ROOT


@pytest.mark.parametrize(
    ("locale", "empty", "home"),
    [
        ("en-US", "Your direct messages with Backwards", "Backwards has no Home tab"),
        ("ja-JP", "Backwardsとのダイレクトメッセージ", "Backwardsにはホームタブがありません"),
    ],
)
async def test_the_page_speaks_of_the_app_of_the_manifest(
    visit: Visit, locale: str, empty: str, home: str
) -> None:
    """Its name, first letter, description and commands are shown; Kioku's are nowhere."""
    manifest = read_manifest(ROOT / "examples" / "bolt_app.json")
    async with serve(manifest, with_model=False) as slack:
        page: Page = (await visit(Playground(slack.url), locale=locale)).page
        body = page.locator("body")
        await expect(body).to_contain_text(empty)
        await expect(page.locator("#conversation .seal").first).to_have_text("B")
        for tab, shown in (("#tab-home", home), ("#tab-about", "/backwards")):
            await page.locator(tab).click()
            await expect(body).to_contain_text(shown)
            text = await body.inner_text()
            assert not [word for word in ("Kioku", "記", "/memories", "AI") if word in text]
