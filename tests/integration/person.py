"""A person in Slack's interface: what they type, click, submit and see, through the playground."""

from __future__ import annotations

import asyncio
import json
import re
from typing import Any

from bot.locale import Language, say
from bot.memories.home import PUBLISH, publish_home
from bot.slack.messages import Message
from memory import DM, Memory, Person, add_memories
from tests.integration.app import App
from tests.integration.playground_slack import PersonThread
from tests.waiting import until

Place = dict[str, Any]
"""A message or a view, as the person sees it."""

LOCALES: dict[Language, str] = {"en": "en-US", "ja": "ja-JP"}


class SlackPerson:
    """A new person in the workspace; the playground delivers to the app meanwhile."""

    def __init__(self, app: App, language: Language = "en", **profile: Any) -> None:
        self.app, self.language = app, language
        self.user, self.team = app.slack.person(locale=LOCALES[language], **profile)
        self.person = Person(app.slack.team_id, self.user)

    async def control(self, path: str, body: Any = None) -> Any:
        """Make a control call while the app answers."""
        return await asyncio.to_thread(self.app.slack.control, path, body)

    def sentence(self, key: str, **values: Any) -> str:
        """Return a sentence of the app in the person's language."""
        return say(self.language, key, **values)

    # --- what is remembered

    async def remember(self, *foods: str) -> None:
        """Let the person add likings, the last the newest."""
        for food in foods:
            await add_memories(
                self.app.pool,
                self.app.embedder,
                self.person.namespace(DM),
                "UserFoodPreference",
                [({"food_name": food, "preference": 80}, {"kind": "modal", "evidence": food})],
            )

    async def foods(self) -> list[str]:
        """Return what the person likes, in alphabetical order."""
        found = await self.app.memories(self.person)
        return sorted(str(one.content.get("food_name")) for one in found)

    async def memory(self, food: str) -> Memory:
        """Return the memory of a food."""
        [found] = [m for m in await self.app.memories(self.person) if food in str(m.content)]
        return found

    async def remembers(self, *foods: str) -> None:
        """Wait until these are remembered, and nothing else."""

        async def same() -> bool:
            return await self.foods() == sorted(foods)

        await until(same)

    # --- what is seen

    async def seen(self, channel: str = "dm") -> list[Place]:
        """Return a conversation as the person sees it."""
        return list((await self.control(f"channels/{channel}/messages?as={self.user}"))["messages"])

    async def form(self) -> Place | None:
        """Return the form on top, if there is one."""
        views = (await self.control(f"views?as={self.user}"))["views"]
        return views[-1] if views else None

    async def form_opens(self) -> Place:
        """Wait until a form is open."""
        return await until(self.form)

    async def form_says(self, text: str) -> Place:
        """Wait until the modal on top says a text."""

        async def found() -> Place | None:
            view = await self.form()
            return view if view and text in shown(view) else None

        return await until(found)

    async def home(self) -> Place:
        """Return the Home as its person sees it."""
        view = (await self.control(f"home?as={self.user}"))["view"]
        return dict(view) if view else {}

    # --- what is done

    async def say(self, text: str) -> Message:
        """Write a message; it is answered."""
        said = await self.control("messages", {"user": self.user, "channel": "dm", "text": text})
        place = PersonThread(self.user, self.team, said["channel"], said["ts"], said["ts"])
        message = self.app.slack.message(place, text=text)
        await self._delivered()
        await self.app.answering.drain(message.thread)
        return message

    async def _delivered(self) -> None:
        assert (await self.control("settle", {}))["settled"]

    async def command(self, text: str, channel: str = "dm") -> Place:
        """Type a command; return the answer."""
        before = {message["ts"] for message in await self.seen(channel)}
        await self.type(text, channel)

        async def answer() -> Place | None:
            new = [m for m in await self.seen(channel) if m["ts"] not in before]
            return {**new[-1], "channel": channel} if new else None

        return await until(answer)

    async def type(self, text: str, channel: str = "dm") -> None:
        """Type a command; do not wait for an answer."""
        name, _, words = text.partition(" ")
        body = {"user": self.user, "channel": channel, "command": name, "text": words}
        await self.control("commands", body)

    async def open_home(self) -> Place:
        """Open the Home tab; it is published."""
        await self.control("home/open", {"user": self.user, "tab": "home"})
        await self._delivered()
        await self.publish_home()
        return await self.home()

    async def publish_home(self) -> None:
        """Do the job that publishes the person's Home, if one waits."""
        for job in await asyncio.to_thread(self.app.take_jobs, PUBLISH):
            await publish_home(self.app.wiring.app, **job)

    async def press(self, place: Place, action: str, value: str = "", **more: Any) -> None:
        """Click an element of a message or view, whose value begins with `value`."""
        element = find(place, action, "" if action == "search" else value)
        where = {"channel": place.get("channel", "dm"), "message_ts": place.get("ts")}
        if "hash" in place:
            where = {"view_id": place["id"]}
        chosen = element["chosen"] or value
        body = {"user": self.user, **where, **more}
        body |= {"action_id": element["action_id"], "block_id": element["block_id"]}
        body.setdefault("value", chosen)
        done = await self.control("actions", body)
        assert done["ok"], done

    async def click(self, place: Place, action: str, value: str = "", **more: Any) -> Place:
        """Click; return the place as it is then."""
        await self.press(place, action, value, **more)
        return await self.changed(place)

    async def changed(self, place: Place) -> Place:
        """Wait until a message or the Home is no more what it was; return it."""

        async def now() -> Place | None:
            if "hash" in place:
                view = await self.home()
                return view if view.get("hash") != place["hash"] else None
            channel = place.get("channel", "dm")
            found = next((m for m in await self.seen(channel) if m["ts"] == place["ts"]), None)
            if found is None or {**place, "channel": None} == {**found, "channel": None}:
                return None
            return {**found, "channel": channel}

        return await until(now)

    async def search(self, place: Place, words: str) -> Place:
        """Enter words in the search of a panel."""
        element = find(place, "search")
        values = {element["block_id"]: {"search": words}}
        return await self.click(place, "search", value=words, values=values)

    async def submit(self, view: Place, **values: Any) -> Any:
        """Submit a form with these values, by block."""
        body = {"view_id": view["id"], "user": self.user, "values": values}
        return await self.control("views/submit", body)


def shown(place: Place) -> str:
    """Return all that a message or view says, as one text."""
    return json.dumps(place.get("blocks") or place.get("text"), ensure_ascii=False)


def elements(place: Place) -> list[dict[str, Any]]:
    """Return what can be clicked in a place, each with the id of its block."""
    return [
        {**element, "block_id": block["block_id"]}
        for block in place.get("blocks", [])
        for element in [block.get("accessory"), block.get("element"), *block.get("elements", [])]
        if element and "action_id" in element
    ]


def find(place: Place, action: str, value: str = "") -> dict[str, Any]:
    """Return the first element of an action that has such a value or option."""
    for element in elements(place):
        if re.sub("_[0-9]+$", "", element["action_id"]) != action:
            continue
        values = [str(element.get("value", ""))]
        values += [option["value"] for option in element.get("options", [])]
        chosen = next((one for one in values if one.startswith(value)), None)
        if chosen is not None:
            return {**element, "chosen": chosen}
    raise AssertionError(f"no {action} with {value!r} in {shown(place)[:600]}")
