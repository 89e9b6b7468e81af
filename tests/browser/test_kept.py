"""Two stories of what a channel has agreed, each in a browser in both languages."""

from __future__ import annotations

import re
from dataclasses import dataclass

import pytest
from playwright.async_api import Locator, expect

from bot.locale import Language, say
from tests.browser.conftest import Visit
from tests.browser.test_accessibility import findings
from tests.browser.visitor import Playground, Visitor


@dataclass(frozen=True)
class Story:
    """What people type in one language."""

    language: Language
    locale: str
    people: tuple[str, str]
    keep: str
    line: str
    question: str
    decision: str
    gone: str


STORIES = [
    Story(
        language="en",
        locale="en-US",
        people=("Benedict", "Miriam"),
        keep="remember for this channel: the staging database is orion, ask Ana before a reset",
        line="the staging database is orion, ask Ana before a reset",
        question="which staging database do we have?",
        decision="We decided to deploy on Tuesdays only",
        gone="This is no longer kept for",
    ),
    Story(
        language="ja",
        locale="ja-JP",
        people=("文香", "未央"),
        keep="このチャンネルに覚えて：検証用データベースはオリオンで、リセット前にアナさんに確認する",
        line="検証用データベースはオリオンで、リセット前にアナさんに確認する",
        question="検証用データベースはどれですか？",
        decision="デプロイは火曜日だけと決まりました",
        gone="引用しなくなりました",
    ),
]


async def team_of(
    visit: Visit, kioku: Playground, story: Story
) -> tuple[Visitor, Visitor, str]:
    """Return two people of a language in a channel of their own."""
    users = [kioku.person(story.locale, name) for name in story.people]
    name = (
        f"platform-{story.language}-{len(kioku.get('_playground/state')['channels'])}"
    )
    kioku.post("_playground/channels", kind="public", members=users, name=name)
    one, other = [await visit(kioku, user, reduced_motion="reduce") for user in users]
    for person in (one, other):
        await person.go(name)
    return one, other, name


async def to_the_app(person: Visitor, text: str) -> Locator:
    """Mention the app; return the open thread below the message."""
    await person.box.press_sequentially("@Kio")
    await expect(person.page.locator("#composer-options .option")).to_have_count(1)
    await person.box.press("Enter")
    await person.box.press_sequentially(text)
    await person.box.press("Enter")
    said = person.messages.filter(has_text=text)
    await said.locator(".replies").first.click()
    return person.page.get_by_role("complementary")


async def use(person: Visitor, text: str, shortcut: str) -> None:
    """Choose a shortcut in the menu of a message."""
    said = (
        person.page.locator("#conversation .messages > .message")
        .filter(has_text=text)
        .first
    )
    await said.hover()
    await said.locator('[data-focus^="more-"]').click()
    await person.page.get_by_role("menuitem", name=re.compile(shortcut)).click()


@pytest.mark.parametrize("story", STORIES, ids=lambda one: one.language)
async def test_a_person_tells_the_channel_and_a_colleague_gets_it_quoted(
    kioku: Playground, visit: Visit, story: Story
) -> None:
    """Kept by the click below one's own words; asked for by a colleague; taken back for all."""
    ben, mia, _ = await team_of(visit, kioku, story)
    thread = await to_the_app(ben, story.keep)
    keep = say(story.language, "kept_ask_button")
    await thread.get_by_role("button", name=keep, exact=True).click()
    undo = say(story.language, "undo_button")
    lines = thread.locator(".message", has_text=story.line)
    await expect(lines.last.get_by_role("button", name=undo)).to_be_visible()
    answer = await to_the_app(mia, story.question)
    quoted = answer.locator(".message", has_text=story.line).last
    await expect(quoted).to_contain_text(story.people[0])
    await expect(quoted.get_by_role("link").first).to_be_visible()
    assert await findings(mia.page) == []
    await mia.say("/memories channel")
    panel = mia.page.get_by_role("dialog")
    await expect(panel).to_contain_text(story.line)
    assert await findings(mia.page) == []
    await mia.page.keyboard.press("Escape")
    await lines.last.get_by_role("button", name=undo).click()
    await expect(thread).to_contain_text(story.gone)
    # What is left is the message of its author.
    await expect(lines).to_have_count(1)
    await mia.say("/memories channel")
    await expect(panel).to_contain_text(say(story.language, "kept_none")[:10])
    await expect(panel).not_to_contain_text(story.line)


@pytest.mark.parametrize("story", STORIES, ids=lambda one: one.language)
async def test_a_decision_is_kept_with_its_authors_yes_and_shown_as_one(
    kioku: Playground, visit: Visit, story: Story
) -> None:
    """Somebody proposes it, its author clicks; the list says that it is a decision."""
    ben, mia, _ = await team_of(visit, kioku, story)
    await ben.say(story.decision)
    await use(mia, story.decision, "Keep as Decision")
    asked = say(story.language, "kept_asked")
    await expect(mia.page.locator("#conversation")).to_contain_text(asked)
    yes = say(story.language, "kept_ask_button")
    await ben.page.get_by_role("button", name=yes, exact=True).click()
    await expect(ben.page.locator("#conversation")).to_contain_text(
        say(story.language, "kept_done", channel="{").partition("{")[2][:20]
    )
    await ben.say("/memories channel")
    panel = ben.page.get_by_role("dialog")
    kept = panel.locator(".section", has_text=story.decision)
    await expect(kept).to_contain_text(say(story.language, "kept_decision"))
    assert await findings(ben.page) == []
