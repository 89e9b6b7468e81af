"""A person in Slack's interface, before an app that runs in this process."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from functools import partial
from typing import Any

from bot.locale import Language, say
from bot.panel.home import PUBLISH, publish_home
from bot.slack.messages import Message
from memory import DM, Memory, Person, PersonMessage, add_memories
from tests import person
from tests.integration.app import App
from tests.integration.playground_slack import PersonThread
from tests.person import Place
from tests.waiting import until

LOCALES: dict[Language, str] = {"en": "en-US", "ja": "ja-JP"}


class SlackPerson:
    """A new person in the workspace; the playground delivers to the app meanwhile.

    Each method of `tests.person.Person` is one of this class too, and awaited: it runs in a thread
    while the app answers in this loop.
    """

    def __init__(self, app: App, language: Language = "en", **profile: Any) -> None:
        self.app = app
        self.language = language
        self._person = person.Person(app.slack, locale=LOCALES[language], **profile)
        self.user = self._person.id
        self.team = self._person.team
        self.person = Person(app.slack.team_id, self.user)

    def __getattr__(self, name: str) -> Callable[..., Awaitable[Any]]:
        return partial(asyncio.to_thread, getattr(self._person, name))

    async def control(self, path: str, body: Any = None) -> Any:
        """Make a control call while the app answers."""
        return await asyncio.to_thread(self.app.slack.control, path, body)

    def sentence(self, key: str, **values: Any) -> str:
        """Return a sentence of the app in the person's language."""
        return say(self.language, key, **values)

    async def remember(self, *foods: str) -> None:
        """Let the person add likings, the last the newest."""
        for food in foods:
            await add_memories(
                self.app.pool,
                self.app.embedder,
                self.person.namespace(DM),
                "UserFoodPreference",
                [
                    (
                        {"food_name": food, "preference": 80},
                        PersonMessage(actor="modal", text=food),
                    )
                ],
            )

    async def foods(self) -> list[str]:
        """Return what the person likes, in alphabetical order."""
        found = await self.app.memories(self.person)
        return sorted(str(one.content.get("food_name")) for one in found)

    async def memory(self, food: str) -> Memory:
        """Return the memory of a food."""
        [found] = [
            m for m in await self.app.memories(self.person) if food in str(m.content)
        ]
        return found

    async def remembers(self, *foods: str) -> None:
        """Wait until these are remembered, and nothing else."""

        async def same() -> bool:
            return await self.foods() == sorted(foods)

        await until(same)

    async def say(self, text: str) -> Message:
        """Write a message; it is answered."""
        said = await self.control(
            "messages", {"user": self.user, "channel": "dm", "text": text}
        )
        place = PersonThread(
            self.user, self.team, said["channel"], said["ts"], said["ts"]
        )
        message = self.app.slack.message(place, text=text)
        await self.delivered()
        await self.app.answering.drain(message.thread)
        return message

    async def delivered(self) -> None:
        """Wait until the app has acknowledged everything that happened."""
        assert (await self.control("settle", {"seconds": 50}))["settled"]

    async def open_home(self) -> Place:
        """Open the Home tab; it is published."""
        await self.control("home/open", {"user": self.user, "tab": "home"})
        await self.delivered()
        await self.publish_home()
        return self._person.home()

    async def publish_home(self) -> None:
        """Do the job that publishes the person's Home, if one waits."""
        for job in await asyncio.to_thread(self.app.take_jobs, PUBLISH):
            await publish_home(self.app.core, **job)
