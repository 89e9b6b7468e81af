"""What a person does in a day with Kioku, from the first prompt to taking the memories along."""

from __future__ import annotations

import asyncio
import re
from contextlib import suppress
from pathlib import Path

import pytest
from playwright.async_api import Locator, expect
from playwright.async_api import TimeoutError as PlaywrightTimeout

from tests.browser.conftest import Visit
from tests.browser.test_accessibility import findings
from tests.browser.visitor import Playground, Visitor


def rests(one: Visitor) -> Locator:
    """What is shown while an answer is on its way."""
    return one.page.locator(".live, .message.status")


async def close(one: Visitor) -> None:
    """Close the dialog that says what was done, if there is one."""
    if await one.page.get_by_role("dialog").count():
        await one.page.keyboard.press("Escape")
    await expect(one.page.get_by_role("dialog")).to_have_count(0)


@pytest.mark.failed_calls(
    "views.update: not_found",
    "chat.appendStream: stopped_by_user",
    because="a modal is closed while its list is read, an answer is stopped while it grows",
)
async def test_a_day_with_kioku(kioku: Playground, visit: Visit, tmp_path: Path) -> None:
    """Prompt, stream, Stop, edit, feedback; Home: search, edit, undo, pause, forget; take along."""
    ann = await visit(kioku, kioku.person(), reduced_motion="reduce")
    await prompts_stream_and_stop(ann)
    await edit_and_rate(ann)
    await home(ann)
    await taken_along(ann, tmp_path / "kioku.json")


async def prompts_stream_and_stop(ann: Visitor) -> None:
    """A suggested prompt is sent, its answer streams in, and Stop keeps what there is."""
    ann.playground.model(token_ms=250, chunk_chars=6)
    try:
        await ann.page.locator(".prompt", has_text="Get to know me").click()
        await expect(ann.page.locator(".prompt")).to_have_count(0)
        live = ann.page.locator(".message.live")
        await expect(live.locator(".caret")).to_be_visible()
        await expect(live.locator(".content")).to_have_text(re.compile(".{12}"))
        await ann.page.get_by_role("button", name="Stop Kioku's answer").click()
        await expect(rests(ann)).to_have_count(0)
        await expect(ann.last).to_contain_text("Stopped")
        kept = await ann.messages.nth(-2).locator(".content").inner_text()
        assert len(kept.strip()) > 5
    finally:
        ann.playground.model(token_ms=0, chunk_chars=12)


async def edit_and_rate(ann: Visitor) -> None:
    """An edited message is answered again in place of its answer; a bad one is asked about."""
    await ann.ask("I like ramen")
    count = await ann.messages.count()
    said = ann.messages.nth(count - 2)
    await said.hover()
    await said.get_by_role("button", name="Edit").click()
    editor = ann.page.get_by_role("textbox", name="Edit")
    await editor.fill("I like soba, and I'm interested in Rust")
    await editor.press("Enter")
    await expect(ann.last).to_contain_text("Rust")
    await expect(ann.last).not_to_contain_text("ramen")
    await expect(rests(ann)).to_have_count(0)
    await expect(ann.messages).to_have_count(count)
    await open_dialog(ann, ann.last.get_by_role("button", name="not good"))
    dialog = ann.page.get_by_role("dialog")
    assert await findings(ann.page) == []
    await dialog.get_by_label("What was wrong with the answer?").fill("Rust is no food")
    await dialog.get_by_role("button", name="Send").click()
    await expect(dialog).to_contain_text("Thank you")
    await close(ann)
    await ann.remembered("soba", "Rust", without="ramen")


