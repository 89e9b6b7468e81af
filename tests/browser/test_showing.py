"""Blocks, Markdown, modals, the Home tab: what an app sends, as people see it."""

from __future__ import annotations

from playwright.async_api import Locator, expect

from tests.browser.conftest import Visit
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


async def test_blocks_are_shown(ben: Visitor) -> None:
    """Slack's markup, tables, images from elsewhere and blocks of tomorrow have their look."""
    _, blocks = await shown(ben)
    await expect(blocks.locator("strong", has_text="Bold")).to_be_visible()
    await expect(blocks.locator("blockquote")).to_have_text("quoted <b>")
    await expect(blocks.locator("em time")).to_have_text("Nov 19, 2026 7:00 PM")
    await expect(blocks.locator("a", has_text="no link")).to_have_count(0)
    await expect(blocks.locator("th")).to_have_count(2)
    await expect(blocks.get_by_text("Image: A cat asleep")).to_be_visible()
    await expect(blocks.locator("img")).to_have_count(0)
    await expect(blocks.get_by_text("“card” block")).to_be_visible()


async def test_every_element_tells_the_app(show: Showcase, ben: Visitor) -> None:
    """Buttons, menus, selects, checkboxes, dates and feedback reach the app with their values."""
    _, blocks = await shown(ben)
    await blocks.get_by_role("button", name="Plain").click()
    await blocks.get_by_role("combobox", name="A city").select_option("lima")
    await blocks.locator(".overflow").click()
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
    await ben.page.wait_for_function("() => !document.querySelector('[aria-busy=true]')")
    acted = {action["action_id"]: action for action in show.actions}
    assert acted["plain"]["value"] == "1"
    assert acted["city"]["selected_option"]["value"] == "lima"
    assert acted["more"]["selected_option"]["value"] == "history"
    assert [one["value"] for one in acted["boxes"]["selected_options"]] == ["news", "alerts"]
    assert acted["radios"]["selected_option"]["value"] == "weekly"
    assert acted["day"]["selected_date"] == "2027-01-02"
    assert acted["feedback"]["value"] == "down"
    assert "away" in acted
    assert "danger" not in acted
    assert ben.page.url.startswith(show.url)


async def test_a_modal_with_an_error(show: Showcase, ben: Visitor) -> None:
    """What is missing and what the app refuses is said at the field; then the form is taken."""
    await ben.say("/form")
    dialog = ben.page.get_by_role("dialog", name="New Memory")
    what = dialog.get_by_label("What", exact=True)
    await expect(what).to_be_focused()
    await dialog.get_by_role("button", name="Save").click()
    await expect(dialog.locator(".field-error", has_text="Please fill this in.")).to_have_count(2)
    await what.fill("abc")
    await dialog.get_by_label("Kind").select_option("food")
    await dialog.get_by_role("button", name="Save").click()
    await expect(dialog).to_contain_text("five characters at least")
    await expect(what).to_be_focused()
    await expect(what).to_have_attribute("aria-invalid", "true")
    await what.fill("I like ramen")
    await dialog.get_by_label("Everywhere").check()
    await dialog.get_by_role("button", name="Save").click()
    await expect(dialog).to_have_count(0)
    [values] = show.submitted
    assert values["what"]["what"]["value"] == "I like ramen"
    assert values["kind"]["kind"]["selected_option"]["value"] == "food"
    assert values["where"]["where"]["selected_option"]["value"] == "all"


async def test_modals_are_a_stack(show: Showcase, ben: Visitor) -> None:
    """A pushed modal lies on top; below it, what was typed is still there; Escape closes one."""
    await ben.say("/form")
    dialog = ben.page.get_by_role("dialog", name="New Memory")
    await dialog.get_by_label("What", exact=True).fill("half a thought")
    await dialog.get_by_role("button", name="More Options").click()
    on_top = ben.page.get_by_role("dialog", name="More Options")
    await expect(on_top).to_be_visible()
    assert show.actions[0]["view"]["state"]["values"]["what"]["what"]["value"] == "half a thought"
    await on_top.get_by_role("button", name="Apply").click()
    await expect(dialog.get_by_label("What", exact=True)).to_have_value("half a thought")
    await ben.page.keyboard.press("Escape")
    await expect(ben.page.get_by_role("dialog")).to_have_count(0)
    assert len(show.closed) == 1


