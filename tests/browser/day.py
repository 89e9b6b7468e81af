"""A day of one person with Kioku, with a picture of each surface."""

from __future__ import annotations

import struct
import zlib
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlencode

from playwright.async_api import FilePayload, Locator, expect

from bot.locale import Language, say
from playground.manifest import read_manifest
from playground.slack import CLIENT_ID
from tests.browser.camera import PHONE, Camera
from tests.browser.visitor import Visitor

_MANIFEST = Path(__file__).resolve().parents[2] / "manifest.yml"


def _bowl(size: int = 96) -> bytes:
    """A picture of a bowl, as a PNG."""
    rows = b""
    for y in range(size):
        rows += b"\0"
        for x in range(size):
            inside = (
                y > size // 2 and (x - size / 2) ** 2 + (y - size / 2) ** 2 < (size * 0.42) ** 2
            )
            rows += b"\xb5\x38\x2a" if inside else b"\xf7\xe9\xd2"
    head = struct.pack(">IIBBBBB", size, size, 8, 2, 0, 0, 0)
    parts = ((b"IHDR", head), (b"IDAT", zlib.compress(rows)), (b"IEND", b""))
    return b"\x89PNG\r\n\x1a\n" + b"".join(
        struct.pack(">I", len(body)) + name + body + struct.pack(">I", zlib.crc32(name + body))
        for name, body in parts
    )


PICTURE = _bowl()
PDF = b"%PDF-1.4\n1 0 obj<</Type/Catalog/Pages 2 0 R>>endobj\n2 0 obj<</Type/Pages/Kids[]/Count 0>>"

SURFACES = (
    ("prompts", "Suggested prompts", "Suggested prompts in an empty Messages tab."),
    ("home_empty", "Home, at first", "The Home tab before anything is remembered."),
    ("status", "Status line", "Kioku says what it is doing, with a Stop button."),
    ("streaming", "A reply as it comes", "An answer streams in, with Stop below it."),
    ("stopped", "Stopped", "A stopped answer keeps its beginning and says that it was stopped."),
    ("reply", "A reply", "An answer, its footer, feedback buttons, and Memories Considered."),
    ("tasks", "A reply that searches the web", "What Kioku does is shown as a task, with sources."),
    ("files", "Images and PDFs", "A person sends files; Kioku says what it was given."),
    ("used", "Memories considered", "A dialog lists the memories that an answer could use."),
    ("feedback", "Feedback", "A dialog asks what was wrong with an answer."),
    ("home", "Home", "What is remembered, the switches, recent changes, and where data goes."),
    ("home_search", "Home, searched", "The Home tab with what was searched for."),
    ("phone", "On a phone", "The Home tab on a phone."),
    ("remember", "Remember This", "A message's menu has it remembered, with Undo."),
    ("mine", "My Memories", "The global shortcut opens the list in a dialog."),
    ("memories", "All memories", "What is remembered, grouped and numbered, each with a menu."),
    ("menu", "What can be done with a memory", "The menu beside a memory."),
    ("edit", "Edit a memory", "A form with the fields of a memory."),
    ("history", "History", "What happened to the memories, newest first."),
    ("forget", "Forget", "Kioku shows what it would forget, with a button."),
    ("forgotten", "Forgotten", "What was forgotten, with Undo for ten minutes."),
    ("settings", "Settings", "A form: memory, notices, language, how long to keep."),
    ("help", "Help", "The commands; ordinary sentences work, too."),
    ("export", "Export", "A file of all memories in the direct message."),
    ("erase", "Forget everything", "A dialog that wants a word typed before all is forgotten."),
    ("thread", "In a channel", "A mention is answered in its thread, for two people."),
    ("preview", "Preview", "The memories that an answer in a channel could use."),
    ("unreachable", "When the model is away", "One sentence: the cause, and what comes next."),
    ("install", "Installing by OAuth", "Slack's page on which a person allows Kioku's scopes."),
)


@dataclass(frozen=True, kw_only=True)
class Words:
    """What is typed in one language."""

    language: Language
    facts: tuple[str, ...]
    ask: str
    topics: str
    food: str
    in_channel: str
    too: str
    search: str
    news: str
    look: str
    keep: str

    @staticmethod
    def of(language: str) -> Words:
        """The words of a language."""
        return _WORDS[language]

    def text(self, key: str) -> str:
        """A label of the app."""
        return say(self.language, key)


