"""Seeing and forgetting one's memories, by command and click."""

from __future__ import annotations

import asyncio
from datetime import datetime, timedelta
from functools import partial
from zoneinfo import ZoneInfo

from playwright.async_api import expect

from tests.browser.conftest import Visit
from tests.browser.showcase import Showcase
from tests.browser.visitor import Playground, Visitor


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


async def test_a_form_shows_the_persons_own_time(kioku: Playground, visit: Visit) -> None:
    """As the rest of the page does, wherever the browser's clock is set."""
    person = kioku.person()
    kioku.post("_playground/users/update", user=person, tz="Asia/Tokyo")
    ann = await visit(kioku, person, timezone_id="America/New_York")
    await ann.say("/memories pause for a while")
    form = ann.page.get_by_role("dialog")
    field = form.locator("input[type=datetime-local]")
    tomorrow = datetime.now(ZoneInfo("Asia/Tokyo")) + timedelta(days=1)
    await expect(field).to_have_value(f"{tomorrow:%Y-%m-%d}T09:00")
    await form.get_by_role("button", name="Pause").click()
    await expect(ann.page.get_by_text("9:00 AM").first).to_be_visible()


async def test_a_deleted_message_has_no_author(show: Showcase, ben: Visitor) -> None:
    """A line is left above its replies, which Slack attributes to itself."""
    await ben.say("hello")
    await expect(ben.messages).to_have_count(1)
    root = await ben.last.get_attribute("id")
    assert root is not None
    user, ts = show.person("Ben"), root.removeprefix("m-")
    channel = show.slack.workspace.open_dm(user).id
    reply = {"user": user, "channel": channel, "text": "more", "thread_ts": ts}
    await asyncio.to_thread(partial(ben.playground.post, "_playground/messages", **reply))
    await asyncio.to_thread(
        partial(
            ben.playground.post, "_playground/messages/delete", user=user, channel=channel, ts=ts
        )
    )
    left = ben.page.locator(".tombstone").first
    await expect(left).to_contain_text("This message was deleted.")
    await expect(left.locator(".author, .avatar")).to_have_count(0)
