"""Writing, editing, deleting, drafts; a page that stays quick and comes back."""

from __future__ import annotations

import asyncio
import functools
import re
from pathlib import Path

import pytest
from playwright.async_api import Route, expect

from playground.manifest import read_manifest
from playground.records import Message
from playground.server import serve
from tests.browser.conftest import Visit
from tests.browser.showcase import Showcase
from tests.browser.visitor import Playground, Visitor
from tests.conftest import ROOT


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


async def test_editing_and_deleting(ben: Visitor) -> None:
    """One's own message is edited in place and deleted after a question; others' are not."""
    await ben.say("a <typo> & @Kioku")
    await ben.last.hover()
    await ben.last.get_by_role("button", name="Edit").click()
    editor = ben.page.get_by_role("textbox", name="Edit")
    await expect(editor).to_have_value("a <typo> & @Kioku")
    await editor.fill("no typo")
    await editor.press("Enter")
    await expect(ben.last).to_contain_text("no typo")
    await expect(ben.last).to_contain_text("(edited)")
    await ben.say("/show")
    await expect(ben.messages).to_have_count(3)
    await expect(ben.last.get_by_role("button", name="Edit")).to_have_count(0)
    await ben.messages.first.hover()
    await ben.messages.first.get_by_role("button", name="Delete").click()
    await ben.page.get_by_role("dialog").get_by_role("button", name="Delete").click()
    await expect(ben.page.get_by_text("no typo")).to_have_count(0)


async def test_a_click_is_not_lost_when_its_message_changes(show: Showcase, ben: Visitor) -> None:
    """A message that changes while one of its buttons is pressed is drawn after the click."""
    await ben.say("hello")
    await expect(ben.messages).to_have_count(1)
    await ben.last.hover()
    await ben.last.get_by_role("button", name="Delete").hover()
    user = show.person("Ben")
    path = f"_playground/channels/dm/messages?as={user}"
    [said] = (await asyncio.to_thread(ben.playground.get, path))["messages"]
    edit = {"user": user, "channel": "dm", "ts": said["ts"], "text": "hello again"}
    await ben.page.mouse.down()
    async with ben.page.expect_response(lambda answer: f"only={said['ts']}" in answer.url):
        await asyncio.to_thread(ben.playground.post, "_playground/messages/edit", **edit)
    await ben.page.evaluate("new Promise((done) => requestAnimationFrame(() => setTimeout(done)))")
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
        "Input.imeSetComposition", {"text": "きおく", "selectionStart": 3, "selectionEnd": 3}
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


async def test_each_place_keeps_its_draft(ben: Visitor) -> None:
    """What was begun in one conversation is there again when one comes back, also later."""
    await ben.box.fill("begun here")
    await ben.go("general")
    await expect(ben.box).to_have_value("")
    await ben.go("Kioku")
    await expect(ben.box).to_have_value("begun here")
    await ben.page.reload()
    await expect(ben.box).to_have_value("begun here")


async def test_commands_are_completed(ben: Visitor) -> None:
    """A slash lists the manifest's commands with their hints; an unknown one is explained."""
    await ben.box.press_sequentially("/f")
    options = ben.page.get_by_role("option")
    await expect(options).to_have_count(1)
    await expect(options).to_contain_text("Open a form")
    await ben.box.press("Tab")
    await expect(ben.box).to_have_value("/form ")
    await ben.say("/nonsense")
    await expect(ben.page.get_by_role("alert")).to_contain_text("/form, /show")
    await expect(ben.box).to_have_value("/nonsense")


async def test_a_dot_marks_what_is_unread(show: Showcase, visit: Visit, ben: Visitor) -> None:
    """A message elsewhere puts a dot at its conversation until that is opened."""
    aya = await visit(show.playground, show.person("Aya"))
    await aya.go("general")
    await aya.say("news")
    place = ben.page.locator(".place", has_text="general")
    await expect(place).to_contain_text("unread")
    await place.click()
    await expect(ben.last).to_contain_text("news")
    await ben.go("Kioku")
    await expect(place).not_to_contain_text("unread")


async def test_people_and_conversations_are_added(ben: Visitor) -> None:
    """Small dialogs add a person, whom the page then is, and a conversation, which it opens.

    A second Enter adds no second one, and the dialog is closed before the conversation is loaded.
    """
    await ben.page.get_by_role("button", name="Add a Person").click()
    dialog = ben.page.get_by_role("dialog", name="Add a Person")
    await dialog.get_by_role("button", name="Add").click()
    await expect(dialog).to_contain_text("Write a name.")
    await dialog.get_by_label("Name").fill("Dana")
    await dialog.get_by_label("Language").select_option("en")
    await dialog.get_by_role("button", name="Add").click()
    await expect(ben.page.locator(".you")).to_contain_text("You are Dana")
    await ben.page.get_by_role("button", name="Add a Conversation").click()
    dialog = ben.page.get_by_role("dialog", name="Add a Conversation")
    await dialog.get_by_label("Kind").select_option("private")
    await dialog.get_by_label("Name").fill("secret garden")
    added, loaded = asyncio.Event(), asyncio.Event()

    async def wait(event: asyncio.Event, route: Route) -> None:
        await event.wait()
        await route.continue_()

    await ben.page.route("**/_playground/channels", functools.partial(wait, added))
    await ben.page.route(re.compile(r"/channels/C\w+/messages"), functools.partial(wait, loaded))
    await dialog.get_by_label("Name").press("Enter")
    await dialog.get_by_label("Name").press("Enter")
    added.set()
    await expect(ben.page.locator("#conversation h1")).to_have_text("secret-garden")
    await expect(dialog).to_be_hidden()
    loaded.set()
    await ben.say("first")
    await expect(ben.last).to_contain_text("first")
    await expect(ben.page.get_by_role("button", name="secret-garden")).to_have_count(1)
    await ben.page.unroute_all()


