"""The app of one measurement, what a person does with it, and what is counted."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from typing import Any
from uuid import uuid4

import psycopg

from bench.forgetting.model import Model, shown
from bench.testbed import Json, Testbed
from bot.acts.kinds import Forget, Place, clicked_act
from bot.acts.phrases import heard_after_forget
from bot.acts.receipt import Click
from bot.answering.turn import answer_message
from bot.app import App
from bot.commands.clicks import perform
from bot.commands.commands import carry_out
from bot.config import Settings
from bot.conversation.audiences import DIRECT
from bot.conversation.inbox import store_message, take_message
from bot.forgetting.forgetting import end_texts
from bot.locale import Localizer
from bot.remembering.formation import form_memories
from bot.runtime.wiring import open_app
from bot.slack.messages import Message
from memory import DM, Person
from memory.store import expire_due
from openai_double import create_app
from openai_double.answer import make_call
from openai_double.serving import serving

# More would not fit into one answer of the memory model, and be formed one by one.
_FORMED_AT_ONCE = 6
_LATER = (
    "UPDATE forgotten SET at = at - interval '11 minutes'"
    " WHERE user_id = %s AND purged_at IS NULL",
    "UPDATE messages SET begun_at = begun_at - interval '11 minutes' WHERE user_id = %s",
)


@dataclass(slots=True)
class Counts:
    """Numbers by their names, and a line for each case that is worth a look."""

    numbers: Counter[str] = field(default_factory=Counter)
    lines: list[str] = field(default_factory=list)

    def add(self, name: str, group: str, number: int = 1) -> None:
        """Count for a group of cases, and for all."""
        self.numbers[f"{name}_{group}"] += number
        self.numbers[f"{name}_all"] += number


@dataclass(slots=True)
class Human:
    """A person of the workspace, and their direct messages with the app."""

    person: Person
    channel: str = "dm"
    unformed: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class World:
    """An app with a database of its own, and its model."""

    app: App
    model: Model
    testbed: Testbed
    owner: psycopg.AsyncConnection[Any]

    async def human(self, name: str) -> Human:
        """Add a person to the workspace."""
        user = await self.testbed.person(name)
        return Human(Person(self.app.presence.team_id, user))

    async def say(self, human: Human, text: str) -> Message:
        """Write a direct message to the app, which is answered."""
        person = human.person
        said = {"user": person.user_id, "channel": human.channel, "text": text}
        sent = await self.testbed.slack("messages", said)
        human.channel = sent["channel"]
        message = Message(
            team_id=person.team_id,
            user_id=person.user_id,
            user_team_id=person.team_id,
            channel_id=human.channel,
            ts=sent["ts"],
            thread_ts=sent["ts"],
            text=text,
            audience=DM,
            addressed=True,
        )
        await store_message(self.app, message)
        claimed = await take_message(self.app, message.thread, uuid4())
        if claimed is None:
            raise RuntimeError("A message was not stored.")
        await answer_message(self.app, replace(claimed, kind=DIRECT))
        human.unformed += 1
        if human.unformed == _FORMED_AT_ONCE:
            await self.form(human)
        return message

    async def ask(self, human: Human, question: str) -> str:
        """Return what the model is shown for a question, which leaves nothing behind."""
        message = await self.say(human, question)
        human.unformed -= 1
        await self.owner.execute(
            "DELETE FROM messages WHERE channel_id = %s AND ts = %s",
            (message.channel_id, message.ts),
        )
        return shown(self.model.prompt)

    async def form(self, human: Human) -> None:
        """Form the memories of all that the person has written."""
        if human.unformed:
            human.unformed = 0
            person = human.person
            await form_memories(self.app, person.team_id, person.user_id, DM)

    async def listed(self, human: Human, words: str) -> Forget:
        """Return what *Forget All* below the list of ``/forget WORDS`` forgets."""
        told = await carry_out(self.app, _click(human), heard_after_forget(words))
        found = _forgets(told["blocks"])
        return found[-1] if found else Forget()

    async def forget(self, human: Human, chosen: Forget) -> None:
        """Click *Forget*."""
        await perform(self.app, _click(human), chosen)

    async def let_ten_minutes_pass(self, human: Human) -> None:
        """Let the time pass in which a forgetting can be undone."""
        for statement in _LATER:
            await self.owner.execute(statement, (human.person.user_id,))
        await expire_due(self.app.pool, end_texts=end_texts)

    async def searched(self, human: Human, query: str) -> list[str]:
        """Return the keys that the model's tool finds."""
        asked = f"Please look up {query}"
        self.model.not_formed.add(asked)
        await self.form(human)
        self.model.calls = [make_call("memory_search", {"query": query})]
        await self.say(human, asked)
        await self.form(human)
        return [one["id"] for one in json.loads(self.model.prompt.results[-1].output)]

    async def forget_by_keys(self, human: Human, keys: list[str]) -> None:
        """Let the model propose to delete these memories, and click its button."""
        asked = f"Please delete those {len(keys)}"
        self.model.not_formed.add(asked)
        for key in keys:
            deletion = {"action": "delete", "id": key, "evidence": asked}
            self.model.calls.append(make_call("memory_change", deletion))
        await self.say(human, asked)
        await self.form(human)
        path = f"channels/{human.channel}/messages?user={human.person.user_id}"
        blocks: list[Json] = []
        for message in (await self.testbed.slack(path))["messages"]:
            blocks += message.get("blocks") or []
        await self.forget(human, _forgets(blocks)[-1])


def _click(human: Human) -> Click:
    place = Place(channel=human.channel)
    return Click(person=human.person, localizer=Localizer("en"), place=place)


def _forgets(blocks: list[Json]) -> list[Forget]:
    """Return what the buttons of a message forget."""
    acts: list[Forget] = []
    for block in blocks:
        for element in [*block.get("elements", []), block.get("accessory") or {}]:
            act = clicked_act(element)
            if isinstance(act, Forget):
                acts.append(act)
    return acts


@asynccontextmanager
async def open_world(testbed: Testbed) -> AsyncIterator[World]:
    """Open an app that forms memories when it is told to."""
    model = Model()
    address = testbed.app_database("forgetting")
    async with serving(create_app(model.answer), 0) as url:
        own = {"OPENAI_BASE_URL": f"{url}/v1", "KIOKU_FORMATION": "hot"}
        given = testbed.app_settings(address, **own)
        settings = Settings.model_validate(given)
        async with (
            await psycopg.AsyncConnection.connect(address, autocommit=True) as owner,
            open_app(settings, given["DATABASE_URL"]) as app,
        ):
            await app.queue.open()
            yield World(app=app, model=model, testbed=testbed, owner=owner)
