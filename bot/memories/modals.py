"""The content of an open modal, chosen by the click or command that opened it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from pydantic import BaseModel
from slack_sdk.web.async_client import AsyncWebClient

from bot.locale import Language, say
from bot.memories.actions import MemoryActions
from bot.memories.changes import ChangeHistory
from bot.memories.controls import MemoryControls
from bot.memories.editing import MemoryEditor
from bot.memories.erasing import PersonEraser
from bot.memories.feedback import Feedback
from bot.memories.importing import Importer
from bot.memories.memories_used import UsedMemories
from bot.notices.change_notices import ChangeNotices
from bot.slack.audiences import Audiences
from bot.slack.permalinks import Permalinks
from bot.views.memories import other_person_view, parse_menu_value, reply_memories_view
from bot.views.modal_triggers import (
    ADD_ACTION,
    ERASE_ACTION,
    FEEDBACK_ACTION,
    IMPORT_ACTION,
    IMPORT_ALL_ACTION,
    MENU_ACTION,
    MY_MEMORIES,
    SETTINGS_ACTION,
    USED_ACTION,
)
from bot.views.subcommands import parse_memories
from bot.views.views import View, metadata_of, payload_view, sentence_view
from memory import SCHEMAS, Embedder, Person, Pool


def create_modals(
    pool: Pool,
    embedder: Embedder,
    client: AsyncWebClient,
    audiences: Audiences,
    own: MemoryActions,
    notices: ChangeNotices,
    controls: MemoryControls,
    importing: Importer,
    erasing: PersonEraser,
    *,
    schemas: Sequence[type[BaseModel]] = SCHEMAS,
) -> Modals:
    """Return the modals; `schemas` are the kinds that can be edited and added."""
    links = Permalinks(client)
    return Modals(
        editing=MemoryEditor(pool, embedder, audiences, own, schemas=schemas),
        changes=ChangeHistory(pool, embedder, notices, links),
        used=UsedMemories(pool, links),
        controls=controls,
        importing=importing,
        erasing=erasing,
        own=own,
        feedback=Feedback(pool),
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Modals:
    """Fills opened modals; every answer covers the person's own memories only."""

    editing: MemoryEditor
    changes: ChangeHistory
    used: UsedMemories
    controls: MemoryControls
    importing: Importer
    erasing: PersonEraser
    own: MemoryActions
    feedback: Feedback

    async def content(self, body: Mapping[str, Any], person: Person, language: Language) -> View:
        """Return what a modal opened for `body`, a command, click or shortcut, is to show."""
        if body.get("callback_id") == MY_MEMORIES:
            return await self.listed(person, language)
        if "command" in body:
            return await self._commanded(str(body.get("text") or ""), person, language)
        action = body["actions"][0]
        if action["action_id"] == SETTINGS_ACTION:
            return await self.controls.settings_form(person, language)
        if action["action_id"] == ERASE_ACTION:
            return self.erasing.form(language)
        if action["action_id"] == FEEDBACK_ACTION:
            return await self.feedback.asked_why(person, language, str(action["value"]))
        if action["action_id"] == IMPORT_ACTION:
            return await self._import(person, language)
        if action["action_id"] == IMPORT_ALL_ACTION:
            return await self.importing.page(person, language, body["view"])
        if action["action_id"] == ADD_ACTION:
            return await self._blank(person, language)
        if action["action_id"] == MENU_ACTION:
            return await self._menu(str(action["selected_option"]["value"]), person, language)
        if action["action_id"] == USED_ACTION:
            used = await self.used.of_turn(person, str(action["value"]))
            if used is None:
                return other_person_view(language)
            return reply_memories_view(language, used, await self.changes.zone(person))
        return await self.changes.told_in_full(person, language, str(action["value"]))

    async def listed(self, person: Person, language: Language, page: str = "") -> View:
        """Return a page of all memories, as ``/memories`` shows it."""
        return payload_view(
            language, "my_memories_title", await self.own.listed(person, language, page)
        )

    async def saved(self, person: Person, language: Language, view: Mapping[str, Any]) -> View:
        """Store what a form was submitted with; nothing new while memory is off."""
        if not metadata_of(view).get("memory"):
            off = await self.controls.why_off(person, language)
            if off:
                return sentence_view(language, "form_add_title", off)
        return await self.editing.saved(person, language, view)

    async def _commanded(self, text: str, person: Person, language: Language) -> View:
        use, words = parse_memories(text) or (None, "")
        if use is not None and use.name == "settings":
            return await self.controls.settings_form(person, language)
        if use is not None and use.name == "import":
            return await self._import(person, language)
        if use is not None and use.name == "add":
            return await self._blank(person, language)
        if use is not None and use.name == "pause":
            return await self.controls.pause_form(person, language)
        if not words:
            return sentence_view(language, "form_edit_title", say(language, "edit_usage"))
        return await self.editing.numbered_form(person, language, words)

    async def _import(self, person: Person, language: Language) -> View:
        if off := await self.controls.why_off(person, language):
            return sentence_view(language, "import_title", off)
        return await self.importing.form(person, language)

    async def _blank(self, person: Person, language: Language) -> View:
        if off := await self.controls.why_off(person, language):
            return sentence_view(language, "form_add_title", off)
        return self.editing.blank(language)

    async def _menu(self, value: str, person: Person, language: Language) -> View:
        match parse_menu_value(value):
            case "edit", reference:
                return await self.editing.form(person, language, reference)
            case "place", reference:
                return await self.editing.place(person, language, reference)
            case "forget", reference:
                return await self.editing.forgetting(person, language, reference)
            case "history", reference:
                return await self.changes.history_of(person, language, f"- {reference}")
        return sentence_view(language, "memory_title", say(language, "memory_gone"))
