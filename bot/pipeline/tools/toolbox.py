"""All tools of one turn: those for memories, and those by which the person controls them."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import cache, cached_property
from typing import TypeAlias
from uuid import UUID

from psycopg import AsyncConnection
from psycopg.rows import DictRow

from bot.access import count_tokens
from bot.app import App
from bot.conversation.texts import has_turn
from bot.conversation.turns import WORDS_LIMIT, Turn
from bot.conversation.unformed import final_question
from bot.memories.forgetting import MAX_KEYS, forget_question_about, take_back
from bot.notices import RETRY_SECONDS, add_notice
from bot.people import read_memory_state
from bot.pipeline.prompt import evidence_of
from bot.pipeline.tools.controls import ControlTools, Definition, control_tools
from bot.pipeline.viewed_channels import ViewedChannels
from bot.ui.blocks import Payload, payload
from bot.ui.messages import PayloadMaker, consent_question, refusal_payload
from bot.ui.reader import Reader
from memory import (
    DM,
    FormationResult,
    MemoryOff,
    MemoryTools,
    Person,
    PersonMessage,
    Refusal,
    Selection,
    memory_tools,
)
from memory.credentials import redact_json
from memory.tools import read_arguments

MAX_CALLS = 20
_REFUSALS_SHOWN = 3


@dataclass(frozen=True, slots=True, kw_only=True)
class ToolResults:
    """Results of the tool calls of one message.

    `recalled` are the keys of the memories that the model has looked up. `changes` are the changes
    of memories that were made already, and `questions` the ids of the questions that the words left
    open. `removal_proposed`: the person is asked by a button whether to forget something. `shown`
    are the messages to show the person after the reply.
    """

    recalled: Sequence[str] = ()
    changes: Sequence[UUID] = ()
    questions: Sequence[UUID] = ()
    removal_proposed: bool = False
    shown: Sequence[PayloadMaker] = ()


@dataclass(eq=False)
class Toolbox:
    """The tools that the model may call while it answers one message.

    `definitions` are the tools as the Responses API takes them; `make_tools` makes what the first
    call needs, because most messages need none. `before` are messages to show the person in any
    case.
    """

    definitions: Sequence[Definition]
    make_tools: Callable[[], tuple[MemoryTools, ControlTools]]
    app: App
    turn: Turn
    before: Sequence[PayloadMaker]
    _calls: int = field(default=0, init=False)

    @cached_property
    def _tools(self) -> tuple[MemoryTools, ControlTools]:
        return self.make_tools()

    @property
    def own_words(self) -> list[str]:
        """The person's words that the memories which the model has looked up come from."""
        memory, _ = self._tools
        return [words for shown in memory.shown for words in evidence_of(shown)]

    @property
    def results(self) -> ToolResults:
        """Results of the calls so far."""
        if not self._calls:
            return ToolResults(shown=self.before)
        memory, controls = self._tools
        shown = [*self.before, *map(self._refusal, memory.refused[:_REFUSALS_SHOWN])]
        if memory.to_forget:
            shown.append(self._ask_to_forget([one.key for one in memory.to_forget]))
        return ToolResults(
            recalled=[one.key for one in memory.shown],
            changes=[change.id for change in memory.changes if change.action != "confirmed"],
            questions=[question.id for question in memory.questions],
            removal_proposed=bool(memory.to_forget) or controls.forgets,
            shown=[*shown, *controls.shown],
        )

    @property
    def acted(self) -> bool:
        """Whether calls have changed something; what was only shown or proposed is no change."""
        if not self._calls:
            return False
        _, controls = self._tools
        return bool(self.results.changes or self.results.questions or controls.changed)

    def _refusal(self, refused: Refusal) -> PayloadMaker:
        async def shown(_: Person, reader: Reader) -> Payload:
            return refusal_payload(reader, refused, can_store=self.app.stores_facts)

        return shown

    def _ask_to_forget(self, keys: Sequence[str]) -> PayloadMaker:
        async def shown(person: Person, reader: Reader) -> Payload:
            selection = Selection(keys=keys[:MAX_KEYS])
            question = await forget_question_about(self.app, person, reader, selection)
            return question or payload(reader.say("forgotten_already"))

        return shown

    async def call(self, name: str, arguments: str) -> str:
        """Run one function call of the model; return its output, which may be an error for it.

        Raises `psycopg.OperationalError` when the database is unavailable.
        """
        self._calls += 1
        if self._calls > MAX_CALLS:
            return _error("Too many tool calls for one message. Answer now.")
        given = read_arguments(arguments)
        if given is None:
            return _error("The arguments are not a JSON object.")
        if self.turn.removed:
            # The model sees the message as it was typed; what tools store and send is redacted.
            given = redact_json(given, self.turn.removed)
        memory, controls = self._tools
        if name not in controls:
            return await self._call_memory(memory, name, json.dumps(given))
        output = await controls.call(name, given)
        if controls.switched_off:
            memory.switch_off()
            await self._take_back(memory)
        return output

    async def _take_back(self, memory: MemoryTools) -> None:
        """Undo the changes and questions that tool calls made for this message, in any attempt."""
        this = {(self.turn.message.channel_id, self.turn.message.ts)}
        asked = [one.id for one in memory.questions if set(one.messages) == this]
        changes = [change.id for change in memory.changes]
        await take_back(self.app, self.turn.message, changes, asked, again=self.turn.again)

    async def _call_memory(self, memory: MemoryTools, name: str, arguments: str) -> str:
        spent = memory.tokens
        output = await memory.call(name, arguments)
        count_tokens(self.turn.message.team_id, memory.tokens - spent)
        return output


OpenTools: TypeAlias = Callable[[Turn], Toolbox]


def open_tools(app: App, viewing: ViewedChannels) -> OpenTools:
    """Return what makes the tools of a turn."""

    @cache
    def definitions(in_dm: bool, off: bool) -> list[Definition]:
        return [
            *([] if off else memory_tools(tuple(app.schemas))),
            *control_tools(in_dm=in_dm, off=off),
        ]

    def opened(turn: Turn) -> Toolbox:
        message, memory_state = turn.message, turn.memory_state
        off = memory_state.off is not None

        async def permitted(connection: AsyncConnection[DictRow], formed: FormationResult) -> None:
            now = await read_memory_state(connection, message, app.settings.consent)
            words = turn.words[:WORDS_LIMIT]
            # Without its turn the person has been erased while it was being answered.
            if now.off or not now.on_record or not await has_turn(connection, message, words):
                raise MemoryOff("Memory was switched off, or the message changed or forgotten.")
            changed = any(change.action != "confirmed" for change in formed.changes)
            if changed or formed.questions:
                await add_notice(app, connection, message.person, turn.id, delay=RETRY_SECONDS)

        def tools() -> tuple[MemoryTools, ControlTools]:
            said = PersonMessage(
                text=turn.words,
                channel=message.channel_id,
                ts=message.ts,
                origin="tool",
                zone=memory_state.settings.zone,
                reply_to=final_question(turn.last_reply or ""),
            )
            memory = MemoryTools(
                app.former, turn.view, said, batch_id=turn.id, in_commit=permitted, off=off
            )
            return memory, ControlTools(app, viewing, turn)

        return Toolbox(
            definitions(message.audience == DM, off),
            tools,
            app,
            turn,
            [_consent_question] if memory_state.needs_consent_question else [],
        )

    return opened


async def _consent_question(_: Person, reader: Reader) -> Payload:
    return consent_question(reader)


def _error(sentence: str) -> str:
    return json.dumps({"error": sentence})
