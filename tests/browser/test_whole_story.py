"""What people do on the page with Kioku."""

from __future__ import annotations

import asyncio
import re
from pathlib import Path

import pytest
from playwright.async_api import expect

from tests.browser.conftest import Visit
from tests.browser.test_accessibility import findings
from tests.browser.visitor import Visitor, newcomer
from tests.playground import Playground


@pytest.mark.failed_calls(
    "chat.appendStream: stopped_by_user", because="an answer is stopped while it grows"
)
async def test_a_day_with_kioku(
    kioku: Playground, visit: Visit, tmp_path: Path
) -> None:
    """Prompt, stream, Stop, edit, rate; in Home: edit, export, forget, delete everything."""
    ann = await visit(kioku, newcomer(kioku), reduced_motion="reduce")
    await prompts_stream_and_stop(ann)
    await edit_and_rate(ann)
    await in_home(ann, tmp_path / "kioku.json")


async def prompts_stream_and_stop(ann: Visitor) -> None:
    """A suggested prompt is sent, its answer streams in, and Stop keeps what there is."""
    ann.playground.model("settings", {"token_ms": 250, "chunk_chars": 6})
    try:
        await ann.page.locator(".prompt", has_text="Get to know me").click()
        await expect(ann.page.locator(".prompt")).to_have_count(0)
        live = ann.page.locator(".message.live")
        await expect(live.locator(".caret")).to_be_visible()
        await expect(live.locator(".content")).to_have_text(re.compile(".{12}"))
        await ann.page.get_by_role("button", name="Stop Kioku's answer").click()
        await expect(ann.page.locator(".live, .message.status")).to_have_count(0)
        await expect(ann.last).to_contain_text("Stopped")
        kept = await ann.messages.nth(-2).locator(".content").inner_text()
        assert len(kept.strip()) > 5
    finally:
        ann.playground.model("settings", {"token_ms": 0, "chunk_chars": 12})


async def edit_and_rate(ann: Visitor) -> None:
    """An edit changes what is remembered, and not the answer; one that says something is rated."""
    await ann.ask("I like ramen")
    count = await ann.messages.count()
    said = ann.messages.nth(count - 2)
    answer = ann.messages.nth(count - 1)
    await said.hover()
    await said.get_by_role("button", name="Edit").click()
    editor = ann.page.get_by_role("textbox", name="Edit")
    await editor.fill("I like soba, and I'm interested in Rust")
    await editor.press("Enter")
    await expect(said).to_contain_text("Rust")
    await ann.remembered("soba", "Rust", without="ramen")
    await expect(answer).to_contain_text("Understood")
    await expect(answer).not_to_contain_text("Rust")
    await expect(answer.get_by_role("button", name="Not Good")).to_have_count(0)
    await ann.ask("What do I like?")
    not_good = ann.last.get_by_role("button", name="Not Good")
    await not_good.click()
    await expect(not_good).to_have_attribute("aria-pressed", "true")


async def in_home(ann: Visitor, file: Path) -> None:
    """A form edits, the export is a file, and what is forgotten or deleted is gone."""
    page, dialog, home = (
        ann.page,
        ann.page.get_by_role("dialog"),
        ann.page.locator(".home"),
    )
    await page.get_by_role("tab", name="Home").click()
    row = home.locator(".section", has_text="Likes soba")
    await row.get_by_role("button", name="More actions").click()
    await page.get_by_role("menuitem", name="Edit").click()
    await dialog.get_by_label("What should I remember?").fill("I like udon")
    assert await findings(page) == []
    await dialog.get_by_role("button", name="Save").click()
    await expect(home).to_contain_text("Updated: Likes udon (was: Likes soba)")
    await home.get_by_role("button", name="Settings").click()
    await dialog.get_by_role("button", name="Export Memories").click()
    await expect(dialog).to_contain_text("I sent you everything")
    assert await findings(page) == []
    await page.keyboard.press("Escape")
    await page.get_by_role("tab", name="Messages").click()
    async with page.expect_download() as started:
        await page.get_by_role("link", name=re.compile("^kioku-.*json")).click()
    await (await started.value).save_as(file)
    assert "udon" in await asyncio.to_thread(file.read_text, "utf-8")
    await page.get_by_role("tab", name="Home").click()
    await home.get_by_role("button", name="Settings").click()
    await dialog.get_by_role("button", name="Forget Everything").click()
    await dialog.last.get_by_role("button", name="Forget", exact=True).click()
    await expect(dialog.last).to_contain_text("Forgotten")
    await page.keyboard.press("Escape")
    await expect(home).to_contain_text("Nothing here yet")
    await home.get_by_role("button", name="Undo").click()
    await expect(home.locator(".section", has_text="Likes udon")).to_be_visible()
    await home.get_by_role("button", name="Settings").click()
    await dialog.get_by_role("button", name="Delete All My Data").click()
    await dialog.get_by_role("textbox").fill("DELETE")
    await dialog.get_by_role("button", name="Delete").click()
    await expect(dialog).to_contain_text("All your data is deleted.")
    assert await findings(page) == []
    await page.keyboard.press("Escape")
    await expect(home).to_contain_text("Nothing here yet")


async def test_a_thread_of_two_people(kioku: Playground, visit: Visit) -> None:
    """A mention in a channel is answered in its thread, which another person opens and joins."""
    ann = await visit(kioku, newcomer(kioku))
    await ann.go("general")
    await ann.box.press_sequentially("@Kio")
    await expect(ann.page.locator("#composer-options .option")).to_have_count(1)
    await ann.box.press("Enter")
    await ann.box.press_sequentially("I like soba")
    await ann.box.press("Enter")
    replies = ann.messages.filter(has_text="I like soba").locator(".replies")
    await expect(replies).to_contain_text("1 reply")

    bea = await visit(kioku, newcomer(kioku))
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
