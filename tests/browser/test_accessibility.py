"""axe-core finds nothing serious: light, dark, on a phone, with a dialog open."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from playwright.async_api import Page, expect

from tests.browser.conftest import Visit
from tests.browser.showcase import Showcase

_AXE = Path(__file__).parent / "vendor" / "axe.min.js"


async def findings(page: Page) -> list[str]:
    """Return what axe-core holds for serious or critical, as sentences."""
    await page.evaluate(_AXE.read_text("utf-8"))
    result: dict[str, Any] = await page.evaluate(
        "axe.run(document, {resultTypes: ['violations']})"
    )
    return [
        f"{found['id']}: {found['help']} at {[node['html'][:160] for node in found['nodes']]}"
        for found in result["violations"]
        if found["impact"] in ("serious", "critical")
    ]


async def overflowing(page: Page) -> list[str]:
    """Return the classes of what is wider than the window, or scrolls sideways."""
    wide: list[str] = await page.evaluate(
        """() => [
          ...document.querySelectorAll("#conversation, .scroller, .message, .composer, .block"),
        ]
          .filter((element) => element.getBoundingClientRect().right > innerWidth + 1
            || element.matches(".scroller") && element.scrollWidth > element.clientWidth)
          .map((element) => element.className)"""
    )
    return wide


@pytest.mark.parametrize(
    ("theme", "phone", "name"),
    [
        ("light", False, "Ben"),
        ("dark", False, "Aya"),
        ("light", True, "Aya"),
        ("dark", True, "Ben"),
    ],
)
async def test_conversations(
    show: Showcase, visit: Visit, theme: str, phone: bool, name: str
) -> None:
    """A conversation with every block in it, inside its window, and the panes around it."""
    user = show.person(name)
    one = await visit(
        show.playground, user, phone=phone, theme=theme, reduced_motion="reduce"
    )
    await one.say("hello")
    await one.say("long" * 100)
    await one.say("/show")
    await expect(one.messages).to_have_count(4)
    await one.last.scroll_into_view_if_needed()
    assert await findings(one.page) == []
    ground = await one.page.locator("#conversation").evaluate(
        "element => getComputedStyle(element).backgroundColor"
    )
    assert ground == {"light": "rgb(255, 255, 255)", "dark": "rgb(24, 27, 33)"}[theme]
    assert await overflowing(one.page) == []
    if phone:
        await one.page.locator("#conversation .back").click()
        assert await findings(one.page) == []


@pytest.mark.parametrize("theme", ["light", "dark"])
async def test_dialogs_and_panels(show: Showcase, visit: Visit, theme: str) -> None:
    """A modal with errors, a menu, the completion, a thread, what was sent, the Home tab."""
    ben = await visit(
        show.playground, show.person("Ben"), theme=theme, reduced_motion="reduce"
    )
    await ben.say("/form")
    await ben.page.get_by_role("button", name="Save").click()
    await expect(ben.page.locator(".field-error").first).to_be_visible()
    assert await findings(ben.page) == []
    await ben.page.keyboard.press("Escape")
    await expect(ben.page.get_by_role("dialog")).to_have_count(0)
    await ben.box.press_sequentially("/")
    assert await findings(ben.page) == []
    await ben.box.fill("")
    await ben.go("general")
    await ben.say("a thread")
    await ben.last.hover()
    await ben.last.get_by_role("button", name="Reply in Thread").click()
    await expect(ben.page.get_by_role("complementary", name="Thread")).to_be_visible()
    assert await findings(ben.page) == []
    await ben.page.locator("#sent-toggle").click()
    await ben.page.locator(".sent-row summary").first.click()
    assert await findings(ben.page) == []
    await ben.page.keyboard.press("Escape")
    await ben.go("Kioku")
    await ben.page.get_by_role("tab", name="Home").click()
    await expect(ben.page.get_by_text("Everything Slack can show")).to_be_visible()
    assert await findings(ben.page) == []
