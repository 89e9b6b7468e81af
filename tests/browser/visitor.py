"""What a person does on the page, and how they come to be in the workspace."""

from __future__ import annotations

import itertools
import re
import time
from dataclasses import dataclass

from playwright.async_api import Locator, Page, expect

from tests.playground import Playground

# A busy machine takes longer than the five seconds that Playwright waits otherwise.
_SECONDS = 60
expect.set_options(timeout=_SECONDS * 1_000)
_SHOW = re.compile("^(Show|表示する)$")
_SETTINGS = re.compile("^(Settings|設定)$")
_numbers = itertools.count(1)


def newcomer(playground: Playground, locale: str = "en-US") -> str:
    """Add somebody new, in #general and with a DM of their own; return their id."""
    user, _ = playground.person(name=f"Visitor{next(_numbers)}", locale=locale)
    channels = playground.control("state")["channels"]
    [general] = [one["id"] for one in channels if one["name"] == "general"]
    playground.control("channels/update", {"channel": general, "add": [user]})
    playground.seen(user)
    return user


@dataclass(frozen=True)
class Visitor:
    """Somebody in front of the page."""

    page: Page
    playground: Playground

    @property
    def box(self) -> Locator:
        """The message box."""
        return self.page.locator("#composer-text")

    @property
    def messages(self) -> Locator:
        """The messages of the conversation, without status lines and notices of changes."""
        shown = self.page.locator(
            "#conversation .messages > .message:not(.status, .pending)"
        )
        own = shown.and_(self.page.locator(".only"))
        return shown.filter(has_not=self.page.locator("button", has_text=_SHOW)).or_(
            own
        )

    @property
    def last(self) -> Locator:
        """The newest of them."""
        return self.messages.last

    async def say(self, text: str) -> None:
        """Type a message and press Enter."""
        await self.box.fill(text)
        await self.box.press("Enter")

    async def ask(self, text: str) -> str:
        """Say something in the DM; return the app's whole answer once it has come."""
        before = await self.messages.count()
        await self.say(text)
        await expect(self.messages).to_have_count(before + 2)
        await expect(self.page.locator(".live, .message.status")).to_have_count(0)
        return await self.last.locator(".content").inner_text()

    async def command(self, text: str) -> Locator:
        """Give a slash command; return the answer that only this person sees."""
        before = await self.messages.count()
        await self.say(text)
        await expect(self.messages).to_have_count(before + 1)
        return self.last

    async def remembered(self, *words: str, without: str = "\0") -> None:
        """Look at /memories until these words are there, and `without` is not."""
        end = time.monotonic() + _SECONDS
        panel = self.page.get_by_role("dialog")
        while time.monotonic() < end:
            await self.say("/memories")
            await expect(panel.get_by_role("button", name=_SETTINGS)).to_be_visible()
            text = await panel.inner_text()
            await self.page.keyboard.press("Escape")
            await expect(panel).to_have_count(0)
            if all(word in text for word in words) and without not in text:
                return
            await self.page.wait_for_timeout(400)
        raise AssertionError(f"{words} were not remembered in time: {text}")

    async def go(self, place: str) -> None:
        """Choose a conversation on the left."""
        await self.page.locator(".place", has_text=place).first.click()
        await expect(self.page.locator("#conversation h1")).to_contain_text(place)
