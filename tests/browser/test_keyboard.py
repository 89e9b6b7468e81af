"""The whole story without a mouse."""

from __future__ import annotations

from playwright.async_api import Page, expect

from tests.browser.conftest import Visit
from tests.browser.visitor import newcomer
from tests.playground import Playground
from tests.waiting import until

_FOCUSED = """() => {
  const { activeElement: element } = document;
  if (element === document.body) return "";
  return element.getAttribute("aria-label") ?? element.textContent.trim();
}"""


async def tab_to(page: Page, name: str, *, key: str = "Tab") -> None:
    """Press Tab until what has the focus has this name; everything on the way can be seen."""
    passed = []
    for _ in range(60):
        await page.keyboard.press(key)
        passed.append((await page.evaluate(_FOCUSED))[:40])
        if name in await page.evaluate(_FOCUSED):
            width = await page.evaluate(
                "() => getComputedStyle(document.activeElement).outlineWidth"
            )
            assert width != "0px"
            return
    raise AssertionError(f"Tab does not lead to {name!r} but to {passed}.")


def publications(kioku: Playground, person: str) -> int:
    """Return how often a person's Home was published."""
    calls = kioku.control("calls?method=views.publish")["calls"]
    return len([call for call in calls if call["args"].get("user_id") == person])


async def test_the_whole_story_by_keyboard(kioku: Playground, visit: Visit) -> None:
    """Skip link, message, answer, /forget, Home, a form: keys only."""
    person = newcomer(kioku)
    ann = await visit(kioku, person)
    keyboard = ann.page.keyboard
    await tab_to(ann.page, "Skip to the message box")
    await keyboard.press("Enter")
    await expect(ann.box).to_be_focused()
    await keyboard.type("I like ramen")
    await keyboard.press("Enter")
    await expect(ann.messages).to_have_count(2)
    await expect(ann.box).to_be_focused()
    await ann.remembered("I like ramen")
    await expect(ann.box).to_be_focused()
    count = await ann.messages.count()
    await keyboard.type("/for")
    await expect(ann.page.locator("#composer-options .option")).to_have_count(1)
    await keyboard.press("Tab")
    await keyboard.type("ramen")
    await keyboard.press("Enter")
    await expect(ann.messages).to_have_count(count + 1)
    await tab_to(ann.page, "Forget", key="Shift+Tab")
    await keyboard.press("Enter")
    await expect(ann.last).to_contain_text("Forgotten")
    await ann.page.get_by_role("tab", name="Messages").focus()
    await keyboard.press("ArrowRight")
    home = ann.page.locator(".home")
    await expect(home).to_contain_text("Nothing here yet")
    # The forgetting and the opening have both published it: no job comes after the form.
    await until(lambda: publications(kioku, person) >= 2)
    await tab_to(ann.page, "Add a Memory")
    await keyboard.press("Enter")
    await expect(ann.page.get_by_role("dialog").get_by_role("textbox")).to_be_focused()
    await keyboard.type("I live in Osaka")
    await tab_to(ann.page, "Remember")
    await keyboard.press("Enter")
    await expect(home).to_contain_text("Remembered: I live in Osaka")


async def test_answers_are_announced(kioku: Playground, visit: Visit) -> None:
    """A screen reader announces a whole answer once, in plain words, which go with their person."""
    ann = await visit(kioku, newcomer(kioku))
    await ann.ask("I like soba")
    heard = ann.page.locator("#announcer")
    await expect(heard).to_have_attribute("aria-live", "polite")
    await expect(heard).to_contain_text("Kioku: Understood.")
    assert (await heard.inner_text()).count("Kioku: Understood.") == 1
    assert "*" not in await heard.inner_text()
    await ann.page.locator(".person").first.click()
    await expect(heard).to_be_empty()