async def test_an_answer_that_is_overtaken_takes_nothing_back(ben: Visitor) -> None:
    """What was said stays when an older state of the conversation arrives after it."""
    asked: asyncio.Queue[asyncio.Event] = asyncio.Queue()

    async def hold(route: Route) -> None:
        response, release = await route.fetch(), asyncio.Event()
        asked.put_nowait(release)
        await release.wait()
        await route.fulfill(response=response)

    whole = re.compile(r"/channels/C\w+/messages\?(?!.*only=)")
    await ben.page.route(whole, hold)
    await ben.go("general")
    first = await asked.get()
    await ben.go("Kioku")
    await ben.go("general")
    second = await asked.get()
    async with ben.page.expect_response(whole):
        first.set()
    await ben.say("news")
    await expect(ben.last).to_contain_text("news")
    async with ben.page.expect_response(whole):
        second.set()
    await ben.say("more news")
    await expect(ben.last).to_contain_text("more news")
    await expect(ben.messages).to_have_text([re.compile("news"), re.compile("more news")])
    await ben.page.unroute_all()


async def test_a_thousand_messages_stay_quick(show: Showcase, visit: Visit) -> None:
    """Of a thousand messages the newest are shown first, older ones when one scrolls up."""
    ben = show.person("Ben")
    general = next(c for c in show.slack.workspace.channels.values() if c.name == "general")
    for number in range(1000):
        ts = show.slack.workspace.next_ts()
        body = {"type": "message", "user": ben, "ts": ts, "text": f"message number {number}"}
        show.slack.workspace.add_message(Message(channel=general.id, ts=ts, body=body))
    ann = await visit(show.playground, ben)
    await ann.go("general")
    await expect(ann.last).to_contain_text("number 999")
    assert await ann.messages.count() < 200
    await ann.say("one more")
    await expect(ann.last).to_contain_text("one more")
    await ann.page.locator("#conversation .scroller").evaluate("element => element.scrollTop = 0")
    await expect(ann.page.get_by_text("message number 800", exact=True)).to_be_attached()


async def test_the_page_comes_back_with_the_server(tmp_path: Path, visit: Visit) -> None:
    """While the server is away the page says so; when it is back, what happened is there."""
    manifest = read_manifest(ROOT / "manifest.yml")
    async with serve(manifest, with_model=False, data_dir=tmp_path) as slack:
        port = int(slack.url.rsplit(":", 1)[1])
        ann = await visit(Playground(slack.url), locale="ja-JP")
        await ann.say("before")
        await expect(ann.last).to_contain_text("before")
    await expect(ann.page.get_by_role("alert")).to_contain_text("再接続しています")
    async with serve(manifest, with_model=False, data_dir=tmp_path, port=port) as slack:
        aya = next(user for user in slack.workspace.users.values() if user.name == "Aya")
        slack.posting.typed(aya, slack.workspace.open_dm(aya.id), "meanwhile")
        await expect(ann.last).to_contain_text("meanwhile")
        await ann.say("after")
        await expect(ann.last).to_contain_text("after")


@pytest.mark.parametrize("name", ["Ben", "Aya"])
async def test_the_page_speaks_the_persons_language(
    show: Showcase, visit: Visit, name: str
) -> None:
    """Its own words are English for Ben and Japanese for Aya."""
    ann: Visitor = await visit(show.playground, show.person(name))
    words = {"Ben": ("en", "Message Kioku"), "Aya": ("ja", "Kiokuへのメッセージ")}[name]
    assert await ann.page.locator("html").get_attribute("lang") == words[0]
    await expect(ann.box).to_have_attribute("placeholder", words[1])


@pytest.mark.parametrize(
    ("locale", "name"), [("en-US", "Ben"), ("de-DE", "Ben"), ("ja-JP", "Aya"), ("en-GB", "Ben")]
)
async def test_the_first_visit_is_as_somebody_who_reads_the_browsers_language(
    show: Showcase, visit: Visit, locale: str, name: str
) -> None:
    """A browser in Japanese opens the page as Aya, any other as Ben; later visits as before."""
    ann: Visitor = await visit(show.playground, locale=locale)
    await expect(ann.page.locator(".you")).to_contain_text(name)
    await ann.page.keyboard.press("Alt+3")
    await expect(ann.page.locator(".you")).to_contain_text("Chika")
    await ann.page.reload()
    await expect(ann.page.locator(".you")).to_contain_text("Chika")
