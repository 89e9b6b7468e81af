"""Blocks, Markdown, modals, the Home tab: what an app sends, as people see it."""

from __future__ import annotations

from playwright.async_api import Locator, expect

from tests.browser.showcase import Showcase
from tests.browser.visitor import Visitor


async def shown(ben: Visitor) -> tuple[Locator, Locator]:
    """The message in Markdown and the message with every block."""
    await ben.say("/show")
    await expect(ben.messages).to_have_count(2)
    return ben.messages.first, ben.messages.last


async def test_markdown_is_rendered_and_harmless(ben: Visitor) -> None:
    """Tables, lists, code and links are shown; scripts, images and odd addresses are text."""
    markdown, _ = await shown(ben)
    await expect(markdown.locator("table tbody tr")).to_have_count(2)
    await expect(markdown.locator("ol > li")).to_have_count(3)
    await expect(markdown.locator("pre code")).to_contain_text("async def recall")
    link = markdown.get_by_role("link", name="the docs")
    await expect(link).to_have_attribute("href", "https://example.org/pgvector")
    assert "noopener" in str(await link.get_attribute("rel"))
    await expect(markdown.locator("script, img, [onerror]")).to_have_count(0)
    await expect(markdown).to_contain_text("<script>alert(1)</script>")
    assert await ben.page.locator("a[href^=javascript]").count() == 0


async def test_every_element_tells_the_app(show: Showcase, ben: Visitor) -> None:
    """Buttons, menus, selects, texts, dates and feedback reach the app with their values."""
    _, blocks = await shown(ben)
    await blocks.get_by_label("Find").fill("soba")
    await blocks.get_by_label("Find").press("Enter")
    await blocks.get_by_role("button", name="Plain").click()
    await blocks.get_by_role("combobox", name="A city").select_option("lima")
    await blocks.get_by_role("button", name="More actions: With a menu of more").click()
    await ben.page.get_by_role("menuitem", name="History").click()
    await blocks.get_by_label("Alerts").check()
    await blocks.get_by_label("Weekly").check()
    await blocks.locator("input[type=date]").fill("2027-01-02")
    await blocks.locator("input[type=date]").press("Tab")
    await blocks.get_by_role("button", name="Link").click()
    await expect(ben.page.locator(".toast")).to_contain_text("https://example.org/away")
    await blocks.get_by_role("button", name="Danger").click()
    await ben.page.get_by_role("dialog").get_by_role("button", name="Leave It").click()
    bad = blocks.get_by_role("button", name="Bad Answer")
    await bad.click()
    await expect(bad).to_have_attribute("aria-pressed", "true")
    await ben.page.wait_for_function(
        "() => !document.querySelector('[aria-busy=true]')"
    )
    acted = {action["action_id"]: action for action in show.actions}
    assert acted["plain"]["value"] == "1"
    assert acted["find"]["value"] == show.held["find"]["find"]["value"] == "soba"
    assert acted["city"]["selected_option"]["value"] == "lima"
    assert acted["more"]["selected_option"]["value"] == "history"
    assert [one["value"] for one in acted["boxes"]["selected_options"]] == [
        "news",
        "alerts",
    ]
    assert acted["radios"]["selected_option"]["value"] == "weekly"
    assert acted["day"]["selected_date"] == "2027-01-02"
    assert acted["feedback"]["value"] == "down"
    assert "away" in acted
    assert "danger" not in acted
    assert ben.page.url.startswith(show.url)


async def test_what_one_person_sees_is_no_reply(show: Showcase, ben: Visitor) -> None:
    """Below a message stands how many replies all can see."""
    [general] = [
        one.id
        for one in show.slack.workspace.channels.values()
        if one.name == "general"
    ]
    root = (await show.client.chat_postMessage(channel=general, text="Lunch?"))["ts"]
    await show.client.chat_postMessage(channel=general, text="Soba", thread_ts=root)
    only = {"channel": general, "user": show.person("Ben"), "thread_ts": root}
    await show.client.chat_postEphemeral(**only, text="For you")
    await ben.go("general")
    await expect(ben.last.locator(".replies")).to_contain_text("1 reply")
    await ben.last.locator(".replies").click()
    await expect(ben.page.get_by_text("For you")).to_be_visible()


async def test_a_modal_with_an_error(show: Showcase, ben: Visitor) -> None:
    """What is missing and what the app refuses is said at the field; then the form is taken.

    A date that was cleared stays empty.
    """
    await ben.say("/form")
    dialog = ben.page.get_by_role("dialog", name="New Memory")
    what = dialog.get_by_label("What", exact=True)
    await expect(what).to_be_focused()
    await dialog.get_by_role("button", name="Save").click()
    await expect(
        dialog.locator(".field-error", has_text="Please fill this in.")
    ).to_have_count(2)
    await what.fill("abc")
    await dialog.get_by_label("Kind").select_option("food")
    await dialog.get_by_role("button", name="Save").click()
    await expect(dialog).to_contain_text("five characters at least")
    await expect(what).to_be_focused()
    await expect(what).to_have_attribute("aria-invalid", "true")
    await what.fill("I like ramen")
    await dialog.get_by_label("Everywhere").check()
    await dialog.get_by_label("Day").fill("")
    await dialog.get_by_role("button", name="Save").click()
    await expect(dialog).to_have_count(0)
    [values] = show.submitted
    assert values["what"]["what"]["value"] == "I like ramen"
    assert values["kind"]["kind"]["selected_option"]["value"] == "food"
    assert values["where"]["where"]["selected_option"]["value"] == "all"
    assert values["day"]["day"]["selected_date"] is None
