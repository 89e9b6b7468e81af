"""Real Japanese fonts, the chosen colours, one pane at a time on a phone."""

from __future__ import annotations

from playwright.async_api import expect

from tests.browser.conftest import Visit
from tests.browser.showcase import Showcase
from tests.browser.visitor import Visitor


async def test_japanese_is_set_in_a_real_font(show: Showcase, visit: Visit) -> None:
    """記 and 憶 look different: neither is the box of a missing character."""
    aya = await visit(show.playground, show.person("Aya"))
    pictures = []
    for character in "記憶":
        await aya.page.locator(".workspace-name").evaluate(
            "(element, text) => (element.textContent = text)", character
        )
        pictures.append(await aya.page.locator(".workspace-name").screenshot())
    assert pictures[0] != pictures[1]


async def test_the_colours_can_be_chosen(ben: Visitor) -> None:
    """The switch holds against the system's colours, also after a reload."""
    await ben.page.get_by_role("button", name="Colours").click()
    await ben.page.get_by_role("menuitemradio", name="dark").click()
    await ben.page.reload()
    ground = "() => getComputedStyle(document.getElementById('conversation')).backgroundColor"
    await ben.page.wait_for_selector("[data-ready]")
    assert await ben.page.evaluate(ground) == "rgb(24, 27, 33)"


async def test_one_pane_at_a_time_on_a_phone(show: Showcase, visit: Visit) -> None:
    """On a phone the list, the conversation and a thread each fill the window, with a way back."""
    ben = await visit(show.playground, show.person("Ben"), phone=True)
    await expect(ben.page.locator("#sidebar")).to_be_hidden()
    await ben.page.locator("#conversation .back").click()
    await expect(ben.page.locator("#conversation")).to_be_hidden()
    await ben.go("general")
    await ben.say("hello")
    await ben.last.click()
    await ben.last.get_by_role("button", name="Reply in Thread").click()
    await expect(ben.page.locator("#conversation")).to_be_hidden()
    await ben.page.locator("#side .back").click()
    await expect(ben.box).to_be_visible()
