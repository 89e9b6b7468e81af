"""Slack's interface before an app of this process: a click is made and delivered by the playground.

It takes the way of every click: Slack's signed request, Bolt, the listener, and the response URL or
method that shows what it led to.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

from bot.acts.blocks import button, payload
from bot.acts.kinds import ACT, ButtonAct, Export, Undo, clicked_act
from bot.app import App
from bot.listeners.bolt_app import create_bolt_app
from bot.listeners.interactions import REMEMBER_THIS, Interactions
from bot.queue.pulse import Pulse
from bot.runtime.http import Readiness, create_web_app
from memory import Person
from tests import person
from tests.integration.playground_slack import PersonThread, PlaygroundSlack
from tests.loopback import serving
from tests.person import Place, elements

_SECONDS = 60.0
# What shows an answer: a response URL, or a thread's ephemeral message.
_SHOWING = ("response_url", "chat.postEphemeral")


@dataclass(frozen=True, slots=True)
class Answer:
    """What a person is shown for a click, a shortcut or a submitted form.

    `message`: as the app sent it, empty if there was none. `form`: the view that is open then.
    `errors`: what is wrong with the values of a form, by block.
    """

    message: Mapping[str, Any] = field(default_factory=dict)
    form: Place | None = None
    errors: Mapping[str, str] = field(default_factory=dict)

    @property
    def line(self) -> str:
        """The text of the message, or what is wrong with the form; empty: nothing was shown."""
        return str(self.message.get("text", "")) or "\n".join(self.errors.values())

    @property
    def replaces(self) -> bool:
        """Whether the message takes the place of the one that was clicked."""
        return bool(self.message.get("replace_original"))

    @property
    def buttons(self) -> list[dict[str, Any]]:
        """The elements of the message that can be clicked."""
        return elements({**self.message})

    @property
    def acts(self) -> list[ButtonAct]:
        """The acts of the buttons of the message."""
        found = map(clicked_act, self.buttons)
        return [act for act in found if act is not None]

    @property
    def undo(self) -> Undo | None:
        """What *Undo* in the message does, if it has one."""
        found = [act for act in self.acts if isinstance(act, Undo)]
        return found[0] if found else None


@dataclass(frozen=True, slots=True)
class Endpoint:
    """Where Slack's requests are served, and what answers those that are no events."""

    url: str
    interactions: Interactions


@asynccontextmanager
async def served(app: App, signing_secret: str) -> AsyncIterator[Endpoint]:
    """Serve Slack's requests over HTTP."""

    async def ready() -> str | None:
        return None

    interactions = Interactions(app)
    bolt = create_bolt_app(app, interactions)
    application = create_web_app(
        Readiness(ready), Pulse(), bolt, app.slack.warnings, signing_secret
    )
    async with serving(application) as url:
        yield Endpoint(f"{url}/slack/events", interactions)


class Interface:
    """What people of the playground do in Slack's interface while `app` answers."""

    def __init__(self, app: App, slack: PlaygroundSlack) -> None:
        self._app = app
        self._slack = slack

    async def press(
        self, who: Person, place: Place, element: Mapping[str, Any]
    ) -> Answer:
        """Click an element of a message that the person sees, of the conversation ``channel``."""
        known = {**place, "channel": place["channel"]}
        chosen = element["value"]
        return await self._done(
            who, lambda one: one.send(known, {**element}, value=chosen)
        )

    async def press_in_form(self, who: Person, form: Place, act: str) -> Answer:
        """Click the first element of an open view whose value is this act."""
        [element, *_] = [
            one for one in elements(form) if f'"{act}"' in str(one.get("value"))
        ]
        return await self._done(who, lambda one: one.send(form, element))

    async def click(self, who: Person, act: ButtonAct | str | None) -> Answer:
        """Click a button below an earlier message that the app shows the person.

        A text is the value of a button of another version.
        """
        assert act is not None
        value = act if isinstance(act, str) else act.value
        user = who.user_id
        channel = self._slack.control(f"channels/dm/messages?user={user}")["channel"]
        shown = payload(
            "An earlier message", {**button("A button", Export()), "value": value}
        )
        made = self._slack.as_app(
            "chat.postEphemeral", channel=channel, user=user, **shown
        )
        place = {"channel": channel, "ts": made["message_ts"]}
        element = {"action_id": f"{ACT}_0", "block_id": None, "value": value}
        return await self.press(who, place, element)

    async def point_at(
        self, place: PersonThread, who: Person, shortcut: str = REMEMBER_THIS
    ) -> Answer:
        """Use a shortcut on the message of a place."""
        return await self._done(
            who, lambda one: one.use(shortcut, place.channel, place.ts)
        )

    async def type_command(
        self, who: Person, channel: str, command: str, text: str
    ) -> Answer:
        """Type a command in a conversation."""
        return await self._done(who, lambda one: one.type(f"{command} {text}", channel))

    async def submit(self, who: Person, form: Place, **values: Any) -> Answer:
        """Submit an open form with these values, by block."""
        return await self._done(who, lambda one: one.submit(form, **values))

    async def _done(self, who: Person, act: Callable[[person.Person], Any]) -> Answer:
        """Let somebody do something; return what they are shown for it."""
        slack = self._slack
        somebody = person.Person(slack, id=who.user_id)
        calls_before = slack.control("calls?since=999999999")["last"]
        async with self._delivering():
            outcome = await asyncio.to_thread(act, somebody)
        made = slack.control(f"calls?since={calls_before}")["calls"]
        shown = [call["args"] for call in made if call["method"] in _SHOWING]
        return Answer(
            message=shown[-1] if shown else {},
            form=somebody.form(),
            errors=((outcome or {}).get("ack") or {}).get("errors", {}),
        )

    @asynccontextmanager
    async def _delivering(self) -> AsyncIterator[None]:
        """Let the playground deliver what people do, but no events; no slow machine is too late."""
        slack = self._slack
        ack_seconds = slack.control("settings", {})["ack_seconds"]
        try:
            async with served(self._app, slack.info["signing_secret"]) as endpoint:
                slack.control("settings", {"ack_seconds": _SECONDS})
                slack.control("delivery", {"interactivity_url": endpoint.url})
                yield
                await endpoint.interactions.wait_until_idle(_SECONDS)
        finally:
            slack.control("delivery", {"interactivity_url": ""})
            slack.control("settings", {"ack_seconds": ack_seconds})
