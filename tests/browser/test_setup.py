"""From the playground's page into one's own Slack: the setup page, filled in by hand."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.async_api import Browser, Page, expect
from tests.integration.setup_page import APP, BOT, KEY, setup_page, values

from bot.locale import Language, say
from tests.browser.conftest import Visit
from tests.browser.test_accessibility import findings
from tests.browser.visitor import Playground
from tests.conftest import ROOT, Server, json_server

MANIFEST = (ROOT / "manifest.yml").read_text("utf-8")
_FOCUSED = "document.activeElement.id || document.activeElement.tagName"


@pytest.fixture(scope="module")
def slack() -> Iterator[Server]:
    """A playground in real Slack's place."""
    with json_server("playground", "--manifest", "manifest.yml") as server:
        yield server


@pytest.mark.failed_calls("auth.test: invalid_auth", because="The first token is wrong.")
async def test_the_way_into_ones_own_slack(slack: Server, tmp_path: Path, visit: Visit) -> None:
    """Link, code, a wrong token, the right ones, the restart; then a person opens Kioku there."""
    with setup_page(tmp_path, slack) as setup:
        visitor = await visit(Playground(setup.playground_url))
        async with visitor.page.expect_popup() as opened:
            await visitor.page.get_by_role("link", name="Use It in Your Slack").click()
        page = await opened.value
        # By the link the code is asked for: only who sees the terminal goes on.
        await page.get_by_label("Code").press_sequentially("wrong")
        await page.keyboard.press("Enter")
        await expect(page.get_by_role("alert")).to_have_text(say("en", "setup_wrong_code"))
        await page.get_by_label("Code").press_sequentially(setup.code)
        await page.keyboard.press("Enter")

        create = page.get_by_role("link", name="Create the App in Slack")
        url = await create.get_attribute("href") or ""
        assert url.startswith("https://api.slack.com/apps?new_app=1&manifest_json=%7B%22_metadata")
        pasted = values(slack)
        await page.get_by_label("Bot token").fill("xoxb-wrong")
        await page.get_by_label("App-level token").fill(pasted[APP])
        await page.get_by_label("OpenAI key").fill(pasted[KEY])
        await page.keyboard.press("Enter")
        bot = page.get_by_label("Bot token")
        await expect(bot).to_be_focused()
        await expect(bot).to_have_accessible_description(
            "✗ Slack refuses SLACK_BOT_TOKEN (invalid_auth): copy it again from your app's OAuth"
            " & Permissions (Bot User OAuth Token, xoxb-…)."
        )
        assert await page.get_by_label("App-level token").input_value() == ""
        assert not [value for value in pasted.values() if value in await page.content()]

        await bot.fill(pasted[BOT])
        await page.get_by_role("button", name="Check and Start in Slack").click()
        await expect(page.get_by_role("status")).to_contain_text("Kioku is running in Playground")
        await expect(page.get_by_role("link", name="Open Kioku in Slack")).to_be_visible()
        await visitor.page.close()

        # The same process now serves that Slack, where a person opens it for the first time.
        own = Playground(str(slack.info["url"]))
        ann = await visit(own, own.person())
        answer = await ann.ask("I like ramen")
        assert "ramen" in answer.lower()
    assert (tmp_path / ".env").stat().st_mode & 0o777 == 0o600


@pytest.mark.parametrize(
    ("locale", "theme", "width"),
    [
        ("en-US", "light", 1280),
        ("ja-JP", "dark", 390),
        ("ja-JP", "light", 1280),
        ("en-US", "dark", 390),
    ],
)
async def test_the_page_is_accessible_and_readable(
    slack: Server,
    browser: Browser,
    pictures: Path,
    locale: str,
    theme: str,
    width: int,
) -> None:
    """axe-core finds nothing, nothing is wider than the window, the keyboard reaches all of it."""
    language: Language = "ja" if locale == "ja-JP" else "en"
    with setup_page(pictures, slack) as setup:
        context = await browser.new_context(
            viewport={"width": width, "height": 844},
            locale=locale,
            color_scheme=theme,  # type: ignore[arg-type]
        )
        page = await context.new_page()
        await page.goto(f"http://{setup.own}/")
        await expect(page.get_by_label(say(language, "setup_code"))).to_be_focused()
        await looked_at(page, pictures / f"code-{locale}-{theme}.png")
        await page.goto(setup.url)
        await looked_at(page, pictures / f"steps-{locale}-{theme}.png")
        reached = []
        for _ in range(7):
            await page.keyboard.press("Tab")
            reached.append(await page.evaluate(_FOCUSED))
        assert reached == ["A", "SUMMARY", BOT, APP, "A", KEY, "BUTTON"]
        await page.locator("summary").click()
        manifest = page.get_by_label(say(language, "setup_manifest"))
        await expect(manifest).to_have_value(MANIFEST)
        await page.get_by_role("button", name=say(language, "setup_copy"), exact=True).click()
        await expect(page.get_by_role("button", name=say(language, "setup_copied"))).to_be_visible()
        await page.locator(f"#{BOT}").fill("xoxp-1")
        await page.locator(f"#{APP}").fill("x y")
        await page.keyboard.press("Enter")
        await expect(page.get_by_role("alert")).to_have_text(say(language, "setup_look_below"))
        await looked_at(page, pictures / f"wrong-{locale}-{theme}.png")
        await context.close()


async def looked_at(page: Page, picture: Path) -> None:
    """Take a picture; hold the page to what axe-core says, and to its window's width."""
    await page.screenshot(path=picture, full_page=True)
    assert await findings(page) == []
    assert await page.evaluate("document.documentElement.scrollWidth <= innerWidth")
