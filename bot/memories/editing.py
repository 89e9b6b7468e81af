"""Modals about one memory: edit, forget."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from dataclasses import KW_ONLY, dataclass
from datetime import datetime
from typing import Any

from pydantic import BaseModel

from bot.locale import Language, say
from bot.memories.actions import MemoryActions
from bot.views.changes import changes_made_payload
from bot.views.forgetting import forget_form
from bot.views.forms import SubmittedForm, field_error, memory_form, read_form
from bot.views.labels import says_nothing_more
from bot.views.memories import no_such_number, numbered
from bot.views.subcommands import numbers_in
from bot.views.views import SlackView, language_of_view, metadata_of, payload_view, sentence_view
from memory import (
    LEVEL_FIELDS,
    ChangedSince,
    ChangeGone,
    Embedder,
    EmbeddingsUnavailable,
    InvalidContent,
    Memory,
    Person,
    Pool,
    Selection,
    edit_memory,
    find_memory,
    list_changes,
    list_memories,
)

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class MemoryEditor:
    """Modals about one memory of the person who opened them."""

    pool: Pool
    embedder: Embedder
    actions: MemoryActions
    _: KW_ONLY
    schemas: Sequence[type[BaseModel]]

    # Opened

    async def form(self, person: Person, language: Language, reference: str) -> SlackView:
        """Return the form of a memory with what it holds now."""
        return self._filled(language, await find_memory(self.pool, person, reference))

    async def numbered_form(self, person: Person, language: Language, number: str) -> SlackView:
        """Return the form of the memory that has this number in the person's list."""
        chosen = numbers_in(number)
        if len(chosen) != 1:
            return sentence_view(language, "form_edit_title", say(language, "edit_usage"))
        memories = await list_memories(self.pool, person)
        found = [memory for place, memory in numbered(memories) if place in chosen]
        if not found:
            text = no_such_number(language, chosen[0], len(memories))
            return sentence_view(language, "form_edit_title", text)
        return self._filled(language, found[0])

    async def forget_form(self, person: Person, language: Language, reference: str) -> SlackView:
        """Return the question before a memory is forgotten."""
        memory = await find_memory(self.pool, person, reference)
        if memory is None:
            return _gone(language)
        return forget_form(language, memory, await self.actions.people.zone(person))

    # Submitted: errors are found without any lookup

    def read(self, view: Mapping[str, Any]) -> SubmittedForm:
        """Return what a form was submitted with."""
        schema = self._schema(metadata_of(view).get("kind", ""))
        if schema is None:
            return SubmittedForm(content={}, errors={})
        return read_form(language_of_view(view), schema, view["state"]["values"])

    # Done

    async def saved(self, person: Person, language: Language, view: Mapping[str, Any]) -> SlackView:
        """Store what a form was submitted with; return the change with its Undo."""
        metadata, content = metadata_of(view), self.read(view).content
        reference, kind = metadata.get("memory", ""), metadata.get("kind", "")
        memory = await find_memory(self.pool, person, reference)
        if memory is None:
            return _gone(language)
        whole = _edited(kind, memory.content, content)
        await self.actions.quotas.admit(person)
        try:
            change = await edit_memory(
                self.pool,
                self.embedder,
                person,
                reference,
                whole,
                _source(whole),
                seen=datetime.fromisoformat(seen) if (seen := metadata.get("seen")) else None,
                schemas=self.schemas,
            )
        except InvalidContent as problem:
            name, code = next(iter(problem.codes.items()))
            text = field_error(language, code, text=str(content.get(name)))
            return sentence_view(language, "memory_title", text)
        except ChangeGone:
            return _gone(language)
        except ChangedSince:
            return sentence_view(language, "memory_title", say(language, "ask_changed"))
        except EmbeddingsUnavailable:
            return sentence_view(language, "memory_title", say(language, "command_failed"))
        log.info("a person edited a memory")
        entries = await list_changes(self.pool, person, ids=[change.id])
        payload = changes_made_payload(language, entries, await self.actions.people.zone(person))
        return payload_view(language, "memory_title", payload)

    async def forgotten(
        self, person: Person, language: Language, view: Mapping[str, Any]
    ) -> SlackView:
        """Forget the memory a modal asked about; return what was forgotten, with its Undo."""
        selection = Selection(keys=[metadata_of(view).get("memory", "")])
        payload = await self.actions.forget(person, language, selection)
        return payload_view(language, "forget_confirm_title", payload)

    def _filled(self, language: Language, memory: Memory | None) -> SlackView:
        if memory is None:
            return _gone(language)
        schema = self._schema(memory.kind)
        if schema is None:
            return sentence_view(language, "form_edit_title", say(language, "edit_no_form"))
        return memory_form(
            language,
            schema,
            memory.content,
            reference=memory.key,
            seen=memory.updated_at.isoformat(),
        )

    def _schema(self, kind: str) -> type[BaseModel] | None:
        return next((schema for schema in self.schemas if schema.__name__ == kind), None)


def _gone(language: Language) -> SlackView:
    return sentence_view(language, "memory_title", say(language, "memory_gone"))


def _edited(kind: str, content: Mapping[str, Any], entered: Mapping[str, Any]) -> dict[str, Any]:
    """Return `content` with what was entered; a sentence about the level before goes with it."""
    whole = {**content, **entered}
    level = LEVEL_FIELDS.get(kind, "")
    if (
        str(whole.get(level)) != str(content.get(level))
        and whole.get("description") == content.get("description")
        and says_nothing_more(kind, content)
    ):
        whole["description"] = None
    return whole


def _source(content: Mapping[str, Any]) -> dict[str, Any]:
    texts = [str(value) for value in content.values() if isinstance(value, str) and value]
    return {"kind": "modal", "evidence": " ".join(texts)}
