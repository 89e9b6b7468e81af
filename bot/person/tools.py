"""Function tools by which a person controls their memory in plain words.

What only holds memory back is done at once; what would delete or switch something on is proposed,
and the person's click decides.
"""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable, Mapping
from functools import partial
from typing import Any, TypeAlias

from bot.changed.privately import Work
from bot.locale import Language
from bot.messages import Message
from bot.own.memories import OwnMemories
from bot.own.periods import PeriodForgetting
from bot.own.placing import Placing
from bot.own.stretches import STRETCHES, Period
from bot.person.controls import Controls
from bot.person.pausing import PauseNotUnderstood
from bot.person.settings import MAX_RETENTION_DAYS
from bot.surfaces.blocks import Payload
from bot.turns import Intent
from bot.viewing import Viewing
from memory import DM, Person

Arguments = Mapping[str, Any]
Definition = dict[str, Any]
# Person, language, no words, and the conversation it is asked in.
Show: TypeAlias = Callable[[Person, Language, str, str], Awaitable[Payload]]
_Run: TypeAlias = Callable[[Arguments], Awaitable[Any]]

_PAUSE = (
    "Pause memory: until it ends nothing is read from it and nothing the person says is ever"
    " remembered. Use it when they ask to pause, stop or take a break from remembering."
)
_DURATION = (
    "How long or until when, in the person's own words: 'for 2 hours', 'until tomorrow',"
    " '明日まで'; a date such as 2026-12-24 or a time such as 18:00, too."
    " Empty: until they resume it."
)
_RESUME = "End a pause of memory, when the person asks to resume or to remember again."
_NOT_THIS = (
    "Never remember one message: use it when the person says 'don't remember this', 'off the"
    " record' or the like. `which` is previous_message when they mean what they wrote before."
)
_INCOGNITO = (
    "Make this thread incognito for the person, for good: memory is neither read nor written in it."
    " Use it when they ask that for this thread or conversation."
)
_QUIET = (
    "Be quiet in this thread from now on: only where you are mentioned you answer, and then follow"
    " it again. Use it when somebody asks you to be quiet, to stay out of it or to stop replying"
    " here; then say in a few words that a mention brings you back."
)
_LOOK = (
    "Read what the person looks at in Slack right now: a channel's newest messages, or a message"
    " with its thread. Use it when they speak of 'this channel', 'this message', 'what is going on"
    " here' or the like, and it is not in this conversation."
)
_PERIOD = (
    "Propose to forget all that the person told you in a stretch of time or in this thread: they"
    " get a button and decide; say so."
)
# What only shows something to the person, who may click there; offered where somebody shows it.
_SHOWS = {
    "show_settings": (
        "Show the person, privately, their settings: memory, notices, language, how long kept."
    ),
    "show_history": (
        "Show the person, privately, what was remembered, changed and forgotten lately, with Undo."
    ),
    "show_preview": (
        "Show the person, privately, which memories a reply in this conversation could draw on."
    ),
    "show_help": "Show the person, privately, what they can do with their memories, and how.",
    "export_memories": (
        "Offer the person, privately, a file of everything that is stored about them."
    ),
}
_PLACE = (
    "Propose to use what the person told you in other conversations than now: here, everywhere in"
    " the workspace, or in their direct messages only. They get a button and decide; say so."
)
_CHANGE = (
    "Change the person's settings as they ask: `notices` of what was remembered, the `language` you"
    " answer commands in, `memory` on or off, how many days memories are kept (0: no end). To turn"
    " memory on, and how long to keep, is only proposed: they get a button; say so."
)
_WHERE = ("here", "everywhere", "direct_messages")
_WHICH = ("this_message", "previous_message")
_CHANGEABLE: dict[str, Definition] = {
    "notices": {"type": "boolean"},
    "language": {"type": "string", "enum": ["en", "ja", "slack"]},
    "retention_days": {"type": "integer", "minimum": 0, "maximum": MAX_RETENTION_DAYS},
    "memory": {"type": "string", "enum": ["on", "off"]},
}


