"""Function tools by which a person controls their memory in plain words.

What switches memory off for a while is done at once, and the message that says so has the button
for the opposite. What would delete memories, switch memory on, or end a pause is proposed, and the
person's click decides.
"""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable, Iterable, Mapping
from datetime import UTC, date, datetime, time, tzinfo
from functools import partial
from typing import Any, TypeAlias

from bot.conversation.periods import Period
from bot.conversation.turns import TurnRow
from bot.locale import Language
from bot.memories.actions import MemoryActions
from bot.memories.audience_changes import AudienceChanges
from bot.memories.controls import MemoryControls
from bot.pipeline.viewed_channels import ViewedChannels
from bot.slack.ephemeral import PayloadMaker, same_for_everyone
from bot.slack.messages import Message, is_direct, scope_of
from bot.users.settings import MAX_RETENTION_DAYS
from bot.views.blocks import Payload
from bot.views.memory_state import (
    consent_question,
    not_remembered_notice,
    paused_notice,
    quiet_notice,
)
from bot.views.settings import notices_changed_notice, refusal_question, retention_question
from bot.views.time_forms import MORNING, may_end_pause
from memory import DM, Person, function_tool

Arguments = Mapping[str, Any]
Definition = dict[str, Any]
# Person, language, no words, and the conversation it is asked in.
Show: TypeAlias = Callable[[Person, Language, str, str], Awaitable[Payload]]
_Run: TypeAlias = Callable[[Arguments], Awaitable[Any]]

SETTINGS_TOOL = "memory_settings"
VIEW_TOOL = "read_current_view"

_SETTINGS = """\
Show or change how this person is remembered, only when they ask for it. Actions:
show_memories (all you remember of them), show_settings, show_history (recent changes, with Undo), \
show_help, \
export (a file of everything): shown to them privately; do not repeat it.
pause: nothing is read or remembered until `until`; without it until resume.
do_not_remember: delete the text of one message and never remember it, as for off the record; \
scope: this_message, or previous_message (only proposed) for the one before.
incognito_on: no memory in {where} until incognito_off.
{quiet}forget_everything; forget_period: what they told you from `since` to `until`, or scope \
this_thread; change_where_used: use what they told you about `about` (words of it) there. These \
three are only proposed: they get a button and decide; say so.
change: notices of what was remembered, memory on or off, retention_days \
(0: no end). retention_days, memory, resume, incognito_off are only proposed."""
_QUIET = "quiet_thread: answer in this thread only when mentioned; say that a mention ends it.\n"
_INCOGNITO_WHERE = {True: "all their direct messages with you", False: "this thread"}
_VIEW = (
    "Read what the person looks at in Slack: a channel's newest messages or a message with its"
    ' thread. For "this channel", "this message" and the like, where it is not in this'
    " conversation."
)
_MESSAGE_SECONDS = 0.000_001  # a period that holds one message: Slack's times are that exact
_SCOPES = ("this_message", "previous_message", "this_thread")
_WHERE = ("here", "everywhere", "direct_messages")
_MOMENT = {"type": "string", "description": "ISO 8601, in the person's time zone"}
_PARAMETERS: dict[str, Definition] = {
    "until": _MOMENT,
    "since": _MOMENT,
    "scope": {"type": "string", "enum": list(_SCOPES)},
    "about": {"type": "string"},
    "where": {"type": "string", "enum": list(_WHERE)},
    "notices": {"type": "boolean"},
    "retention_days": {"type": "integer", "minimum": 0, "maximum": MAX_RETENTION_DAYS},
    "memory": {"type": "string", "enum": ["on", "off"]},
}


