"""All tools of one turn: those for memories, and those by which the person controls them."""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable, Mapping, Sequence
from functools import partial
from typing import Any, TypeAlias
from uuid import UUID

from psycopg import AsyncConnection
from psycopg.rows import DictRow
from pydantic import BaseModel

from bot.conversation.inbox import ClaimedMessage
from bot.conversation.turns import Intent
from bot.locale import Language
from bot.memories.actions import MemoryActions
from bot.memories.audience_changes import AudienceChanges
from bot.memories.controls import MemoryControls
from bot.pipeline.prompt import evidence_of
from bot.pipeline.tools.controls import ControlTools, Show
from bot.pipeline.tools.viewing import ViewedChannels
from bot.slack.ephemeral import Work
from bot.views.blocks import Payload
from bot.views.refusals import quoted_sentence_of, refusal_payload
from memory import (
    Embedder,
    MemoryOff,
    MemoryTools,
    Person,
    PersonMessage,
    Pool,
    RefusedProposal,
    Removed,
    UserFact,
    Verifier,
    View,
    read_arguments,
    redact_json,
)

MAX_CALLS = 20
_REFUSALS_SHOWN = 3

Spend: TypeAlias = Callable[[str, int], Awaitable[None]]


class Toolbox:
    """The tools that the model may call while it answers one message.

    `spend` is awaited with the workspace and the tokens that a call used. `keeps_facts`: a refused
    sentence can still be stored as a `memory.UserFact`. `removed` are the message's credentials.
    """

    def __init__(
        self,
        memory: MemoryTools,
        controls: ControlTools,
        own: MemoryActions,
        person: Person,
        before: Sequence[Work] = (),
        spend: Spend | None = None,
        *,
        keeps_facts: bool = True,
        removed: Sequence[Removed] = (),
    ) -> None:
        self._memory = memory
        self._removed = removed
        self._controls = controls
        self._own = own
        self._person = person
        self._before = before
        self._spend = spend
        self._keeps_facts = keeps_facts
        self._calls = 0

    @property
    def forgets(self) -> bool:
        """Whether the person is asked to confirm that something be forgotten."""
        return bool(self._memory.to_forget) or self._controls.forgets

    @property
    def recalled(self) -> list[str]:
        """The references of the memories that the model has looked up."""
        return [memory.reference for memory in self._memory.shown]

    @property
    def own_words(self) -> list[str]:
        """The person's words that the memories which the model has looked up come from."""
        return [words for memory in self._memory.shown for words in evidence_of(memory)]

    @property
    def learned(self) -> list[UUID]:
        """The changes of memories that were made already, by the ids of the ledger."""
        return [change.id for change in self._memory.changes if change.action != "confirmed"]

    @property
    def questions(self) -> list[UUID]:
        """The ids of the questions that the words left open."""
        return [question.id for question in self._memory.questions]

    @property
    def refused(self) -> tuple[RefusedProposal, ...]:
        """The refused proposals that the person had asked to remember."""
        return self._memory.refused

    @property
    def shown(self) -> list[Work]:
        """The messages to show the person after the reply."""
        works = [*self._before, *map(self._refusal, self.refused[:_REFUSALS_SHOWN])]
        if self._memory.to_forget and not self._controls.forgets_everything:
            works.append(partial(self._own.proposed, memories=self._memory.to_forget))
        return [*works, *self._controls.shown]

    def _refusal(self, refused: RefusedProposal) -> Work:
        async def shown(person: Person, language: Language) -> Payload:
            del person
            return refusal_payload(
                language, refused.reason, quoted_sentence_of(refused), can_store=self._keeps_facts
            )

        return shown

    def definitions(self) -> list[dict[str, Any]]:
        """Return the tools as the Responses API takes them."""
        return [*self._memory.definitions(), *self._controls.definitions()]

    async def call(self, name: str, arguments: str) -> str:
        """Run one function call of the model; return its output, which may be an error for it.

        Raises `psycopg.OperationalError` when the database is away.
        """
        self._calls += 1
        if self._calls > MAX_CALLS:
            return _error("Too many tool calls for one message. Answer now.")
        given = read_arguments(arguments)
        if given is None:
            return _error("The arguments are not a JSON object.")
        if self._removed:
            # The model sees the message as it was typed; what tools store and send is redacted.
            given = redact_json(given, self._removed)
        if name not in self._controls:
            return await self._call_memory(name, json.dumps(given))
        output = await self._controls.call(name, given)
        if self._controls.switched_off:
            self._memory.switch_off()
            # What a tool stored of this message a moment ago goes as well.
            await self._own.taken_back(self._person, self._memory.changes)
        return output

    async def _call_memory(self, name: str, arguments: str) -> str:
        spent = self._memory.tokens
        output = await self._memory.call(name, arguments)
        if self._spend is not None and self._memory.tokens > spent:
            await self._spend(self._person.team_id, self._memory.tokens - spent)
        return output


OpenTools: TypeAlias = Callable[[ClaimedMessage, View, Intent, str, str | None], Toolbox]


def open_tools(
    pool: Pool,
    embedder: Embedder,
    own: MemoryActions,
    controls: MemoryControls,
    shows: Mapping[str, Show],
    audiences: AudienceChanges,
    viewing: ViewedChannels,
    schemas: Sequence[type[BaseModel]],
    *,
    verifier: Verifier | None = None,
    spend: Spend | None = None,
) -> OpenTools:
    """Return what makes the tools for a turn: its message, view, intent, and typed words.

    `shows` contains the actions of ``memory_settings`` that only show something, by name.
    """

    def opened(
        claimed: ClaimedMessage, view: View, intent: Intent, words: str, question: str | None
    ) -> Toolbox:
        message, memory_state = claimed.message, intent.memory_state

        async def permitted(connection: AsyncConnection[DictRow], _: object) -> None:
            if not await controls.permits(connection, message):
                raise MemoryOff("The person has switched memory off meanwhile.")

        said = PersonMessage(
            text=words,
            channel=message.channel_id,
            ts=message.ts,
            kind="tool",
            zone=memory_state.settings.zone,
            reply_to=question,
        )
        return Toolbox(
            MemoryTools(
                pool,
                embedder,
                view,
                said,
                schemas=schemas,
                in_commit=permitted,
                verifier=verifier,
                off=memory_state.off is not None,
            ),
            ControlTools(controls, own, shows, audiences, viewing, message, intent),
            own,
            message.person,
            [controls.consent_asked] if memory_state.needs_consent_question else [],
            spend,
            keeps_facts=UserFact in schemas,
            removed=intent.removed,
        )

    return opened


def _error(sentence: str) -> str:
    return json.dumps({"error": sentence})