class ControlTools:
    """The tools for one message of one person."""

    def __init__(
        self,
        controls: Controls,
        own: OwnMemories,
        periods: PeriodForgetting,
        shows: Mapping[str, Show],
        placing: Placing,
        viewing: Viewing,
        message: Message,
        intent: Intent,
    ) -> None:
        self._controls = controls
        self._own = own
        self._periods = periods
        self._placing = placing
        self._viewing = viewing
        self._message = message
        self._intent = intent
        self.shown: list[Work] = []
        self.switched_off = False
        self.forgets = False
        works: list[tuple[Definition, _Run]] = [
            (_tool(name, _SHOWS[name]), partial(self._show, work)) for name, work in shows.items()
        ]
        works += [
            (_tool("pause_memory", _PAUSE, duration=_text(_DURATION)), self._pause),
            (_tool("resume_memory", _RESUME), self._resume),
            (_tool("do_not_remember", _NOT_THIS, which=_one_of(*_WHICH)), self._do_not_remember),
            (_tool("incognito_thread", _INCOGNITO), self._make_incognito),
            (
                _tool("forget_period", _PERIOD, period=_one_of(*STRETCHES, "this_thread")),
                self._forget_period,
            ),
            (
                _tool(
                    "change_where_used",
                    _PLACE,
                    about=_text("Words of the memories that are meant: what they are about."),
                    where=_one_of(*_WHERE),
                ),
                self._change_where_used,
            ),
            (_tool("change_settings", _CHANGE, **_CHANGEABLE), self._change_settings),
        ]
        if message.audience == DM:
            works.append((_tool("read_current_context", _LOOK), self._look))
        else:
            works.append((_tool("be_quiet_in_thread", _QUIET), self._be_quiet))
        self._tools = {str(tool["name"]): (tool, run) for tool, run in works}

    def definitions(self) -> list[Definition]:
        """Return the tools as the Responses API takes them."""
        return [definition for definition, _ in self._tools.values()]

    def __contains__(self, name: str) -> bool:
        return name in self._tools

    async def call(self, name: str, given: Arguments) -> str:
        """Run one function call of the model; return its output, which may be an error for it.

        Raises `psycopg.OperationalError` when the database is away.
        """
        _, work = self._tools[name]
        return json.dumps(await work(given), ensure_ascii=False, default=str)

    async def _pause(self, given: Arguments) -> Any:
        person = self._message.person
        try:
            settings = await self._controls.pause(person, str(given.get("duration") or ""))
        except PauseNotUnderstood:
            return _error("`duration` is not understood: write it as 'for 2 hours' or a date.")
        # To ask for a pause is nothing to remember either.
        await self._controls.put_off_record(self._message, self._intent, "this_message")
        self.switched_off = True
        self.shown.append(self._controls.pause_shown)
        end = settings.paused_until
        until = end.astimezone(settings.zone).isoformat(timespec="minutes") if end else "resumed"
        return {"paused": True, "until": until}

    async def _resume(self, given: Arguments) -> Any:
        del given
        off = await self._controls.resume(self._message.person)
        self.shown.append(self._controls.resumed)
        return {"resumed": True} if off is None else _error(f"Memory stays off: {off}.")

    async def _do_not_remember(self, given: Arguments) -> Any:
        which = given.get("which", "this_message")
        if which not in _WHICH:
            return _error("`which` is this_message or previous_message.")
        left = await self._controls.put_off_record(self._message, self._intent, which)
        self.switched_off = True
        if not left:
            return {"not_remembered": which, "done": True}
        self.forgets = True
        self.shown.append(partial(self._own.proposed, memories=tuple(left)))
        return {"not_remembered": which, "done": False, "proposed": True}

    async def _make_incognito(self, given: Arguments) -> Any:
        del given
        await self._controls.make_incognito(self._message)
        self.switched_off = True
        self.shown.append(self._controls.incognito_shown)
        return {"incognito": True, "for_good": True}

    async def _look(self, given: Arguments) -> Any:
        del given
        return await self._viewing.read(self._message)

    async def _be_quiet(self, given: Arguments) -> Any:
        del given
        await self._controls.be_quiet(self._message)
        return {"quiet": True, "until": "somebody mentions you in this thread"}

    async def _forget_period(self, given: Arguments) -> Any:
        name = given.get("period")
        if name == "this_thread":
            period = Period(thread=self._message.thread)
            self.shown.append(partial(self._periods.proposed, period=period))
        elif name in STRETCHES:
            self.shown.append(partial(self._periods.stretch_proposed, name=name))
        else:
            return _error(f"`period` is one of {', '.join(STRETCHES)}, this_thread.")
        self.forgets = True
        return {"proposed": True, "done": False}

    async def _change_where_used(self, given: Arguments) -> Any:
        words, where = str(given.get("about") or "").strip(), given.get("where")
        if not words or where not in _WHERE:
            return _error(f"Give `about`, some words, and `where`: {', '.join(_WHERE)}.")
        self.shown.append(
            partial(
                self._placing.proposed,
                words=words,
                where=where,
                channel=self._message.channel_id,
            )
        )
        return {"proposed": True, "done": False}

    async def _show(self, show: Show, given: Arguments) -> Any:
        del given
        channel = self._message.channel_id
        self.shown.append(lambda person, language: show(person, language, "", channel))
        return {"shown_privately": True}

    async def _change_settings(self, given: Arguments) -> Any:
        person, language = self._message.person, given.get("language")
        chosen: dict[str, Any] = {}
        if isinstance(given.get("notices"), bool):
            chosen["notices"] = given["notices"]
        if language in ("en", "ja", "slack"):
            chosen["language"] = None if language == "slack" else language
        days, memory = given.get("retention_days"), given.get("memory")
        keeps = type(days) is int and 0 <= days <= MAX_RETENTION_DAYS
        if not (chosen or keeps or memory in ("on", "off")):
            return _error("Nothing to change: give notices, language, retention_days or memory.")
        if chosen:
            await self._controls.choose(person, **chosen)
        if memory == "off":
            await self._controls.refuse(person)
            await self._controls.put_off_record(self._message, self._intent, "this_message")
            self.switched_off = True
        if keeps:
            work = partial(self._controls.retention_proposed, days=days or None)
            self.shown.append(work)
        self.shown.append(
            self._controls.consent_asked if memory == "on" else self._controls.settings_shown
        )
        return {"done": [*chosen, *(["memory"] if memory == "off" else [])]} | (
            {"proposed": True} if keeps or memory == "on" else {}
        )


def _tool(name: str, description: str, **properties: Definition) -> Definition:
    return {
        "type": "function",
        "name": name,
        "description": description,
        "parameters": {
            "type": "object",
            "properties": properties,
            "required": [],
            "additionalProperties": False,
        },
        "strict": False,
    }


def _text(description: str) -> Definition:
    return {"type": "string", "description": description}


def _one_of(*values: str) -> Definition:
    return {"type": "string", "enum": list(values)}


def _error(sentence: str) -> Definition:
    return {"error": sentence}
