"""The two stories of the articles, typed and clicked on the page."""

from __future__ import annotations

from playwright.async_api import expect

from tests.browser.conftest import Visit
from tests.browser.visitor import Playground


async def test_the_food_story(kioku: Playground, visit: Visit) -> None:
    """What was said about food is built on in the next answer, and changes with the person."""
    aki = await visit(kioku, kioku.person("ja-JP"))
    await aki.ask("ラーメンが大好きです!!")
    await aki.ask("パスタも好きです")
    await aki.remembered("ラーメン", "パスタ")
    answer = await aki.ask("今日のランチは何を食べようかな？")
    assert "ラーメン" in answer or "パスタ" in answer
    await aki.ask("パスタは嫌いになりました")
    await aki.remembered("ラーメン", without="パスタが好き")


async def test_the_technology_story(kioku: Playground, visit: Visit) -> None:
    """A suggested prompt is answered from what the person said they are interested in."""
    ben = await visit(kioku, kioku.person())
    prompt = ben.page.locator(".prompt", has_text="technology topics")
    await expect(prompt).to_be_visible()
    await ben.ask("I'm interested in AWS and Azure")
    await ben.remembered("AWS", "Azure")
    answer = await ben.ask("Recommend three technology topics for me, in a sentence each.")
    assert "AWS" in answer
    assert "Azure" in answer


async def test_a_thread_of_two_people(kioku: Playground, visit: Visit) -> None:
    """A mention in a channel is answered in its thread, which another person opens and joins."""
    ann = await visit(kioku, kioku.person())
    await ann.go("general")
    await ann.box.press_sequentially("@Kio")
    await expect(ann.page.locator("#composer-options .option")).to_have_count(1)
    await ann.box.press("Enter")
    await ann.box.press_sequentially("I like soba")
    await ann.box.press("Enter")
    replies = ann.messages.filter(has_text="I like soba").locator(".replies")
    await expect(replies).to_contain_text("1 reply", timeout=15_000)

    bea = await visit(kioku, kioku.person())
    await bea.go("general")
    await bea.messages.filter(has_text="I like soba").locator(".replies").click()
    side = bea.page.get_by_role("complementary", name="Thread")
    await expect(side.locator(".message")).to_have_count(2)
    box = side.get_by_role("textbox", name="Reply in this thread")
    await expect(box).to_be_focused()
    await box.fill("me too")
    await box.press("Enter")
    await expect(side.locator(".message", has_text="me too")).to_be_visible()
    await expect(replies).to_contain_text("replies", timeout=15_000)
    await box.fill("/memories")
    await box.press("Enter")
    await expect(side.get_by_role("alert")).to_contain_text("do not work in threads")
    await bea.page.keyboard.press("Escape")
    await expect(side).to_be_hidden()
