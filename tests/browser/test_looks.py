"""Screenshots: real Japanese fonts, the chosen colours, nothing wider than a phone."""

from __future__ import annotations

from pathlib import Path

import pytest
from playwright.async_api import expect

from tests.browser.conftest import Visit
from tests.browser.showcase import Showcase
from tests.browser.test_messages import person
from tests.browser.visitor import Playground


async def test_japanese_is_set_in_a_real_font(show: Showcase, visit: Visit) -> None:
    """記 and 憶 look different: neither is the box of a missing character."""
    aya = await visit(Playground(show.url), await person(show, "Aya"))
    pictures = []
    for character in "記憶":
        await aya.page.locator(".workspace-name").evaluate(
            "(element, text) => (element.textContent = text)", character
        )
        pictures.append(await aya.page.locator(".workspace-name").screenshot())
    assert pictures[0] != pictures[1]


@pytest.mark.parametrize(
    ("name", "theme", "phone"),
    [
        ("Ben", "light", False),
        ("Aya", "dark", False),
        ("Aya", "light", True),
        ("Ben", "dark", True),
    ],
)
async def test_screenshots(
    show: Showcase, visit: Visit, pictures: Path, name: str, theme: str, phone: bool
) -> None:
    """The page in each set of colours and size fills its window and no more."""
    one = await visit(Playground(show.url), await person(show, name), phone=phone, theme=theme)
    await one.say("/show")
    await expect(one.messages).to_have_count(2)
    picture = pictures / f"{name}-{theme}-{'phone' if phone else 'desk'}.png"
    await one.page.screenshot(path=picture)
    assert picture.stat().st_size > 20_000
    ground = await one.page.evaluate(
        "() => getComputedStyle(document.getElementById('conversation')).backgroundColor"
    )
    assert ground == {"light": "rgb(255, 255, 255)", "dark": "rgb(24, 27, 33)"}[theme]
    overflowing = await one.page.evaluate(
        """() => [...document.querySelectorAll("#conversation, .message, .composer, .block")]
          .filter((element) => element.getBoundingClientRect().right > innerWidth + 1)
          .map((element) => element.className)"""
    )
    assert overflowing == []


async def test_the_colours_can_be_chosen(show: Showcase, visit: Visit) -> None:
    """The switch holds against the system's colours, also after a reload."""
    ben = await visit(Playground(show.url), await person(show, "Ben"))
    await ben.page.get_by_role("button", name="Colours").click()
    await ben.page.get_by_role("menuitemradio", name="dark").click()
    await ben.page.reload()
    ground = "() => getComputedStyle(document.getElementById('conversation')).backgroundColor"
    await ben.page.wait_for_selector("[data-ready]")
    assert await ben.page.evaluate(ground) == "rgb(24, 27, 33)"


async def test_one_pane_at_a_time_on_a_phone(show: Showcase, visit: Visit) -> None:
    """On a phone the list, the conversation and a thread each fill the window, with a way back."""
    ben = await visit(Playground(show.url), await person(show, "Ben"), phone=True)
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
