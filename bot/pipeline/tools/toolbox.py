"""All tools of one turn: those for memories, and those by which the person controls them."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache, partial
from uuid import UUID

from psycopg import AsyncConnection
from psycopg.rows import DictRow
from pydantic import BaseModel

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


class Toolbox:
    """The tools that the model may call while it answers one message.

    `definitions` are the tools as the Responses API takes them.
    """

    def __init__(self, app: App, turn: Turn) -> None:
        self._app, self._turn = app, turn
        message, state = turn.message, turn.memory_state
        off = state.off is not None
        self.definitions = _definitions(tuple(app.schemas), message.audience == DM, off)
        said = PersonMessage(
            text=turn.words,
            channel=message.channel_id,
            ts=message.ts,
            origin="tool",
            zone=state.settings.zone,
            reply_to=final_question(turn.last_reply or ""),
        )
        note, spend = self._note, partial(count_tokens, message.team_id)
        self._memory = MemoryTools(
            app.former, turn.view, said, batch_id=turn.id, in_commit=note, spend=spend, off=off
        )
        self._controls = ControlTools(app, turn)
        self._calls = 0

    @property
    def own_words(self) -> list[str]:
        """The person's words that the memories which the model has looked up come from."""
        return [words for shown in self._memory.shown for words in evidence_of(shown)]

    @property
    def results(self) -> ToolResults:
        """Results of the calls so far."""
        memory, controls = self._memory, self._controls
        asks = self._turn.memory_state.needs_consent_question
        shown: list[PayloadMaker] = [_consent_question] if asks else []
        shown += map(self._refusal, memory.refused[:_REFUSALS_SHOWN])
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
        return bool(self.results.changes or self.results.questions or self._controls.changed)

    def _refusal(self, refused: Refusal) -> PayloadMaker:
        async def shown(_: Person, reader: Reader) -> Payload:
            return refusal_payload(reader, refused, can_store=self._app.stores_facts)

        return shown

    def _ask_to_forget(self, keys: Sequence[str]) -> PayloadMaker:
        async def shown(person: Person, reader: Reader) -> Payload:
            selection = Selection(keys=keys[:MAX_KEYS])
            question = await forget_question_about(self._app, person, reader, selection)
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
        if self._turn.removed:
            # The model sees the message as it was typed; what tools store and send is redacted.
            given = redact_json(given, self._turn.removed)
        if name not in self._controls:
            return await self._memory.call(name, given)
        output = await self._controls.call(name, given)
        if self._controls.switched_off:
            self._memory.switch_off()
            await self._take_back()
        return output

    async def _take_back(self) -> None:
        """Undo the changes and questions that tool calls made for this message, in any attempt."""
        message, memory = self._turn.message, self._memory
        this = {(message.channel_id, message.ts)}
        asked = [one.id for one in memory.questions if set(one.messages) == this]
        changes = [change.id for change in memory.changes]
        await take_back(self._app, message, changes, asked, again=self._turn.again)

    async def _note(self, connection: AsyncConnection[DictRow], formed: FormationResult) -> None:
        """Check within the transaction of a change that it is allowed, and add its notice."""
        app, turn, message = self._app, self._turn, self._turn.message
        now = await read_memory_state(connection, message, app.settings.consent)
        words = turn.words[:WORDS_LIMIT]
        # Without its turn the person has been erased while it was being answered.
        if now.off or not now.on_record or not await has_turn(connection, message, words):
            raise MemoryOff("Memory was switched off, or the message changed or forgotten.")
        changed = any(change.action != "confirmed" for change in formed.changes)
        if changed or formed.questions:
            await add_notice(app, connection, message.person, turn.id, delay=RETRY_SECONDS)


@cache
def _definitions(schemas: tuple[type[BaseModel], ...], in_dm: bool, off: bool) -> list[Definition]:
    memory = [] if off else memory_tools(schemas)
    return [*memory, *control_tools(in_dm=in_dm, off=off)]


async def _consent_question(_: Person, reader: Reader) -> Payload:
    return consent_question(reader)


def _error(sentence: str) -> str:
    return json.dumps({"error": sentence})
