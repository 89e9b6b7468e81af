"""What the page offers around an agent: Home with fields, files, titles, profile."""

from __future__ import annotations

from pathlib import Path

from playwright.async_api import expect

from tests.browser.conftest import Visit
from tests.browser.showcase import Showcase
from tests.browser.test_accessibility import findings
from tests.browser.visitor import Visitor

PIXEL = bytes.fromhex(
    "89504e470d0a1a0a0000000d4948445200000001000000010802000000907753de"
    "0000000c4944415408d763f8cfc000000301010018dd8db00000000049454e44ae426082"
)


async def test_the_home_tab_has_fields(show: Showcase, ben: Visitor) -> None:
    """Enter in a field that asks for it tells the app; what was typed and the focus stay."""
    await ben.page.get_by_role("tab", name="Home").click()
    search = ben.page.get_by_role("textbox", name="Search")
    await search.fill("soba")
    await search.press("Enter")
    await expect(ben.page.get_by_text("Found for soba")).to_be_visible()
    assert [action["value"] for action in show.actions] == ["soba"]
    await expect(search).to_have_value("soba")
    await expect(search).to_be_focused()


async def test_files(ben: Visitor, tmp_path: Path) -> None:
    """A picture is chosen, can be taken out, is sent and shown."""
    picker = ben.page.locator("#conversation input[type=file]")
    for name in ("cat.png", "notes.pdf"):
        (tmp_path / name).write_bytes(PIXEL)
    await picker.set_input_files([tmp_path / "cat.png", tmp_path / "notes.pdf"])
    chosen = ben.page.locator("#conversation .chosen-files")
    await expect(chosen.locator("li")).to_have_count(2)
    await chosen.get_by_role("button", name="Remove: notes.pdf").click()
    await ben.say("look at this")
    picture = ben.last.get_by_role("img", name="Image: cat.png")
    await expect(picture).to_be_visible()
    width = "image => image.decode().then(() => image.naturalWidth)"
    assert await picture.evaluate(width) == 1
    await expect(chosen).to_be_hidden()


async def test_titles_and_what_one_looks_at(show: Showcase, ben: Visitor) -> None:
    """An agent session's title is above its thread; the app is notified of what is viewed."""
    await ben.say("what shall I eat?")
    await expect(ben.last).to_contain_text("what shall I eat?")
    [root] = show.slack.workspace.history(show.slack.workspace.open_dm(show.person("Ben")).id)
    await show.client.agents_sessions_setStatus(
        channel_id=root.channel, thread_ts=root.ts, status="active", title="Lunch"
    )
    title = ben.page.locator(".thread-title")
    await expect(title).to_have_text("Lunch")
    for new, shown in (("what shall I…", 0), ("Soba, or udon?", 1)):
        await show.client.agents_sessions_rename(
            channel_id=root.channel, thread_ts=root.ts, title=new
        )
        await expect(title).to_have_count(shown)
    await ben.go("general")
    await ben.say("a thread")
    await ben.last.hover()
    await ben.last.get_by_role("button", name="Reply in Thread").click()
    await expect(ben.page.get_by_role("complementary", name="Thread")).to_be_visible()
    for _ in range(600):
        if len(show.looked) > 1:
            break
        await ben.page.wait_for_timeout(50)
    assert [entities[0]["type"].rpartition("/")[2] for entities in show.looked] == [
        "channel_id",
        "message_context",
    ]
    channel = show.slack.workspace.channel(show.looked[0][0]["value"])
    assert channel.name == "general"


async def test_ones_own_language_and_time_zone(show: Showcase, visit: Visit) -> None:
    """The pen beside the name changes what Slack tells the app; the page follows at once."""
    user = show.person("Ben")
    ben = await visit(show.playground, user, reduced_motion="reduce")
    await ben.page.get_by_role("button", name="Change Language, Time Zone").click()
    dialog = ben.page.get_by_role("dialog")
    await dialog.get_by_label("Language").select_option("ja-JP")
    await dialog.get_by_label("Time zone").select_option("Asia/Tokyo")
    assert await findings(ben.page) == []
    await dialog.get_by_role("button", name="Save").click()
    await expect(ben.page.get_by_role("tab", name="ホーム")).to_be_visible()
    changed = show.slack.workspace.users[user]
    assert (changed.locale, changed.tz) == ("ja-JP", "Asia/Tokyo")
