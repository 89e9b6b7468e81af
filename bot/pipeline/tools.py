"""The tools of one turn: those for memories, and those by which the person controls them.

Memory is switched off or on at once, and the message that says so has the button for the opposite.
A deletion of memories is only proposed, because files and pages that a model reads can mislead it:
the person's click decides. It also decides where memory needs their consent.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping
from datetime import UTC, datetime, time, tzinfo
from typing import Any, TypeAlias

from pydantic import BaseModel

from bot.app import App
from bot.conversation.turns import Turn, final_question, message_before
from bot.locale import Localizer
from bot.memories.expected import EXPECTED, explain
from bot.memories.forgetting import (
    MAX_KEYS,
    forget_question_about,
    forget_selection,
    forget_words_question,
    nothing_to_forget,
    receipt_of_message,
)
from bot.memories.kept_lines_acts import KeepRequest, propose_to_keep
from bot.memories.panel import short_list
from bot.memories.switches import EVERYWHERE, MORNING, turn_off, turn_on
from bot.notices import add_notice
from bot.quota import QuotaExceeded, admit
from bot.slack.names import has_marks
from bot.ui.acts import Keep, Open, Place, Position
from bot.ui.done import Click, Done
from bot.ui.lines import notable_changes
from bot.ui.payloads import (
    consent_question,
    off_done,
    on_done,
    open_done,
    refusal_done,
)
from memory import (
    DM,
    FormationResult,
    FormationUnavailable,
    Memory,
    MemoryTools,
    Overtaken,
    PersonMessage,
    Refusal,
    Selection,
    memory_tools,
)
from memory.credentials import redact
from memory.model import Json, Until, until, with_texts
from memory.postgres import PersonTransaction
from memory.tools import CHANGE_TOOL, function_tool, read_arguments

Arguments: TypeAlias = Mapping[str, Any]
Output: TypeAlias = Json
"""What a call returns to the model."""

_REFUSALS_SHOWN = 3
SETTINGS_TOOL = "memory_settings"

_SETTINGS = """\
Show or change how this person is remembered, only when they ask. Actions:
open: shows the first memories, and a button for all; `words` search it; \
list changes: recent changes with Undo; list settings: settings, export, deleting. Do not repeat it.
pause: nothing is read or remembered until `until`, without it until resume.
incognito: the same in this conversation only, whatever its threads, until resume.
resume: memory on again.
forget: what has all of `words`, or what they told you from `since` on, before `until`, or \
everything; only proposed, by a button; say so.
do_not_remember: delete the text of this message, as for off the record; which previous_message \
(only proposed): the one before."""
ACTIONS = ("open", "pause", "incognito", "resume", "forget", "do_not_remember")
_USED_UP = "Nothing was stored: the person's requests of this hour are used up. Say so."
_TOLD = "They read this in a message. Answer what else they asked; if nothing, write nothing."
_MOMENT = {"type": "string", "description": "ISO 8601, in the person's time zone"}
_PARAMETERS: dict[str, Any] = {
    "action": {"type": "string", "enum": list(ACTIONS)},
    "words": {"type": "string"},
    "list": {"type": "string", "enum": ["memories", "changes", "settings"]},
    "until": _MOMENT,
    "since": _MOMENT,
    "everything": {"type": "boolean"},
    "which": {"type": "string", "enum": ["this_message", "previous_message"]},
}
_SETTINGS_DEFINITION = function_tool(SETTINGS_TOOL, _SETTINGS, _PARAMETERS, ["action"])


class Toolbox:
    """The tools that the model may call while it answers one message.

    `definitions` are the tools as the Responses API takes them. `localizer` is the person's.
    `switched_on`: a call has switched memory on. `noted`: a call has taken in what the person said,
    which may be remembered already, or is remembered later.
    """

    def __init__(
        self,
        app: App,
        turn: Turn,
        localizer: Localizer,
    ) -> None:
        message = turn.message
        state = turn.memory_state
        off = state.off is not None
        self._app = app
        self._turn = turn
        self._message = message
        self._localizer = localizer
        formed_later = (
            app.settings.formation != "off" and state.settings.eagerness != "asked"
        )
        self.definitions = tool_definitions(tuple(app.schemas), off)
        said = PersonMessage(
            text=app.names.shown(turn.words, message.channel_id),
            channel=message.channel_id,
            ts=message.ts,
            actor="tool",
            zone=localizer.zone,
            reply_to=final_question(turn.last_reply or ""),
        )
        self._memory = MemoryTools(
            app.former,
            turn.view,
            said,
            batch_id=turn.id,
            epoch=turn.epoch,
            in_commit=self._in_commit,
            off=off,
            words_wait=formed_later,
        )
        # Keyed by what they show, so that a repeated request is shown only once.
        self._shown: dict[str, Done] = {}
        self._shown_list: Position | None = None
        self._switched_off = False
        self.switched_on = False
        self.noted = False

    @property
    def looked_up(self) -> Collection[Memory]:
        """The memories that the model has looked up."""
        return self._memory.shown.values()

    @property
    def acted(self) -> bool:
        """Whether calls have changed something; what was only shown or proposed is no change."""
        if self._memory.questions or notable_changes(self._memory.changes):
            return True
        return self._switched_off or self.switched_on

    @property
    def removal_proposed(self) -> bool:
        """Whether a button asks the person whether to forget something."""
        return bool(self._memory.to_forget) or "forget" in self._shown

    @property
    def shows_something(self) -> bool:
        """Whether a call shows the person a message."""
        return bool(self._shown or self._refused)

    @property
    def suffice(self) -> bool:
        """Whether the calls are all that the person needs, so that an answer may be empty."""
        return self.acted or self.noted or self.shows_something

    @property
    def _refused(self) -> list[Refusal]:
        """The refusals of what the person wrote; of other words the model alone is told."""
        return [one for one in self._memory.refused if one.evidence is not None]

    @property
    def messages(self) -> list[Done]:
        """The messages to show the person after the reply."""
        messages: list[Done] = []
        if self._turn.memory_state.needs_consent_question:
            messages.append(consent_question(self._localizer))
        facts = self._app.stores_facts
        messages += [
            refusal_done(self._localizer, one, facts=facts)
            for one in self._refused[:_REFUSALS_SHOWN]
        ]
        messages += self._shown.values()
        return messages

    @property
    def answer(self) -> Done | None:
        """In a direct message, the one message that says all that the calls did.

        It is the whole answer if the model adds nothing to it. None if there is no such message, or
        several.
        """
        if self._message.audience != DM:
            return None
        messages = self.messages
        return messages[0] if len(messages) == 1 else None

    async def call(self, name: str, arguments: str) -> str:
        """Run one function call of the model; return its output, which may be an error for it.

        Raises `psycopg.OperationalError` when the database is unavailable.
        """
        given = read_arguments(arguments)
        if given is None:
            return _json(_error("The arguments are not a JSON object."))
        if self._turn.removed:
            # The model sees the message as it was typed; what tools store and send is redacted.
            given = with_texts(given, self._redacted)
        if name == SETTINGS_TOOL:
            output = await self._settings(given)
            if self._switched_off:
                self._memory.switch_off()
            if "error" not in output and self.answer is not None:
                output = {**output, "told": _TOLD}
            return _json(output)
        if name == CHANGE_TOOL:
            try:
                await admit(self._app.pool, self._app.settings, self._message.person)
            except QuotaExceeded:
                return _json(_error(_USED_UP))
        told = await self._memory.call(name, given)
        if name == CHANGE_TOOL:
            if "error" not in told and "refused" not in told:
                self.noted = True
            await self._show_change()
        return _json(told)

    async def propose_to_keep(self, request: KeepRequest) -> None:
        """Ask the person whether to keep what their message asks for, or say why that cannot be."""
        message = self._message
        click = Click(person=message.person, localizer=self._localizer, place=Place())
        wanted = Keep(
            channel=message.channel_id, ts=message.ts, thread_ts=message.thread_ts
        )
        try:
            done = await propose_to_keep(self._app, click, wanted, request)
        except EXPECTED as problem:
            done = explain(self._localizer, problem)
        self._shown["keep"] = done

    async def _show_change(self) -> None:
        """Bring what is shown up to date after a change of a memory, or a proposal to forget it."""
        keys = self._memory.to_forget[:MAX_KEYS]
        if keys:
            question = await self._forget_question(Selection(keys=keys))
            self._shown["forget memories"] = question
        if self._shown_list is not None:
            self._shown["open"] = await self._short_list(self._shown_list)

    def _redacted(self, text: str) -> str:
        return redact(text, self._turn.removed).text

    async def _in_commit(
        self, transaction: PersonTransaction, formed: FormationResult
    ) -> None:
        """Check within the transaction of a change that it is allowed, and add its notice."""
        turn = self._turn
        if has_marks(turn.words):
            raise FormationUnavailable("Slack did not say all names in the words.")
        if not turn.stores_texts:
            raise Overtaken("The message is off the record, or was forgotten.")
        await add_notice(self._app, transaction, turn.id, formed, in_turn=True)

    async def _settings(self, given: Arguments) -> Output:
        match given.get("action"):
            case "open":
                return await self._open(given)
            case "pause":
                return await self._pause(given)
            case "incognito":
                return await self._incognito()
            case "resume":
                return await self._resume()
            case "forget":
                return await self._forget(given)
            case "do_not_remember":
                return await self._do_not_remember(given)
        return _error(f"`action` is one of {', '.join(ACTIONS)}.")

    async def _open(self, given: Arguments) -> Output:
        """Show the beginning of a list in a direct message, or else the button that opens it."""
        words = " ".join(str(given.get("words") or "").split())
        opens: Position | Open = Position(of=words)
        if given.get("list") == "changes":
            opens = Position(list="changes")
        elif given.get("list") == "settings":
            opens = Open(form="settings")
        if self._message.audience == DM and isinstance(opens, Position):
            self._shown_list = opens
            self._shown["open"] = await self._short_list(opens)
        else:
            self._shown_list = None
            self._shown["open"] = open_done(self._localizer, opens)
        return {"shown_privately": True}

    async def _short_list(self, position: Position) -> Done:
        return await short_list(
            self._app, self._message.person, self._localizer, position
        )

    async def _turn_off(self, scope: str, end: Until | None = None) -> str:
        """Switch memory off, also for this message; show the button that switches it on."""
        off = await turn_off(self._app, self._message.person, scope, until=end)
        self._switched_off = True
        # Off everywhere and off in one place are two switches, each with its own button.
        self._shown[f"off {scope}"] = off_done(self._localizer, off)
        return end.isoformat(timespec="minutes") if end else "until they switch it on"

    async def _incognito(self) -> Output:
        """Switch memory off in this conversation."""
        ends = await self._turn_off(self._message.channel_id)
        return {"done": True, "memory": "off in this conversation", "off": ends}

    async def _pause(self, given: Arguments) -> Output:
        off = self._turn.memory_state.off
        moment: datetime | None = None
        if given.get("until"):
            if off is not None and not off.scope and off.until is None:
                return _error("Memory is off already, and stays off until resume.")
            moment = _moment(given["until"], self._localizer.zone, at=time(MORNING))
            if moment is None or moment <= datetime.now(UTC):
                return _error(
                    "`until` is not a time later than now: write ISO 8601, such as"
                    " 2026-12-24T18:00, or leave it out."
                )
        ends = await self._turn_off(EVERYWHERE, until(moment))
        return {"done": True, "memory": "off", "until": ends}

    async def _resume(self) -> Output:
        state = self._turn.memory_state
        if state.off is None:
            return _error("Memory is on.")
        if self._app.settings.consent == "ask" and not state.settings.agreed:
            self._shown["resume"] = consent_question(self._localizer)
            return {"proposed": True, "done": False}
        scope = state.off.scope
        # A model may be misled, so its call is no consent.
        await turn_on(self._app, self._message.person, scope or None, agrees=False)
        self.switched_on = True
        self._shown["resume"] = on_done(self._localizer, scope)
        return {"done": True, "memory": "on"}

    async def _forget(self, given: Arguments) -> Output:
        words = str(given.get("words") or "").strip()
        if words and given.get("everything") is not True:
            return await self._forget_words(words)
        selection = self._selection(given)
        if isinstance(selection, str):
            return _error(selection)
        question = await self._forget_question(selection)
        return self._proposed(question, found=bool(question.buttons))

    async def _forget_words(self, words: str) -> Output:
        app = self._app
        person = self._message.person
        question = await forget_words_question(app, person, self._localizer, words)
        found = question is not None
        if question is None:
            question = nothing_to_forget(self._localizer, words)
        return self._proposed(question, found=found)

    def _proposed(self, question: Done, *, found: bool) -> Output:
        """Show the person the question whether to forget something; return what the model is told.

        Only in a direct message it is told that there is nothing to forget, because its answer in a
        channel must not depend on what direct messages alone know. The person is told privately.
        """
        if not found and self._message.audience == DM:
            return {"done": False, "not_found": True}
        self._shown["forget" if found else "nothing to forget"] = question
        return {"proposed": True, "done": False}

    async def _forget_question(self, selection: Selection) -> Done:
        """Return the question whether to forget a selection, or a line if there is nothing."""
        question = await forget_question_about(
            self._app, self._message.person, self._localizer, selection
        )
        return question or Done(line=self._localizer.say("memory_gone"))

    def _selection(self, given: Arguments) -> Selection | str:
        """Return everything or the time that is meant, or an error message for the model."""
        if given.get("everything") is True:
            return Selection(everything=True)
        moments: dict[str, datetime | None] = {}
        for name in ("since", "until"):
            if given.get(name):
                moments[name] = _moment(given[name], self._localizer.zone)
        if not moments or None in moments.values():
            return (
                "Give `words`, `everything`, or `since`, `until` or both in ISO 8601, such as"
                " 2026-12-24 or 2026-12-24T18:00."
            )
        now = datetime.now(UTC)
        since = moments.get("since")
        before = moments.get("until")
        # A period that lasts until now ends with the question; what is said later stays.
        if since is not None and (before or now) <= since:
            return "The time ends before it begins: for one day write the next day as `until`."
        return Selection(since=until(since), until=until(before) or now)

    async def _do_not_remember(self, given: Arguments) -> Output:
        message = self._message
        person = self._message.person
        last = await message_before(self._app.pool, message)
        # The request itself repeats what is meant, so it is never remembered either.
        this = Selection(messages=[(message.channel_id, message.ts)])
        forgotten = await forget_selection(self._app, person, this)
        self._switched_off = True
        previous = given.get("which") == "previous_message"
        if previous and last is not None:
            selection = Selection(messages=[(message.channel_id, last)])
            self._shown["forget"] = await self._forget_question(selection)
            return {
                "not_remembered": "previous_message",
                "done": False,
                "proposed": True,
            }
        self._shown["not_remembered"] = receipt_of_message(self._localizer, forgotten)
        if previous:
            return _error("There is no message before this one.")
        return {"not_remembered": "this_message", "done": True}


def tool_definitions(
    schemas: tuple[type[BaseModel], ...], off: bool
) -> list[dict[str, Any]]:
    """Return the tools that the model may call; `off`: memory is off."""
    if off:
        return [_SETTINGS_DEFINITION]
    return [*memory_tools(schemas), _SETTINGS_DEFINITION]


def _moment(given: object, zone: tzinfo, *, at: time = time()) -> datetime | None:
    """Return the moment of an ISO 8601 date or date-time; None for anything else.

    A date without a time means `at` on that day; a time without an offset is in `zone`.
    """
    text = str(given).strip()
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        return None
    if "T" not in text and ":" not in text:
        moment = datetime.combine(moment, at)
    return moment if moment.tzinfo else moment.replace(tzinfo=zone)


def _error(sentence: str) -> Output:
    return {"error": sentence}


def _json(output: object) -> str:
    return json.dumps(output, ensure_ascii=False, default=str)
