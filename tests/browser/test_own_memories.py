"""Seeing and forgetting one's memories, by command and click."""

from __future__ import annotations

from playwright.async_api import expect

from tests.browser.conftest import Visit
from tests.browser.visitor import Playground


async def test_everything_is_forgotten_and_taken_back(kioku: Playground, visit: Visit) -> None:
    """/forget everything asks twice, empties the list, and Undo brings it all back."""
    ann = await visit(kioku, kioku.person())
    await ann.ask("I like ramen and I'm interested in AWS")
    await ann.remembered("ramen", "AWS")
    asked = await ann.command("/forget everything")
    await asked.get_by_role("button", name="Forget Everything").click()
    await ann.page.get_by_role("dialog").get_by_role("button", name="Forget Everything").click()
    await expect(ann.last).to_contain_text("Forgotten")
    undo = ann.last.get_by_role("button", name="Undo")
    await expect(undo).to_be_visible()
    none = await ann.command("/memories")
    await expect(none).to_contain_text("I remember nothing")
    await (
        ann.messages.filter(has=ann.page.get_by_role("button", name="Undo"))
        .get_by_role("button", name="Undo")
        .click()
    )
    await expect(ann.messages.filter(has_text="Restored:")).to_have_count(1)
    await expect(await ann.command("/memories")).to_contain_text("ramen")


async def test_a_long_word_stays_beside_its_menu(kioku: Playground, visit: Visit) -> None:
    """On a phone an unbroken word wraps in its row of Home, clear of the menu's button."""
    ann = await visit(kioku, kioku.person(), phone=True)
    await ann.command(f"/memories add My code name is {'Donaudampfschifffahrt' * 4}")
    await ann.page.get_by_role("tab", name="Home").click()
    row = ann.page.locator(".home .section", has_text="Donau")
    await expect(row).to_be_visible()
    text = await row.locator(".section-text").evaluate(
        "e => [e.scrollWidth, e.clientWidth, e.getBoundingClientRect().right]"
    )
    assert text[0] <= text[1]
    menu = await row.locator(".accessory").bounding_box()
    assert menu is not None
    assert text[2] <= menu["x"] or menu["x"] + menu["width"] <= 390