async def home(ann: Visitor) -> None:
    """Home finds, edits, takes back, pauses and forgets, and shows each change at once."""
    page, dialog = ann.page, ann.page.get_by_role("dialog")
    await page.get_by_role("tab", name="Home").click()
    shown = page.locator(".home")
    await expect(shown).to_contain_text("Likes soba")
    assert await findings(page) == []
    memories = shown.locator(".section", has=page.get_by_role("button", name="More actions"))
    search = shown.get_by_role("textbox", name="Search Your Memories")
    await search.fill("soba")
    await search.press("Enter")
    await expect(memories).to_have_count(1)
    menu = memories.get_by_role("button", name="More actions")
    await open_dialog(ann, menu, page.get_by_role("menuitem", name="Edit"))
    await dialog.get_by_label("Which food or drink is it?").fill("udon")
    assert await findings(page) == []
    await dialog.get_by_role("button", name="Save").click()
    await expect(dialog.locator("button.primary")).to_have_count(0)
    await close(ann)
    await expect(shown).to_contain_text("udon")
    await expect(shown.get_by_text("Corrected and Forgotten")).to_be_visible()
    await shown.get_by_role("button", name="Undo").first.click()
    await expect(memories.filter(has_text="udon")).to_have_count(0)
    pause = shown.get_by_role("combobox", name="Pause Memory")
    await pause.select_option(label=(await pause.locator("option").nth(1).inner_text()))
    await expect(shown.get_by_role("button", name="Resume Memory")).to_be_visible()
    await shown.get_by_role("button", name="Resume Memory").click()
    await expect(shown.get_by_text("Memory is on.").first).to_be_visible()


async def open_dialog(one: Visitor, *clicks: Locator) -> None:
    """Click on one after the other, again until a dialog is open.

    Home that is shown again meanwhile is made of new elements: its menu is gone. A message that is
    shown again may be longer, and its button elsewhere than where it is clicked on.
    """
    dialog = one.page.get_by_role("dialog").first
    for _ in range(6):
        with suppress(PlaywrightTimeout):
            for click in clicks:
                await click.click(timeout=5_000)
        with suppress(PlaywrightTimeout):
            return await dialog.wait_for(timeout=5_000)
    raise AssertionError("No click opened a dialog.")


async def choose_in_home(one: Visitor, label: str) -> None:
    """Choose in the menu at the top of Home what opens a dialog."""
    menu = one.page.locator(".home").get_by_role("button", name="More actions").first
    await open_dialog(one, menu, one.page.get_by_role("menuitem", name=label))


async def taken_along(ann: Visitor, file: Path) -> None:
    """The file asked for in Home holds the memories; then all is forgotten."""
    page, dialog = ann.page, ann.page.get_by_role("dialog")
    await choose_in_home(ann, "Export Memories")
    await expect(dialog).to_contain_text("I sent you everything")
    await close(ann)
    await page.get_by_role("tab", name="Messages").click()
    link = page.get_by_role("link", name="kioku-")
    await expect(link).to_be_visible()
    async with page.expect_download() as started:
        await link.click()
    await (await started.value).save_as(file)
    assert "Rust" in await asyncio.to_thread(file.read_text, "utf-8")
    await page.get_by_role("tab", name="Home").click()
    await choose_in_home(ann, "Forget Everything")
    await dialog.get_by_role("button", name="Forget Everything").click()
    await dialog.last.get_by_role("button", name="Forget Everything").click()
    await expect(dialog.get_by_role("button", name="Undo")).to_be_visible()
    await close(ann)
    await expect(page.locator(".home")).to_contain_text("I remember nothing")


@pytest.mark.parametrize(("theme", "phone"), [("dark", True)])
async def test_home_by_keyboard(kioku: Playground, visit: Visit, theme: str, phone: bool) -> None:
    """Home is used by keys alone, and axe-core finds nothing serious in it, dark, on a phone."""
    ann = await visit(kioku, kioku.person(), theme=theme, phone=phone, reduced_motion="reduce")
    keyboard = ann.page.keyboard
    await ann.page.get_by_role("tab", name="Messages").focus()
    await keyboard.press("ArrowRight")
    home = ann.page.locator(".home")
    await expect(home).to_contain_text("I remember nothing")
    assert await findings(ann.page) == []
    await home.get_by_role("button", name="Add a Memory").focus()
    await keyboard.press("Enter")
    dialog = ann.page.get_by_role("dialog")
    await expect(dialog.get_by_role("textbox").first).to_be_focused()
    await keyboard.type("I live in Osaka")
    await keyboard.press("Tab")
    for _ in range(6):
        if await ann.page.evaluate("document.activeElement.textContent") in ("Save", "Add"):
            break
        await keyboard.press("Tab")
    await keyboard.press("Enter")
    await expect(home).to_contain_text("Osaka")
