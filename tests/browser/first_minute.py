"""The first minute of a person who opens the page in a browser of their own language."""

from __future__ import annotations

from pathlib import Path

from playwright.async_api import Browser, expect

from bot.locale import Language, say
from tests.browser.camera import Camera
from tests.browser.visitor import Playground, Visitor

SCREEN = {"width": 1280, "height": 800}
# Of a browser's language: the language of the page, and what is typed first.
LOCALES: dict[str, tuple[Language, str]] = {
    "en-US": ("en", "I like ramen and I live in Osaka."),
    "de-DE": ("en", "I like ramen and I live in Osaka."),
    "ja-JP": ("ja", "ラーメンが好きです。大阪に住んでいます。"),
}
STEPS = (
    ("opened", "The page when it is opened for the first time."),
    ("answered", "The first message and its answer."),
    ("remembered", "What was remembered, shown below the answer a few seconds later."),
    ("home", "The Home tab at the end of the first minute."),
)


async def live_a_first_minute(browser: Browser, url: str, locale: str, folder: Path) -> Camera:
    """Open the page, write one message, wait until it is remembered, and open Home.

    Each step is pictured into `folder`. Raises an AssertionError where one does not show what it
    should in the person's language.
    """
    language, typed = LOCALES[locale]
    context = await browser.new_context(
        viewport=SCREEN,  # type: ignore[arg-type]
        locale=locale,
        reduced_motion="reduce",
    )
    page = await context.new_page()
    camera, body = Camera(page, locale, folder), page.locator("body")
    await page.goto(url)
    await page.wait_for_selector("[data-ready]")
    visitor = Visitor(page, Playground(url))
    await expect(page.locator("html")).to_have_attribute("lang", language)
    await expect(page.locator(".prompt").first).to_be_visible()
    await camera.shoot("first_opened", body, themes=("light",))
    await visitor.ask(typed)
    await camera.shoot("first_answered", body, themes=("light",))
    noticed = say(language, "notice_remembered", count=2)
    await expect(visitor.last).to_contain_text(noticed)
    await camera.shoot("first_remembered", body, themes=("light",))
    await page.locator("#tab-home").click()
    await expect(page.locator(".home")).to_contain_text({"en": "Osaka", "ja": "大阪"}[language])
    await camera.shoot("first_home", body, themes=("light",))
    await context.close()
    return camera
