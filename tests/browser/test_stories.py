"""A story of two people, typed and clicked on the page."""

from __future__ import annotations

from playwright.async_api import expect

from tests.browser.conftest import Visit
from tests.browser.visitor import Playground


async def test_a_thread_of_two_people(kioku: Playground, visit: Visit) -> None:
    """A mention in a channel is answered in its thread, which another person opens and joins."""
    ann = await visit(kioku, kioku.person())
    await ann.go("general")
    await ann.box.press_sequentially("@Kio")
    await expect(ann.page.locator("#composer-options .option")).to_have_count(1)
    await ann.box.press("Enter")
    await ann.box.press_sequentially("I like soba")
    await ann.box.press("Enter")
    replies = ann.messages.filter(has_text="I like soba").locator(".replies")
    await expect(replies).to_contain_text("1 reply")

    bea = await visit(kioku, kioku.person())
    await bea.go("general")
    await bea.messages.filter(has_text="I like soba").locator(".replies").click()
    side = bea.page.get_by_role("complementary", name="Thread")
    await expect(side.locator(".message")).to_have_count(2)
    box = side.get_by_role("textbox", name="Reply in this thread")
    await expect(box).to_be_focused()
    await box.fill("me too")
    await box.press("Enter")
    await expect(side.locator(".message", has_text="me too")).to_be_visible()
    await expect(replies).to_contain_text("replies")
    await box.fill("/memories")
    await box.press("Enter")
    await expect(side.get_by_role("alert")).to_contain_text("do not work in threads")
    await bea.page.keyboard.press("Escape")
    await expect(side).to_be_hidden()