async def test_shortcuts(show: Showcase, ben: Visitor) -> None:
    """A message's menu has the app's message shortcuts; the bolt and the slash its global ones."""
    await ben.say("I like soba")
    await ben.last.hover()
    await ben.last.get_by_role("button", name="More actions").click()
    await ben.page.get_by_role("menuitem", name="Remember This").click()
    dialog = ben.page.get_by_role("dialog", name="New Memory")
    await dialog.get_by_role("button", name="Cancel").click()
    await ben.page.get_by_role("button", name="Shortcuts of apps").first.click()
    await ben.page.get_by_role("menuitem", name="My Memories").click()
    await dialog.get_by_role("button", name="Cancel").click()
    await expect(dialog).to_have_count(0)
    await ben.box.press_sequentially("/my")
    await ben.box.press("Enter")
    await expect(dialog).to_be_visible()
    assert [one["callback_id"] for one in show.actions] == ["keep", "mine", "mine"]
    assert [one["type"] for one in show.actions] == ["message_action", "shortcut", "shortcut"]
    assert show.actions[0]["message"]["text"] == "I like soba"


async def test_streamed_tasks_and_text(show: Showcase, ben: Visitor) -> None:
    """A stream's tasks and text grow while one watches; loading lines change; then it is done."""
    dm = show.slack.workspace.open_dm(show.person("Ben")).id
    await ben.say("go")
    await expect(ben.messages).to_have_count(1)
    ts = str(await ben.last.get_attribute("data-key"))
    client = show.client
    await client.assistant_threads_setStatus(
        channel_id=dm, thread_ts=ts, status="is thinking…", loading_messages=["Looking", "Reading"]
    )
    line = ben.page.locator(".message.status")
    await expect(line).to_contain_text("Looking")
    await expect(line).to_contain_text("Reading")
    chunks = [
        {"type": "plan_update", "title": "Finding out"},
        {"type": "task_update", "id": "1", "title": "Search", "status": "in_progress"},
    ]
    stream = await client.api_call(
        "chat.startStream", json={"channel": dm, "thread_ts": ts, "chunks": chunks}
    )
    await expect(line).to_have_count(0)
    await expect(ben.last.locator(".task")).to_contain_text("in progress")
    done = {"type": "task_update", "id": "1", "title": "Search", "status": "complete"}
    text = {"type": "markdown_text", "text": "It is **so**, and"}
    await client.api_call(
        "chat.appendStream", json={"channel": dm, "ts": stream["ts"], "chunks": [done, text]}
    )
    await expect(ben.last.locator(".task")).to_contain_text("done")
    await expect(ben.last.locator(".caret")).to_be_visible()
    assert await ben.last.locator(".caret").evaluate("e => e.previousSibling.data") == ", and"
    await client.chat_stopStream(channel=dm, ts=str(stream["ts"]))
    await expect(ben.last.locator(".caret")).to_have_count(0)
    await expect(ben.last.locator("strong")).to_have_text("so")


async def test_what_was_sent(show: Showcase, visit: Visit) -> None:
    """The side panel shows the events and Slack calls of each turn, newest first, with copies."""
    allowed = ["clipboard-read", "clipboard-write"]
    ben = await visit(show.playground, show.person("Ben"), permissions=allowed)
    await ben.say("hello")
    await ben.say("/show")
    await expect(ben.messages).to_have_count(3)
    await ben.page.get_by_role("button", name="See What Was Sent").click()
    panel = ben.page.get_by_role("complementary", name="What was sent")
    turns = panel.locator(".turn")
    await expect(turns.nth(0)).to_have_text("Ben: /show")
    await expect(turns.nth(1)).to_have_text("Ben: hello")
    call = panel.locator("details", has_text="chat.postMessage").first
    await expect(call).to_contain_text("ok")
    await expect(call).to_contain_text("ms")
    await call.locator("summary").click()
    await expect(call).to_contain_text('"channel"')
    await call.get_by_role("button", name="Copy JSON").click()
    await expect(ben.page.locator(".toast")).to_have_text("Copied")
    assert '"method": "chat.postMessage"' in await ben.page.evaluate(
        "navigator.clipboard.readText()"
    )
    await panel.get_by_role("button", name="To the app").click()
    await expect(panel.locator(".toSlack")).to_have_count(0)
