"""Writing, editing, deleting, drafts; a page that stays quick and comes back."""

from __future__ import annotations

import asyncio
import re
from pathlib import Path

from playwright.async_api import Route, expect

from slack_playground import posting
from slack_playground.manifest import read_manifest
from slack_playground.server import serve
from tests.browser.conftest import Visit
from tests.browser.showcase import Showcase
from tests.browser.visitor import Visitor
from tests.conftest import ROOT
from tests.playground import Playground


async def test_a_message_is_shown_at_once(show: Showcase, visit: Visit) -> None:
    """What was typed is shown before the server has it; a failure offers another try."""
    ann = await visit(show.playground, locale="ja-JP")
    await ann.page.route("**/_playground/messages", lambda route: route.abort())
    await ann.say("こんにちは")
    pending = ann.page.locator(".message.pending")
    await expect(pending).to_contain_text("こんにちは")
    await expect(pending.get_by_role("alert")).to_contain_text("送信できませんでした")
    await ann.page.unroute("**/_playground/messages")
    await pending.get_by_role("button", name="もう一度送る").click()
    await expect(pending).to_have_count(0)
    await expect(ann.last).to_contain_text("こんにちは")
    await expect(ann.messages).to_have_count(1)


async def test_a_click_is_not_lost_when_its_message_changes(
    show: Showcase, ben: Visitor
) -> None:
    """A message that changes while one of its buttons is pressed is drawn after the click."""
    await ben.say("hello")
    await expect(ben.messages).to_have_count(1)
    await ben.last.hover()
    await ben.last.get_by_role("button", name="Delete").hover()
    user = show.person("Ben")
    [said] = await asyncio.to_thread(ben.playground.seen, user)
    edit = {"user": user, "channel": "dm", "ts": said["ts"], "text": "hello again"}
    await ben.page.mouse.down()
    async with ben.page.expect_response("**/messages?*"):
        await asyncio.to_thread(ben.playground.control, "messages/edit", edit)
    await ben.page.evaluate(
        "new Promise((done) => requestAnimationFrame(() => setTimeout(done)))"
    )
    await expect(ben.last).not_to_contain_text("again")
    await ben.page.mouse.up()
    await expect(ben.page.get_by_role("dialog")).to_be_visible()
    await expect(ben.last).to_contain_text("hello again")


async def test_composing_japanese_sends_nothing(show: Showcase, visit: Visit) -> None:
    """The Enter that ends a composition is not the Enter that sends."""
    ann = await visit(show.playground, locale="ja-JP")
    await ann.box.focus()
    session = await ann.page.context.new_cdp_session(ann.page)
    await session.send(
        "Input.imeSetComposition",
        {"text": "きおく", "selectionStart": 3, "selectionEnd": 3},
    )
    await ann.page.evaluate(
        """document.getElementById("composer-text").dispatchEvent(new KeyboardEvent("keydown",
           {key: "Enter", isComposing: true, bubbles: true, cancelable: true}))"""
    )
    await session.send("Input.insertText", {"text": "記憶"})
    await expect(ann.box).to_have_value("記憶")
    await expect(ann.messages).to_have_count(0)
    await ann.box.press("Shift+Enter")
    await expect(ann.box).to_have_value("記憶\n")
    await ann.box.press("Enter")
    await expect(ann.messages).to_have_count(1)


async def test_an_answer_that_is_overtaken_takes_nothing_back(ben: Visitor) -> None:
    """What was said stays while an older state of the conversation is on its way."""
    asked: asyncio.Queue[asyncio.Event] = asyncio.Queue()

    async def hold(route: Route) -> None:
        response, release = await route.fetch(), asyncio.Event()
        asked.put_nowait(release)
        await release.wait()
        await route.fulfill(response=response)

    await ben.page.route(re.compile(r"/channels/C\w+/messages\?"), hold, times=1)
    await ben.go("general")
    first = await asked.get()
    await ben.say("news")
    await expect(ben.page.locator(".message.pending")).to_contain_text("news")
    await ben.go("Kioku")
    await ben.go("general")
    first.set()
    await ben.say("more news")
    await expect(ben.last).to_contain_text("more news")
    await expect(ben.messages).to_have_text(
        [re.compile("news"), re.compile("more news")]
    )
    await expect(ben.page.locator(".message.pending")).to_have_count(0)


async def test_the_page_comes_back_with_the_server(
    tmp_path: Path, visit: Visit
) -> None:
    """While the server is away the page says so; when it is back, what happened is there."""
    manifest = read_manifest(ROOT / "manifest.yml")
    async with serve(manifest, data_dir=tmp_path) as slack:
        port = int(slack.url.rsplit(":", 1)[1])
        ann = await visit(Playground(slack.url), locale="ja-JP")
        await ann.say("before")
        await expect(ann.last).to_contain_text("before")
    await expect(ann.page.get_by_role("alert")).to_contain_text("再接続しています")
    async with serve(manifest, data_dir=tmp_path, port=port) as slack:
        aya = next(
            user for user in slack.workspace.users.values() if user.name == "Aya"
        )
        posting.post_typed(slack, aya, slack.workspace.open_dm(aya.id), "meanwhile")
        await expect(ann.last).to_contain_text("meanwhile")
        await ann.say("after")
        await expect(ann.last).to_contain_text("after")
