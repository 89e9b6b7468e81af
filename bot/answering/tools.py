"""The tools of one turn, by which the model reads and changes memories of the person.

A deletion of memories is only proposed, because files and pages that a model reads can mislead it:
the person's click decides. Whatever else they ask of memory is heard without a model
(`bot.acts.phrases`).
"""

from __future__ import annotations

import json
from collections.abc import Collection

from bot.access import QuotaExceeded, admit
from bot.acts.blocks import Payload
from bot.acts.buttons import consent_question
from bot.acts.lines import notable_changes
from bot.app import App
from bot.conversation.turns import Turn, final_question
from bot.forgetting.forgetting import MAX_KEYS, forget_memories_question
from bot.locale import Localizer
from bot.notices.notices import add_notice
from bot.remembering.adding import refusal_done
from bot.slack.names import has_marks
from memory import (
    DM,
    FormationResult,
    FormationUnavailable,
    Memory,
    MemoryTools,
    Overtaken,
    PersonMessage,
    Refusal,
    memory_tools,
)
from memory.credentials import redact
from memory.model import with_texts
from memory.postgres import PersonTransaction
from memory.tools import CHANGE_TOOL, read_arguments

_REFUSALS_SHOWN = 3
_USED_UP = "Nothing was stored: the person's requests of this hour are used up. Say so."


class Toolbox:
    """The tools that the model may call while it answers one message.

    `definitions` are the tools as the Responses API takes them, none for a message off the record.
    `localizer` is the person's. `noted`: a call has taken in what the person said,
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
        off = not state.on_record
        self._app = app
        self._turn = turn
        self._message = message
        self._localizer = localizer
        formed_later = (
            app.settings.formation != "off" and state.settings.eagerness != "asked"
        )
        self.definitions = [] if off else [*memory_tools(tuple(app.schemas))]
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
        self._shown: dict[str, Payload] = {}
        self.noted = False

    @property
    def looked_up(self) -> Collection[Memory]:
        """The memories that the model has looked up."""
        return self._memory.shown.values()

    @property
    def acted(self) -> bool:
        """Whether calls have changed something; what was only shown or proposed is no change."""
        changes = notable_changes(self._memory.changes)
        return bool(self._memory.questions or changes)

    @property
    def removal_proposed(self) -> bool:
        """Whether a button asks the person whether to forget something."""
        return bool(self._memory.to_forget)

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
    def messages(self) -> list[Payload]:
        """The messages to show the person after the reply."""
        messages: list[Payload] = []
        if self._turn.memory_state.needs_consent_question:
            messages.append(consent_question(self._localizer))
        for one in self._refused[:_REFUSALS_SHOWN]:
            facts = self._app.stores_facts
            messages.append(refusal_done(self._localizer, one, facts=facts).payload)
        messages += self._shown.values()
        return messages

    @property
    def answer(self) -> Payload | None:
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
            return _json({"error": "The arguments are not a JSON object."})
        if self._turn.removed:
            # The model sees the message as it was typed; what tools store and send is redacted.
            given = with_texts(given, self._redacted)
        if name == CHANGE_TOOL:
            try:
                await admit(self._app.pool, self._app.settings, self._message.person)
            except QuotaExceeded:
                return _json({"error": _USED_UP})
        told = await self._memory.call(name, given)
        if name == CHANGE_TOOL:
            if "error" not in told and "refused" not in told:
                self.noted = True
            keys = self._memory.to_forget[:MAX_KEYS]
            if keys:
                self._shown["forget memories"] = await forget_memories_question(
                    self._app, self._message.person, self._localizer, keys
                )
        return _json(told)

    def show(self, payload: Payload) -> None:
        """Show the person what a request of theirs did, which no model was asked about."""
        self._shown["asked"] = payload

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


def _json(output: object) -> str:
    return json.dumps(output, ensure_ascii=False, default=str)
