"""The function tool by which a person controls their memory in plain words.

What switches memory off is done at once, and the message that says so has the button for the
opposite. What would delete memories or switch memory on is proposed, because files and pages that a
model reads can mislead it: the person's click decides.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import UTC, date, datetime, time, tzinfo
from typing import Any

from bot.app import App
from bot.conversation.texts import delete_texts, message_before
from bot.conversation.turns import Turn
from bot.memories.cards import ask_about, shown_card
from bot.memories.forgetting import MAX_KEYS, forget_question_about
from bot.memories.switches import MORNING, turn_off
from bot.people import exclude
from bot.pipeline.context import read_viewed
from bot.types import Off
from bot.ui.blocks import Payload, payload
from bot.ui.messages import (
    PayloadMaker,
    done_payload,
    off_done,
    on_question,
    open_payload,
)
from bot.ui.reader import Reader
from memory import DM, PUBLIC, Person, Selection
from memory.postgres import lock_person, person_transaction
from memory.store import memory_page
from memory.tools import function_tool

Arguments = Mapping[str, Any]
Definition = dict[str, Any]

SETTINGS_TOOL = "memory_settings"
VIEW_TOOL = "read_current_view"
COLLEAGUE_TOOL = "ask_about_colleague"

_SETTINGS = """\
Show or change how this person is remembered, only when they ask for it. Actions:
open: a button that opens the list of what you remember of them, with settings, export and \
everything else; `words` search it; list changes: recent changes with Undo. Do not repeat the list.
pause: nothing is read or remembered until `until`, without it until resume.
incognito: the same in this conversation only. resume: memory on again (only proposed).
forget: what has all of `words`, or what they told you from `since` to `until`, or everything; \
only proposed: they get a button and decide; say so.
do_not_remember: delete the text of this message, as for off the record; which previous_message \
(only proposed): the one before."""
_VIEW = (
    "Read what the person looks at in Slack: a channel's newest messages or a message with its"
    ' thread. For "this channel", "this message" and the like, where it is not in this'
    " conversation."
)
_COLLEAGUE = (
    "Show the person what one colleague has chosen to tell others about how to work with them, when"
    " they ask how that colleague likes reviews, meetings, messages and the like. They see it in a"
    " message of its own below your answer; you do not, so say only that it follows. Never answer"
    " such a question yourself."
)
_MOMENT = {"type": "string", "description": "ISO 8601, in the person's time zone"}
_PARAMETERS: dict[str, Definition] = {
    "words": {"type": "string"},
    "list": {"type": "string", "enum": ["memories", "changes"]},
    "until": _MOMENT,
    "since": _MOMENT,
    "everything": {"type": "boolean"},
    "which": {"type": "string", "enum": ["this_message", "previous_message"]},
}
ACTIONS = ("open", "pause", "incognito", "resume", "forget", "do_not_remember")


class ControlTools:
    """The tools for one message of one person.

    `shown` are the messages to show them after the reply. `changed`: something was done at once;
    `switched_off`: nothing of this message may be remembered any more; `forgets`: they are asked
    whether to forget something.
    """

    def __init__(self, app: App, turn: Turn) -> None:
        self._app = app
        self._turn = turn
        self._message = turn.message
        # By what they show, so that a repeated request is shown only once.
        self._shown: dict[str, PayloadMaker] = {}
        self.changed = self.switched_off = self.forgets = False

    @property
    def shown(self) -> list[PayloadMaker]:
        """The messages to show the person after the reply."""
        return list(self._shown.values())

    def __contains__(self, name: str) -> bool:
        return name in (SETTINGS_TOOL, COLLEAGUE_TOOL) or (
            name == VIEW_TOOL and self._message.audience == DM
        )

    async def call(self, name: str, given: Arguments) -> str:
        """Run one function call of the model; return its output, which may be an error for it.

        Raises `psycopg.OperationalError` when the database is unavailable.
        """
        if name == VIEW_TOOL:
            output: Any = await read_viewed(self._app, self._message)
        elif name == COLLEAGUE_TOOL:
            output = await self._ask_about(str(given.get("name") or ""))
        else:
            output = await self._run(str(given.get("action")), given)
        return json.dumps(output, ensure_ascii=False, default=str)

    async def _run(self, action: str, given: Arguments) -> Definition:
        match action:
            case "open":
                changes = given.get("list") == "changes"
                words = " ".join(str(given.get("words") or "").split())
                kind = "changes" if changes else "memories"
                self._show(action, _made(open_payload, kind, words))
                return {"shown_privately": True}
            case "pause":
                return await self._pause(given)
            case "incognito":
                off = await self._turn_off(self._message.channel_id)
                return {"done": True, "memory": "off in this conversation", "off": off}
            case "resume":
                return await self._resume()
            case "forget":
                return await self._forget(given)
            case "do_not_remember":
                return await self._do_not_remember(given)
        return _error(f"`action` is one of {', '.join(ACTIONS)}.")

    async def _ask_about(self, who: str) -> Definition:
        asker = self._message.person
        if not (self._turn.view.audiences is None or PUBLIC in self._turn.view.audiences):
            return _error("Colleagues cannot be asked about here.")
        owner = await ask_about(self._app, asker, who)
        if isinstance(owner, str):
            return _error(owner)

        async def shown(_: Person, reader: Reader) -> Payload:
            return await shown_card(self._app, asker, owner, reader)

        self._show(f"card {owner.user_id}", shown)
        return {"shown_privately": True}

    async def _zone(self) -> tzinfo:
        # The turn began before Slack was asked about somebody new.
        return (await self._app.people.settings(self._message.person)).zone

    def _show(self, what: str, make: PayloadMaker) -> None:
        self._shown[what] = make

    async def _turn_off(self, scope: str, until: datetime | None = None) -> str:
        """Switch memory off from this message on, and say so with the button for the opposite."""
        # To ask for it is nothing to remember either.
        since = self._message.ts
        off = await turn_off(self._app, self._message.person, scope, until=until, since=since)
        self.changed = self.switched_off = True
        self._show("off", _made(_off, off, scope))
        return until.isoformat(timespec="minutes") if until else "until they switch it on"

    async def _pause(self, given: Arguments) -> Definition:
        until = None
        if self._turn.memory_state.off is not None:
            return _error("Memory is off already.")
        if given.get("until"):
            until = _moment(given["until"], await self._zone(), at=time(MORNING))
            if until is None or until <= datetime.now(UTC):
                return _error(
                    "`until` is not a time later than now: write ISO 8601, such as"
                    " 2026-12-24T18:00, or leave it out."
                )
        return {"done": True, "memory": "off", "until": await self._turn_off("", until)}

    async def _resume(self) -> Definition:
        off = self._turn.memory_state.off
        if off is None:
            return _error("Memory is on.")
        scope = self._message.channel_id if off.here else ""
        self._show("resume", _made(on_question, off, scope))
        return {"proposed": True, "done": False}

    async def _forget(self, given: Arguments) -> Definition:
        selection = await self._selection(given)
        if isinstance(selection, str):
            return _error(selection)
        person = self._message.person
        reader = await self._app.people.reader(person)
        if await forget_question_about(self._app, person, reader, selection) is None:
            return {"done": False, "not_found": True}
        self._ask_to_forget(selection)
        return {"proposed": True, "done": False}

    def _ask_to_forget(self, selection: Selection) -> None:
        async def ask(person: Person, reader: Reader) -> Payload:
            question = await forget_question_about(self._app, person, reader, selection)
            return question or payload(reader.say("forgotten_already"))

        self.forgets = True
        self._show("forget", ask)

    async def _selection(self, given: Arguments) -> Selection | str:
        """Return what is meant, or an error message for the model."""
        if given.get("everything") is True:
            return Selection(everything=True)
        if words := str(given.get("words") or "").strip():
            pool, person = self._app.pool, self._message.person
            found = await memory_page(pool, person, size=MAX_KEYS, words=words)
            return Selection(keys=[memory.key for memory in found.memories])
        zone = await self._zone()
        ends = {end: _moment(given[end], zone) for end in ("since", "until") if given.get(end)}
        if not ends or None in ends.values():
            return (
                "Give `words`, `everything`, or `since`, `until` or both in ISO 8601, such as"
                " 2026-12-24 or 2026-12-24T18:00."
            )
        since, until = ends.get("since"), ends.get("until")
        if since is not None and since > datetime.now(UTC):
            return "`since` is later than now: write when what is to be forgotten began."
        if since is not None and until is not None and until <= since:
            return "`until` is not after `since`: for one whole day write the next day's date."
        # One that lasts until now ends with the question: what is said later stays.
        return Selection(since=since, until=until or datetime.now(UTC))

    async def _do_not_remember(self, given: Arguments) -> Definition:
        message, person = self._message, self._message.person
        # The request itself repeats what is meant, so it is never remembered either.
        async with person_transaction(self._app.pool, person) as connection:
            await lock_person(connection, person)
            await exclude(connection, message)
            await delete_texts(connection, person, [self._turn.id])
            last = await message_before(connection, message)
        self.changed = self.switched_off = True
        self._show("not_remembered", _made(_not_remembered))
        if given.get("which") != "previous_message":
            return {"not_remembered": "this_message", "done": True}
        if last is None:
            return _error("There is no message before this one.")
        self._ask_to_forget(Selection(messages=[(message.channel_id, last)]))
        return {"not_remembered": "previous_message", "done": False, "proposed": True}


def control_tools(*, in_dm: bool, off: bool) -> list[Definition]:
    """Return the tools as the Responses API takes them; `off`: memory is."""
    action = {"type": "string", "enum": list(ACTIONS)}
    parameters = {"action": action, **_PARAMETERS}
    named = {"name": {"type": "string", "description": "their name, or the id in a mention"}}
    tools = [function_tool(SETTINGS_TOOL, _SETTINGS, parameters, ["action"])]
    if not off:
        tools.append(function_tool(COLLEAGUE_TOOL, _COLLEAGUE, named, ["name"]))
    return [*tools, function_tool(VIEW_TOOL, _VIEW, {})] if in_dm else tools


def _made(make: Any, *arguments: Any) -> PayloadMaker:
    """Return what makes a message of `make(reader, *arguments)`."""

    async def made(_: Person, reader: Reader) -> Payload:
        shown: Payload = make(reader, *arguments)
        return shown

    return made


def _off(reader: Reader, off: Off, scope: str) -> Payload:
    return done_payload(reader, off_done(reader, off, scope))


def _not_remembered(reader: Reader) -> Payload:
    return payload(reader.say("not_remembered"))


def _moment(text: object, zone: tzinfo, *, at: time = time()) -> datetime | None:
    """Return the moment of an ISO 8601 date or date-time; None for anything else.

    A date without a time means `at` on that day; a time without an offset is in `zone`.
    """
    try:
        moment = datetime.combine(date.fromisoformat(str(text).strip()), at)
    except ValueError:
        try:
            moment = datetime.fromisoformat(str(text).strip())
        except ValueError:
            return None
    return moment if moment.tzinfo else moment.replace(tzinfo=zone)


def _error(sentence: str) -> Definition:
    return {"error": sentence}
