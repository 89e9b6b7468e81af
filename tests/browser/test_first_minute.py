"""A fresh `kioku up`, opened in a browser of three languages, for one minute."""

from __future__ import annotations

from pathlib import Path

import pytest
from playwright.async_api import Browser

from tests.browser.first_minute import LOCALES, STEPS, live_a_first_minute
from tests.browser.gallery import fresh_kioku


@pytest.mark.parametrize("locale", LOCALES)
async def test_the_first_minute(browser: Browser, tmp_path: Path, locale: str) -> None:
    """Greeting, first message, what was remembered, and Home are in the browser's language."""
    with fresh_kioku() as url:
        camera = await live_a_first_minute(browser, url, locale, tmp_path)
    assert list(camera.taken) == [f"first_{step}.{locale}.light.webp" for step, _ in STEPS]