_WORDS = {
    "en": Words(
        language="en",
        facts=("I like ramen and I'm interested in AWS", "I'm interested in Rust, and I like soba"),
        ask="What shall I eat today?",
        topics="Recommend three technology topics for me, in a sentence each.",
        food="ramen",
        in_channel="I'm interested in AWS. What should I learn first?",
        too="I like Rust. And what should I learn?",
        search="What is new in the Rust world?",
        news="Two things: the compiler is faster, and `async` closures are stable.",
        look="What do you make of these?",
        keep="I live in Osaka",
    ),
    "ja": Words(
        language="ja",
        facts=("ラーメンが大好きで、AWSに興味があります", "Rustに興味があって、そばも好きです"),
        ask="今日のランチは何を食べようかな？",
        topics="おすすめの技術トピックを3つ、1文ずつ教えて",
        food="ラーメン",
        in_channel="AWSに興味があります。まず何を学ぶといいですか？",
        too="私はRustが好きです。何から学ぶといいですか？",
        search="Rustの最近の話題を教えて",
        news="2つあります。コンパイラーが速くなり、`async`クロージャーが安定版になりました。",
        look="これを見てどう思いますか？",
        keep="大阪に住んでいます",
    ),
}


@dataclass(frozen=True)
class Day:
    """One person in front of the page."""

    one: Visitor
    camera: Camera
    words: Words

    async def live(self) -> None:
        """Go through every surface."""
        await self.first_minute()
        await self.answers()
        await self.files()
        await self.home()
        await self.shortcuts()
        await self.memories()
        await self.forgetting()
        await self.settings()
        await self.transfer()
        await self.thread()
        await self.outage()
        await self.consent()

    @property
    def dialog(self) -> Locator:
        """The dialog that is open."""
        return self.one.page.locator("dialog[open]")

    def in_last(self, action: str) -> Locator:
        """An element of the newest message, by its action id."""
        return self.one.last.locator(f'[data-focus^="{action}"]').first

    async def close(self) -> None:
        """Close the dialog."""
        await self.one.page.keyboard.press("Escape")
        await expect(self.dialog).to_have_count(0)

    async def opened(self) -> Locator:
        """Wait for a dialog with its content in it."""
        await expect(self.dialog).to_be_visible()
        await expect(self.dialog.locator(".dialog-body")).not_to_be_empty()
        await expect(self.dialog).not_to_contain_text(self.words.text("modal_loading"))
        return self.dialog

    async def first_minute(self) -> None:
        """The prompts, and what one says first."""
        await expect(self.one.page.locator(".prompt").first).to_be_visible()
        await self.one.page.wait_for_timeout(700)
        await self.camera.shoot("prompts", self.one.page.locator("#conversation .intro"))
        await self.tab("home")
        await self.whole("home_empty")
        await self.tab("messages")
        for fact in self.words.facts:
            await self.one.ask(fact)
        await self.one.remembered("AWS", "Rust")

    async def answers(self) -> None:
        """Status, stream, Stop, a whole answer and what is below it."""
        page, one = self.one.page, self.one
        one.playground.model(first_token_ms=2500, token_ms=600, chunk_chars=6)
        await one.say(self.words.topics)
        await expect(page.locator(".message.status")).to_be_visible()
        await self.camera.shoot("status", one.last, page.locator(".message.status"))
        live = page.locator(".message.live")
        await expect(live).to_be_visible()
        least = 70 if self.words.language == "en" else 35
        written = "least => document.querySelector('.live .content').textContent.length > least"
        await page.wait_for_function(written, arg=least)
        await self.camera.shoot("streaming", live)
        await live.locator(".stop").click()
        await expect(page.locator(".live, .message.status")).to_have_count(0)
        await expect(one.last).to_contain_text(self.words.text("stopped").strip("_"))
        await self.camera.shoot("stopped", one.last)
        one.playground.model(first_token_ms=0, token_ms=0, chunk_chars=12)
        await one.ask(self.words.ask)
        await self.camera.shoot("reply", one.messages.nth(-2), one.last)
        await self.used()
        await self.searching()

    async def used(self) -> None:
        """The memories that an answer used, and feedback on it."""
        one = self.one
        await self.in_last("memories_used").click()
        await self.camera.shoot("used", await self.opened())
        await self.close()
        await one.last.locator('[data-focus="feedbacknegative"]').click()
        await self.camera.shoot("feedback", await self.opened())
        await self.close()

    async def searching(self) -> None:
        """An answer that includes a web search."""
        one = self.one
        text, source = self.words.news, {"url": "https://example.org/news", "title": "Example"}
        place = {"start_index": len(text) - 1, "end_index": len(text)}
        call = {"name": "search_web", "arguments": {"query": self.words.search}}
        for output in (
            {"function_calls": [call]},
            {"text": text, "web_search": True, "annotations": [{**source, **place}]},
            {"text": text},
        ):
            one.playground.post(
                "_model/script", endpoint="responses", match=self.words.search, output=output
            )
        await one.ask(self.words.search)
        await self.camera.shoot("tasks", one.messages.nth(-2), one.last)

    async def files(self) -> None:
        """A picture and a PDF, and what the model was given of them."""
        one = self.one
        picker = one.page.locator("#conversation input[type=file]").first
        names = (("soba.png", "image/png", PICTURE), ("menu.pdf", "application/pdf", PDF))
        sent = [FilePayload(name=name, mimeType=kind, buffer=body) for name, kind, body in names]
        await picker.set_input_files(sent)
        await expect(one.page.locator("#conversation .chosen-files li")).to_have_count(2)
        await one.ask(self.words.look)
        await self.camera.shoot("files", one.messages.nth(-2), one.last)

    async def tab(self, name: str) -> None:
        """Go to another tab of the app."""
        await self.one.page.locator(f"#tab-{name}").click()

    async def whole(self, name: str) -> None:
        """Picture the whole Home tab, however long it is."""
        home = self.one.page.locator(".home")
        await expect(home).to_be_visible()
        await self.one.page.wait_for_timeout(600)
        await self.camera.resize(height=2600)
        await self.camera.shoot(name, home, margin=16)
        await self.camera.resize()

    async def home(self) -> None:
        """The Home tab, a search in it, and how it looks on a phone."""
        page = self.one.page
        await self.tab("home")
        await self.whole("home")
        search = page.locator(".home input").first
        await search.fill(self.words.food)
        await search.press("Enter")
        menus = page.locator(".home .section .overflow")
        await expect(menus).to_have_count(1)
        await self.camera.shoot("home_search", page.locator("#tab-content"))
        await search.fill("")
        await search.press("Enter")
        await expect(menus).to_have_count(4)
        await self.camera.resize(**PHONE)
        await page.evaluate("() => document.querySelector('.page').scrollTo(0, 0)")
        await self.camera.shoot("phone", page.locator("#conversation"))
        await self.camera.resize()
        await self.tab("messages")

    async def shortcuts(self) -> None:
        """Remember This on a message, and My Memories from anywhere."""
        one = self.one
        await one.ask(self.words.keep)
        said = one.messages.filter(has_text=self.words.keep).first
        await said.hover()
        await said.locator('[data-focus^="more-"]').click()
        before = await one.messages.count()
        await one.page.get_by_role("menuitem").first.click()
        await expect(one.messages).to_have_count(before + 1)
        await self.camera.shoot("remember", one.last)
        await one.page.locator("#conversation .composer [name=shortcutsOfApps]").click()
        await one.page.get_by_role("menuitem").first.click()
        await self.camera.shoot("mine", await self.opened())
        await self.close()

    async def memories(self) -> None:
        """The list, a memory's menu, its form, preview and history."""
        one = self.one
        listed = await one.command("/memories")
        await self.camera.shoot("memories", listed)
        await self.in_last("memory_menu").click()
        menu = one.page.locator(".menu")
        await self.camera.shoot("menu", one.last.locator(".block").first, menu)
        await menu.get_by_role("menuitem", name=self.words.text("menu_edit")).click()
        await self.camera.shoot("edit", await self.opened())
        await self.close()
        await self.camera.shoot("history", await one.command("/memories history"))

    async def forgetting(self) -> None:
        """Asked, forgotten, undone."""
        one = self.one
        asked = await one.command(f"/forget {self.words.food}")
        await self.camera.shoot("forget", asked)
        await self.in_last("forget_memory").click()
        await expect(self.in_last("undo_forget")).to_be_visible()
        await self.camera.shoot("forgotten", one.last)
        await self.in_last("undo_forget").click()
        await expect(one.page.locator('[data-focus^="undo_forget"]')).to_have_count(0)

    async def settings(self) -> None:
        """Settings and help."""
        await self.one.say("/memories settings")
        await self.camera.shoot("settings", await self.opened())
        await self.close()
        await self.camera.shoot("help", await self.one.command("/memories help"))

    async def transfer(self) -> None:
        """Export, forget everything."""
        page = self.one.page
        await self.one.say("/memories export")
        link = page.get_by_role("link", name="kioku-")
        await expect(link).to_be_visible()
        await self.camera.shoot("export", self.one.messages.filter(has=link))
        asked = await self.one.command("/forget everything")
        await asked.locator('[data-focus^="erase_everything"]').click()
        await self.camera.shoot("erase", await self.opened())
        await self.close()

    async def thread(self) -> None:
        """A mention in a channel, and a second person in its thread."""
        one = self.one
        await one.go("general")
        await one.say(f"@Kioku {self.words.in_channel}")
        said = one.messages.filter(has_text=self.words.in_channel)
        replies = said.locator(".replies")
        await expect(replies).to_be_visible()
        await expect(one.page.locator(".message.status")).to_have_count(0)
        state = one.playground.get("_playground/state")
        general = one.playground.channel("general")
        if self.words.language == "ja":
            other = next(user["id"] for user in state["users"] if user["name"] == "Chika")
        else:
            other = one.playground.post("_playground/users", name="Dana", locale="en-US")["id"]
            one.playground.post("_playground/channels/update", channel=general, add=[other])
        me = await one.page.evaluate("JSON.parse(localStorage.getItem('playground.me'))")
        where = f"_playground/channels/{general}/messages?as={me}"
        seen = one.playground.get(where)["messages"]
        root = next(m["ts"] for m in seen if m.get("user") == me)
        one.playground.post(
            "_playground/messages",
            user=other,
            channel=general,
            text=f"<@BOT> {self.words.too}",
            thread_ts=root,
        )
        for _ in range(100):
            # Each message of the thread redraws the line that is clicked.
            seen = one.playground.get(where)["messages"]
            in_thread = [m for m in seen if m.get("thread_ts") == root and m["ts"] != root]
            if sum(not m.get("is_ephemeral") for m in in_thread) >= 3:
                break
            await one.page.wait_for_timeout(200)
        await replies.click()
        side = one.page.locator("#side .messages")
        await expect(side.locator(".message:not(.status):not(.only)")).to_have_count(4)
        await expect(side.locator(".live, .status")).to_have_count(0)
        await self.camera.shoot("thread", side)
        await one.page.keyboard.press("Escape")
        await one.go("Kioku")
        for _ in range(20):
            preview = await one.command("/memories preview #general")
            if "AWS" in await preview.inner_text():
                break
            await one.page.wait_for_timeout(400)
        await self.camera.shoot("preview", preview)

    async def outage(self) -> None:
        """The model does not answer."""
        one = self.one
        one.playground.post(
            "_model/faults", endpoint="responses", kind="reply", status=500, times=9
        )
        before = await one.messages.count()
        await one.say(self.words.ask)
        await expect(one.messages).to_have_count(before + 2)
        await expect(one.page.locator(".live, .message.status")).to_have_count(0)
        await self.camera.shoot("unreachable", one.last)

    async def consent(self) -> None:
        """The page that leads to an installation in one more workspace."""
        page, url = self.one.page, self.one.playground.url
        asked = {
            "client_id": CLIENT_ID,
            "scope": ",".join(sorted(read_manifest(_MANIFEST).scopes)),
            "redirect_uri": f"{url}/",
        }
        await self.camera.resize(height=1500)
        await page.goto(f"{url}/oauth/v2/authorize?{urlencode(asked)}")
        await page.wait_for_selector("[data-ready]")
        await self.camera.shoot("install", page.locator("#consent"), margin=12)
        await self.camera.resize()