class ControlTools:
    """The tools for one message of one person; `shows` are the actions that only show something."""

    def __init__(
        self,
        controls: MemoryControls,
        memory_actions: MemoryActions,
        shows: Mapping[str, Show],
        audiences: AudienceChanges,
        viewing: ViewedChannels,
        message: Message,
        turn_row: TurnRow,
    ) -> None:
        self._controls = controls
        self._memory_actions = memory_actions
        self._audiences = audiences
        self._viewing = viewing
        self._message = message
        self._turn_row = turn_row
        self._in_dm = message.audience == DM
        # By action and arguments, so that a repeated request is shown only once.
        self._shown: dict[str, PayloadMaker] = {}
        self.changed = False
        self.switched_off = False
        self.forgets = False
        self.forgets_everything = False
        self._actions: dict[str, _Run] = {
            **{name: partial(self._show, show) for name, show in shows.items()},
            **{name: partial(change, self) for name, change in _changes(self._in_dm).items()},
        }

    @property
    def shown(self) -> list[PayloadMaker]:
        """The messages to show the person after the reply."""
        return list(self._shown.values())

    def __contains__(self, name: str) -> bool:
        return name == SETTINGS_TOOL or (name == VIEW_TOOL and self._in_dm)

    async def call(self, name: str, given: Arguments) -> str:
        """Run one function call of the model; return its output, which may be an error for it.

        Raises `psycopg.OperationalError` when the database is unavailable.
        """
        if name == VIEW_TOOL:
            output: Any = await self._viewing.read(self._message)
        elif run := self._actions.get(str(given.get("action"))):
            output = await run(given)
        else:
            output = _error(f"`action` is one of {', '.join(self._actions)}.")
        return json.dumps(output, ensure_ascii=False, default=str)

    def _show_done(self, given: Arguments, make_payload: PayloadMaker) -> None:
        """Show what was done at once, with the button for the opposite."""
        self.changed = True
        self._show_after(given, make_payload)

    def _show_after(self, given: Arguments, make_payload: PayloadMaker) -> None:
        self._shown[json.dumps(dict(given), sort_keys=True, default=str)] = make_payload

    async def _show(self, show: Show, given: Arguments) -> Any:
        channel = self._message.channel_id
        self._show_after(given, lambda person, language: show(person, language, "", channel))
        return {"shown_privately": True}

    async def _pause(self, given: Arguments) -> Any:
        person, until = self._message.person, None
        off = await self._controls.off(person)
        if off not in (None, "paused"):
            self._show_after({"action": "pause"}, self._controls.settings_shown)
            return _error(f"Memory is off: {off}. There is nothing to pause.")
        if given.get("until"):
            until = _moment(given["until"], await self._controls.people.zone(person), at=MORNING)
            if until is None or not may_end_pause(until, datetime.now(UTC)):
                return _error(
                    "`until` is not a time later than now: write ISO 8601, such as"
                    " 2026-12-24T18:00, or leave it out to pause until they resume."
                )
        # To ask for a pause is nothing to remember either.
        settings = await self._controls.pause(
            person, until, may_shorten=False, unkept=self._turn_row.id
        )
        self.switched_off = True
        self._show_done(
            {"action": "pause"}, same_for_everyone(partial(paused_notice, settings=settings))
        )
        end = settings.paused_until
        shown = end.astimezone(settings.zone).isoformat(timespec="minutes") if end else "resumed"
        return {"paused": True, "until": shown}

    async def _resume(self, given: Arguments) -> Any:
        del given
        off = await self._controls.off(self._message.person)
        if off is None:
            return _error("Memory is on.")
        self._show_after({"action": "resume"}, self._controls.resume_asked)
        if off != "paused":
            return _error(f"Memory stays off: {off}.")
        return {"proposed": True, "done": False}

    async def _do_not_remember(self, given: Arguments) -> Any:
        which = given.get("scope", "this_message")
        if which not in ("this_message", "previous_message"):
            return _error("`scope` is this_message or previous_message.")
        # The request itself repeats what is meant, so it is never remembered either.
        await self._controls.delete_texts(self._message.person, self._turn_row.id)
        self.switched_off = True
        self._show_done({"action": "do_not_remember"}, same_for_everyone(not_remembered_notice))
        if which == "this_message":
            return {"not_remembered": which, "done": True}
        last = await self._controls.message_before(self._message)
        if last is None:
            return _error("There is no message before this one.")
        self.forgets = True
        said_at = float(last)
        period = Period(since=said_at, until=said_at + _MESSAGE_SECONDS)
        self._show_after(given, partial(self._memory_actions.period_proposed, period=period))
        return {"not_remembered": which, "done": False, "proposed": True}

    async def _go_incognito(self, given: Arguments) -> Any:
        del given
        scope = scope_of(self._message)
        incognito = self._controls.incognito
        await incognito.begin(
            self._message.person, scope, since=self._message.ts, unkept=self._turn_row.id
        )
        self.switched_off = True
        self._show_done({"action": "incognito_on"}, partial(incognito.shown, on=True, scope=scope))
        return {"incognito": "on", "where": self._where, "until": "they switch it off"}

    async def _end_incognito(self, given: Arguments) -> Any:
        del given
        message = self._message
        if not await self._controls.people.is_incognito(message):
            return _error("Incognito is off.")
        # The message that says it is on has the button that ends it.
        shown = partial(self._controls.incognito.shown, on=True, scope=scope_of(message))
        self._show_after({"action": "incognito_off"}, shown)
        return {"proposed": True, "done": False}

    @property
    def _where(self) -> str:
        return _INCOGNITO_WHERE[is_direct(self._message.channel_id)]

    async def _be_quiet(self, given: Arguments) -> Any:
        del given
        await self._controls.be_quiet(self._message)
        self._show_done({"action": "quiet_thread"}, same_for_everyone(quiet_notice))
        return {"quiet": True, "until": "somebody mentions you in this thread"}

    async def _forget_everything(self, given: Arguments) -> Any:
        self.forgets = self.forgets_everything = True
        self._show_after({"action": given["action"]}, self._memory_actions.everything_proposed)
        return {"proposed": True, "done": False}

    async def _forget_period(self, given: Arguments) -> Any:
        if given.get("scope") == "this_thread":
            period = Period(thread=self._message.thread)
        else:
            found = await self._period(given)
            if isinstance(found, str):
                return _error(found)
            period = found
        taken, messages = await self._memory_actions.of_period(self._message.person, period)
        if not (taken.count or taken.others or messages):
            return {"done": False, "not_found": True}
        self.forgets = True
        self._show_after(given, partial(self._memory_actions.period_proposed, period=period))
        return {"proposed": True, "done": False}

    async def _period(self, given: Arguments) -> Period | str:
        """Return the period, or an error message for the model."""
        zone = await self._controls.people.zone(self._message.person)
        ends = {end: _moment(given[end], zone) for end in ("since", "until") if given.get(end)}
        if not ends or None in ends.values():
            return (
                "Give `since`, `until` or both in ISO 8601, such as 2026-12-24 or"
                " 2026-12-24T18:00, or `scope` this_thread."
            )
        since, until = ends.get("since"), ends.get("until")
        if since is not None and since > datetime.now(UTC):
            return "`since` is later than now: write when what is to be forgotten began."
        if since is not None and until is not None and until <= since:
            return "`until` is not after `since`: for one whole day write the next day's date."
        return Period.between(since, until)

    async def _change_where_used(self, given: Arguments) -> Any:
        words, where = str(given.get("about") or "").strip(), given.get("where")
        if not words or where not in _WHERE:
            return _error(f"Give `about`, some words, and `where`: {', '.join(_WHERE)}.")
        channel = self._message.channel_id
        make_payload = partial(self._audiences.proposed, words=words, where=where, channel=channel)
        self._show_after(given, make_payload)
        return {"proposed": True, "done": False}

    async def _change(self, given: Arguments) -> Any:
        person = self._message.person
        chosen: dict[str, Any] = {}
        if isinstance(given.get("notices"), bool):
            chosen["notices"] = given["notices"]
        days, memory = given.get("retention_days"), given.get("memory")
        keeps = type(days) is int and 0 <= days <= MAX_RETENTION_DAYS
        if not (chosen or keeps or memory in ("on", "off")):
            return _error("Nothing to change: give notices, retention_days or memory.")
        if chosen:
            await self._controls.choose(person, **chosen)
            notice = partial(notices_changed_notice, on=chosen["notices"])
            self._show_done({"notices": True}, same_for_everyone(notice))
        if keeps:
            question = same_for_everyone(partial(retention_question, days=days or None))
            self._show_after({"retention_days": days}, question)
        confirmations = {"on": consent_question, "off": refusal_question}
        if memory in ("on", "off"):
            question = same_for_everyone(confirmations[memory])
            self._show_after({"action": "change", "memory": memory}, question)
        return {"done": list(chosen)} | (
            {"proposed": True} if keeps or memory in confirmations else {}
        )


