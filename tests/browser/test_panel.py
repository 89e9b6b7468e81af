"""The panel in Home and as a message: two widths, two themes, two languages."""

from __future__ import annotations

import pytest
from playwright.async_api import Locator, expect

from bot.locale import Language, say
from tests.browser.conftest import Visit
from tests.browser.test_accessibility import findings, overflowing
from tests.browser.visitor import Playground, Visitor
from tests.integration.person import LOCALES

LIKED: dict[Language, tuple[str, str]] = {
    "en": ("I like ramen. I like soba.", "soba"),
    "ja": ("ラーメンが好きです。そばが好きです。", "そば"),
}


@pytest.mark.parametrize(
    ("language", "theme", "phone"),
    [
        ("en", "light", False),
        ("ja", "dark", False),
        ("ja", "light", True),
        ("en", "dark", True),
    ],
)
async def test_the_panel(
    kioku: Playground, visit: Visit, language: Language, theme: str, phone: bool
) -> None:
    """In a message and in Home it is searched, switched off and undone, and it is accessible."""
    person = kioku.person(LOCALES[language])
    ann = await visit(kioku, person, phone=phone, theme=theme, reduced_motion="reduce")
    said, word = LIKED[language]
    await ann.ask(said)
    await use(ann, await ann.remembered(word), language)
    await ann.page.get_by_role("tab").nth(1).click()
    await use(ann, ann.page.locator(".home"), language)


async def use(ann: Visitor, panel: Locator, language: Language) -> None:
    """Search, forget and undo, switch off and on, and ask for everything to be forgotten."""

    def named(role: str, key: str) -> Locator:
        return panel.get_by_role(role, name=say(language, key))  # type: ignore[arg-type]

    word = LIKED[language][1]
    rows = panel.locator(".section", has=ann.page.locator(".overflow"))
    await expect(rows).to_have_count(2)
    await named("textbox", "search").fill(word)
    await named("textbox", "search").press("Enter")
    await expect(rows).to_have_count(1)
    await rows.locator(".overflow").click()
    await ann.page.get_by_role("menuitem", name=say(language, "menu_forget")).click()
    await expect(panel).to_contain_text(say(language, "undo_note"))
    await named("button", "undo_button").click()
    await expect(panel).to_contain_text(say(language, "undone", count=1))
    await named("button", "all_memories").click()
    await expect(rows).to_have_count(2)
    await named("combobox", "switch_placeholder").select_option("off")
    await expect(panel).to_contain_text(say(language, "off_means"))
    await named("combobox", "switch_placeholder").select_option("on")
    await expect(panel).to_contain_text(say(language, "panel_on").split("*")[1])
    assert await findings(ann.page) == []
    assert await overflowing(ann.page) == []
    await named("button", "forget_everything_button").click()
    dialog = ann.page.get_by_role("dialog")
    await expect(dialog).to_contain_text(say(language, "forget_everything_ask"))
    await dialog.get_by_role("button", name=say(language, "modal_cancel")).click()
    await expect(rows).to_have_count(2)
