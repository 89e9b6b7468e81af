"""The content of an open modal, chosen by the click or command that opened it."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, TypeAlias
from uuid import UUID

from bot.locale import Language, say
from bot.memories.actions import MemoryActions
from bot.memories.audience_changes import AudienceChanges
from bot.memories.changes import ChangeHistory
from bot.memories.controls import MemoryControls
from bot.memories.data_requests import Exporter, PersonEraser
from bot.memories.editing import MemoryEditor
from bot.memories.feedback import Feedback
from bot.slack.ephemeral import same_for_everyone
from bot.slack.messages import plain
from bot.slack.permalinks import Permalinks
from bot.views.adding import add_form
from bot.views.erasing import erase_form
from bot.views.memories import (
    NEAREST_SHOWN,
    REPLY_MEMORIES_SHOWN,
    ReplyMemories,
    parse_menu_value,
    reply_memories_view,
)
from bot.views.modal_triggers import (
    ADD_ACTION,
    ERASE_ACTION,
    FEEDBACK_ACTION,
    HOME_MORE_ACTION,
    MENU_ACTION,
    MY_MEMORIES,
    SETTINGS_ACTION,
    USED_ACTION,
    VIEW_ACTION,
)
from bot.views.subcommands import parse_memories
from bot.views.views import SlackView, payload_view, sentence_view
from memory import (
    DM,
    Memory,
    Person,
    Pool,
    list_memories,
    memory_view,
    person_transaction,
    similar_memories,
)

# Person, language, and the value of what was clicked, or the words after a command's name.
Fill: TypeAlias = Callable[[Person, Language, str], Awaitable[SlackView]]


def action_value(action: Mapping[str, Any]) -> str:
    """Return the value of a clicked button or of a chosen option. Raises `KeyError`."""
    return str(action["value"] if "value" in action else action["selected_option"]["value"])


@dataclass(frozen=True, slots=True, kw_only=True)
class Modals:
    """Fills opened modals; every answer covers the person's own memories only."""

    pool: Pool
    permalinks: Permalinks
    editing: MemoryEditor
    audiences: AudienceChanges
    changes: ChangeHistory
    controls: MemoryControls
    exporting: Exporter
    erasing: PersonEraser
    actions: MemoryActions
    feedback: Feedback

    async def content(
        self, body: Mapping[str, Any], person: Person, language: Language
    ) -> SlackView:
        """Return what a modal opened for `body`, a command, click or shortcut, is to show."""
        if body.get("callback_id") == MY_MEMORIES:
            return await self.listed(person, language)
        if "command" in body:
            use, words = parse_memories(str(body.get("text") or "")) or (None, "")
            fill = self._by_command.get(use.name) if use else None
            return await (fill or self.editing.numbered_form)(person, language, plain(words))
        action = body["actions"][0]
        return await self._by_action[action["action_id"]](person, language, action_value(action))

    @property
    def _by_command(self) -> Mapping[str, Fill]:
        return {
            "settings": self.controls.settings_form,
            "pause": self.controls.pause_form,
            "add": self._while_on("form_add_title", same_for_everyone(add_form)),
        }

    @property
    def _by_action(self) -> Mapping[str, Fill]:
        return {
            SETTINGS_ACTION: self.controls.settings_form,
            HOME_MORE_ACTION: self._more,
            ERASE_ACTION: same_for_everyone(erase_form),
            FEEDBACK_ACTION: self.feedback.form,
            ADD_ACTION: self._by_command["add"],
            MENU_ACTION: self._menu,
            USED_ACTION: self._used,
            VIEW_ACTION: self.changes.notice_view,
        }

    async def listed(self, person: Person, language: Language, page: str = "") -> SlackView:
        """Return a page of all memories, as ``/memories`` shows it."""
        payload = await self.actions.listed(person, language, page)
        return payload_view(language, "my_memories_title", payload)

    def _while_on(self, title: str, fill: Fill) -> Fill:
        """Return `fill`; while memory is off it shows why, below `title`."""

        async def filled(person: Person, language: Language, value: str) -> SlackView:
            if off := await self.controls.why_off(person, language):
                return sentence_view(language, title, off)
            return await fill(person, language, value)

        return filled

    async def _more(self, person: Person, language: Language, chosen: str) -> SlackView:
        """Return what was chosen in the menu of App Home."""
        match chosen:
            case "export":
                payload = await self.exporting.exported(person, language)
                return payload_view(language, "export_title", payload)
            case "forget":
                payload = await self.actions.everything_proposed(person, language)
                return payload_view(language, "forget_everything_button", payload)
        return await self.controls.settings_form(person, language)

    async def _menu(self, person: Person, language: Language, value: str) -> SlackView:
        match parse_menu_value(value):
            case "edit", reference:
                return await self.editing.form(person, language, reference)
            case "place", reference:
                return await self.audiences.form(person, language, reference)
            case "forget", reference:
                return await self.editing.forget_form(person, language, reference)
            case "history", reference:
                return await self.changes.page_in_modal(person, language, f"- {reference}")
        return sentence_view(language, "memory_title", say(language, "memory_gone"))

    async def _used(self, person: Person, language: Language, value: str) -> SlackView:
        """Return the memories that a turn's prompt contained, if the turn is one of `person`.

        These are the `NEAREST_SHOWN` nearest to its question, or the others; where nearness is not
        known, in the order of the prompt. Read from the `turns` table: nothing is written when a
        memory is used.
        """
        turn, _, others = value.partition(" ")
        async with person_transaction(self.pool, person) as connection:
            found = await connection.execute(
                "SELECT recalled, question FROM turns"
                " WHERE id = %s AND team_id = %s AND user_id = %s",
                (UUID(turn), person.team_id, person.user_id),
            )
            row = await found.fetchone()
        if row is None:
            return sentence_view(language, "used_title", say(language, "used_others"))
        keys = {key: place for place, key in enumerate(row["recalled"])}
        memories = [m for m in await list_memories(self.pool, person) if m.key in keys]
        near: list[Memory] = []
        if len(memories) > 1 and row["question"]:
            await self.actions.quotas.admit(person)
            everything = memory_view(person.namespace(DM))
            near = await similar_memories(
                self.pool, self.actions.embedder, everything, row["question"]
            )
        places = {memory.key: place for place, memory in enumerate(near)}
        memories.sort(key=lambda memory: (places.get(memory.key, len(near)), keys[memory.key]))
        begin, end = (NEAREST_SHOWN, REPLY_MEMORIES_SHOWN) if others else (0, NEAREST_SHOWN)
        shown = memories[begin:end]
        messages = {
            memory.key: memory.source_messages[-1] for memory in shown if memory.source_messages
        }
        used = ReplyMemories(
            turn=turn,
            memories=tuple(shown),
            links=await self.permalinks.by_name(person.team_id, messages),
            last_used=await self._last_used(person, shown),
            others=bool(others),
            more=max(len(memories) - end, 0),
            forgotten=0 if others else len(keys) - len(memories),
        )
        return reply_memories_view(language, used, await self.controls.people.zone(person))

    async def _last_used(self, person: Person, memories: list[Memory]) -> dict[str, datetime]:
        async with person_transaction(self.pool, person) as connection:
            found = await connection.execute(
                "SELECT key, max(ended_at) AS at FROM turns, unnest(recalled) AS key"
                " WHERE team_id = %s AND user_id = %s AND ended_at IS NOT NULL"
                " AND key = ANY(%s) GROUP BY 1",
                (person.team_id, person.user_id, [memory.key for memory in memories]),
            )
            return {row["key"]: row["at"] for row in await found.fetchall()}