def control_tools(shows: Iterable[str], *, in_dm: bool) -> list[Definition]:
    """Return the tools as the Responses API takes them; `shows` are the actions that only show."""
    description = _SETTINGS.format(quiet="" if in_dm else _QUIET, where=_INCOGNITO_WHERE[in_dm])
    action = {"type": "string", "enum": [*shows, *_changes(in_dm)]}
    parameters = {"action": action, **_PARAMETERS}
    settings = function_tool(SETTINGS_TOOL, description, parameters, ["action"])
    return [settings, function_tool(VIEW_TOOL, _VIEW, {})] if in_dm else [settings]


_Change: TypeAlias = Callable[[ControlTools, Arguments], Awaitable[Any]]
_CHANGES: Mapping[str, _Change] = {
    "pause": ControlTools._pause,
    "resume": ControlTools._resume,
    "do_not_remember": ControlTools._do_not_remember,
    "incognito_on": ControlTools._go_incognito,
    "incognito_off": ControlTools._end_incognito,
    "quiet_thread": ControlTools._be_quiet,
    "forget_everything": ControlTools._forget_everything,
    "forget_period": ControlTools._forget_period,
    "change_where_used": ControlTools._change_where_used,
    "change": ControlTools._change,
}


def _changes(in_dm: bool) -> dict[str, _Change]:
    """Return the actions that change something, in the order in which they are offered."""
    return {
        name: change for name, change in _CHANGES.items() if not (in_dm and name == "quiet_thread")
    }


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
