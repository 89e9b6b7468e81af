"""A promise from its sentence to its end, and a card from its tick to its untick."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from playwright.async_api import Locator, expect

from bot.locale import Language, say
from bot.memories.promises import REMIND
from bot.queue.queue import REPLIES
from bot.runtime.maintenance import KEEP_UP
from tests.browser.conftest import Visit
from tests.browser.test_accessibility import findings, overflowing
from tests.browser.visitor import Playground, Visitor
from tests.databases import owner_rows
from tests.integration.person import LOCALES
from tests.kioku_process import until

PROMISED: dict[Language, tuple[str, str]] = {
    "en": ("I promised Mia the Q3 figures by Friday noon", "the Q3 figures"),
    "ja": ("金曜日の正午までにミアさんに数字を送ると約束しました", "数字を送る"),
}
LIKED: dict[Language, str] = {"en": "I like short reviews", "ja": "短いレビューが好きです"}
ASKED: dict[Language, str] = {
    "en": "how does {} like reviews?",
    "ja": "{}さんはどんなレビューを好みますか？",
}
_MOVED = (
    "UPDATE {} SET updated_at = '2020-01-01', value = jsonb_set(value, '{{content,due}}',"
    " to_jsonb(%s::text)) WHERE value->'content'->>'promise' = %s RETURNING key"
)
_MINUTE = (
    "INSERT INTO procrastinate_jobs (queue_name, task_name, lock, args)"
    """ VALUES (%s, %s, 'a minute', '{"timestamp": 1800}') RETURNING id"""
)
_WAITING = (
    "SELECT id FROM procrastinate_jobs WHERE task_name = ANY(%s) AND status IN ('todo', 'doing')"
)
# The language of the people of a story, and the page before them.
SEEN = pytest.mark.parametrize(
    ("language", "page"),
    [("en", {"theme": "light"}), ("ja", {"theme": "dark", "phone": True})],
)


@SEEN
async def test_a_promise_is_told_listed_reminded_of_once_and_done(
    kioku: Playground, visit: Visit, language: Language, page: dict[str, Any]
) -> None:
    """Its line has buttons, Home lists it first, its reminder comes once, *Done* ends it."""
    ann = await visit(kioku, kioku.person(LOCALES[language]), reduced_motion="reduce", **page)
    sentence, what = PROMISED[language]
    await ann.ask(sentence)
    told = ann.page.locator(".message", has_text=_said(language, "promise_remind"))
    await expect(told).to_contain_text("12:00")
    await has_buttons(told, language, "menu_edit", "undo_button")
    home = await open_home(ann)
    await expect(home).to_contain_text(say(language, "promises_title"))
    await expect(home.locator(".section", has=ann.page.locator(".overflow"))).to_contain_text(what)
    await ann.page.get_by_role("tab").first.click()

    be_due(kioku, what)
    for _ in range(2):
        pass_a_minute(kioku)
    reminder = ann.page.locator(".message", has_text=_said(language, "reminder"))
    await expect(reminder).to_have_count(1)
    await expect(reminder).to_contain_text(sentence)
    await has_buttons(reminder, language, "promise_done", "promise_tomorrow", "promise_drop")
    await is_accessible(ann)
    await reminder.get_by_role("button", name=say(language, "promise_done")).click()
    done = ann.page.locator(".message", has_text=_said(language, "promise_line_done"))
    await expect(done.last).to_be_visible()
    await open_home(ann)
    await expect(home).not_to_contain_text(say(language, "promises_title"))


@SEEN
async def test_a_ticked_memory_is_shown_to_a_colleague_until_it_is_unticked(
    kioku: Playground, visit: Visit, language: Language, page: dict[str, Any]
) -> None:
    """Home has the card and its preview; a colleague sees the line, and after untick none."""
    name, liked = f"Aya{language}", LIKED[language]
    person = kioku.person(LOCALES[language], name)
    aya = await visit(kioku, person, reduced_motion="reduce", **page)
    jon = await visit(kioku, kioku.person(LOCALES[language]), reduced_motion="reduce", **page)
    await aya.ask(liked)
    await aya.remembered(liked)
    home = await open_home(aya)
    await choose(aya, say(language, "card_show"))
    await expect(home).to_contain_text(say(language, "audience_colleagues"))
    await home.get_by_role("button", name=say(language, "card_preview")).click()
    says = say(language, "card_says", who=name)
    preview = aya.page.get_by_role("dialog")
    await expect(preview).to_contain_text(says)
    await aya.page.keyboard.press("Escape")

    await jon.say(ASKED[language].format(name))
    await expect(jon.page.locator(".message", has_text=says)).to_contain_text(liked)
    await is_accessible(jon)

    await choose(aya, say(language, "card_hide"))
    await expect(home).not_to_contain_text(say(language, "audience_colleagues"))
    await jon.say(ASKED[language].format(f"<@{person}>"))
    nothing = say(language, "card_nothing", who=name)
    await expect(jon.page.locator(".message", has_text=nothing)).to_be_visible()


async def open_home(ann: Visitor) -> Locator:
    """Open Home, which is accessible and no wider than its window."""
    await ann.page.get_by_role("tab").nth(1).click()
    home = ann.page.locator(".home")
    await expect(home.locator(".overflow")).to_be_visible()
    await is_accessible(ann)
    return home


async def is_accessible(ann: Visitor) -> None:
    """Check what is on the page now."""
    assert await findings(ann.page) == []
    assert await overflowing(ann.page) == []


async def has_buttons(message: Locator, language: Language, *keys: str) -> None:
    """Check that a message has these buttons and no other."""
    names = [say(language, key) for key in keys]
    await expect(message.locator(".actions button")).to_have_text(names)


async def choose(ann: Visitor, item: str) -> None:
    """Choose an item of the menu of the only memory in Home."""
    await ann.page.locator(".home .overflow").click()
    await ann.page.get_by_role("menuitem", name=item).click()


def be_due(kioku: Playground, what: str) -> None:
    """Let the promise of this have been made long ago, and be due two days ago."""
    earlier = (datetime.now(UTC) - timedelta(days=2)).date().isoformat()
    for table in ("store", "memory_versions"):
        assert owner_rows(kioku.database, _MOVED.format(table), earlier, what)


def pass_a_minute(kioku: Playground) -> None:
    """Run the job of each minute, and wait until it and its reminders have been carried out."""
    owner_rows(kioku.database, _MINUTE, REPLIES, KEEP_UP)
    until(lambda: not owner_rows(kioku.database, _WAITING, [KEEP_UP, REMIND]))


def _said(language: Language, key: str) -> str:
    """Return the longest part of a sentence that is the same for all values."""
    text = say(language, key, **dict.fromkeys(("line", "when", "what", "day"), "\0"))
    return max(text.replace("\n> ", "\0").split("\0"), key=len).strip()
