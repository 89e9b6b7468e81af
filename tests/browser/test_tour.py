"""The three steps on Home, done one after the other by a new person in the page."""

from __future__ import annotations

from playwright.async_api import expect

from tests.browser.conftest import Visit
from tests.browser.test_accessibility import findings
from tests.browser.test_whole_story import close, open_dialog
from tests.browser.visitor import Playground


async def test_a_new_person_is_led_through_three_steps(kioku: Playground, visit: Visit) -> None:
    """Told, asked, corrected: each is checked on Home, and then they are gone."""
    ann = await visit(kioku, kioku.person(), reduced_motion="reduce")
    page, home = ann.page, ann.page.locator(".home")
    done = home.get_by_role("img", name="white check mark")
    left = home.get_by_role("img", name="white large square")
    messages, surface = (page.get_by_role("tab", name=name) for name in ("Messages", "Home"))
    await surface.click()
    await expect(home).to_contain_text("Three Steps to Get Started")
    await expect(left).to_have_count(3)
    assert await findings(page) == []
    await messages.click()
    await ann.ask("I like ramen")
    await ann.remembered("ramen")
    await surface.click()
    await expect(done).to_have_count(1)
    await messages.click()
    await ann.ask("What should I eat today?")
    await surface.click()
    await expect(done).to_have_count(2)
    await expect(left).to_have_count(1)
    memory = home.locator(".section", has=page.get_by_role("button", name="More actions"))
    menu = memory.get_by_role("button", name="More actions")
    await open_dialog(ann, menu, page.get_by_role("menuitem", name="Edit"))
    dialog = page.get_by_role("dialog")
    await dialog.locator("input, textarea").first.fill("I like udon")
    await dialog.get_by_role("button", name="Save").click()
    await expect(dialog).to_contain_text("udon")
    await close(ann)
    await expect(home).to_contain_text("udon")
    await expect(home).not_to_contain_text("Three Steps")


async def test_the_steps_are_skipped(kioku: Playground, visit: Visit) -> None:
    """Skip takes them away, also when Home is opened again."""
    ann = await visit(kioku, kioku.person())
    home = ann.page.locator(".home")
    await ann.page.get_by_role("tab", name="Home").click()
    await home.get_by_role("button", name="Skip").click()
    await expect(home).not_to_contain_text("Three Steps")
    await expect(home).to_contain_text("I remember nothing")
    await ann.page.get_by_role("tab", name="Messages").click()
    await ann.page.get_by_role("tab", name="Home").click()
    await expect(home).to_contain_text("I remember nothing")
    await expect(home).not_to_contain_text("Three Steps")
