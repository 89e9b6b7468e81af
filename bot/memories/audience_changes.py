"""Changes of the audience of a memory: by its form, or proposed in plain words and then clicked."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal, TypeAlias

from bot.locale import Language, say
from bot.slack.audiences import Audiences
from bot.users.profiles import Profiles
from bot.views.audiences import audience_form, move_question, read_audience_form
from bot.views.blocks import Payload, beside_payload, ephemeral_payload, escaped
from bot.views.changes import changes_made_payload
from bot.views.memories import numbered
from bot.views.views import SlackView, metadata_of, payload_view, sentence_view
from memory import (
    DM,
    PUBLIC,
    Change,
    ChangedSince,
    ChangeGone,
    Embedder,
    EmbeddingsUnavailable,
    Person,
    Pool,
    find_memory,
    list_changes,
    list_memories,
    move_memory,
    search_memories,
)

log = logging.getLogger(__name__)

Where: TypeAlias = Literal["here", "everywhere", "direct_messages"]


@dataclass(frozen=True, slots=True)
class AudienceChanges:
    """Each answer is for the person alone and covers their own memories only."""

    pool: Pool
    embedder: Embedder
    audiences: Audiences
    people: Profiles

    async def proposed(
        self, person: Person, language: Language, *, words: str, where: Where, channel: str
    ) -> Payload:
        """Return the question whether to move the memories with these words to an audience."""
        audience = {"everywhere": PUBLIC, "direct_messages": DM}.get(where)
        audience = audience or await self._audience(person, channel)
        memories = await list_memories(self.pool, person)
        meant = {one.key for one in await search_memories(self.pool, person, words)}
        found = [pair for pair in numbered(memories) if pair[1].key in meant]
        if not found:
            return ephemeral_payload(say(language, "forget_no_match", words=escaped(words[:80])))
        elsewhere = [pair for pair in found if pair[1].namespace.audience != audience]
        if not elsewhere:
            return ephemeral_payload(say(language, "place_same"))
        zone = await self.people.zone(person)
        return move_question(language, elsewhere, audience, zone, asked_here=where == "here")

    async def _audience(self, person: Person, channel: str) -> str:
        kind = await self.audiences.kind(person.team_id, channel)
        return kind.audience if kind else channel

    async def moved(self, person: Person, language: Language, value: str) -> Payload:
        """Move the memory a button names: ``AUDIENCE REFERENCE``; return that, with its Undo.

        A second click returns the same.
        """
        audience, _, reference = value.partition(" ")
        moved = await self._move(person, reference, audience, actor="question")
        if moved == "place_same":
            newest = await list_changes(self.pool, person, limit=1, key=reference)
            if [(one.action, one.namespace.audience) for one in newest] == [("moved", audience)]:
                moved = newest
        if isinstance(moved, str):
            return beside_payload(say(language, moved))
        return changes_made_payload(language, moved, await self.people.zone(person))

    async def form(self, person: Person, language: Language, reference: str) -> SlackView:
        """Return the question where a memory may be used."""
        if memory := await find_memory(self.pool, person, reference):
            return audience_form(language, memory, await self.people.zone(person))
        return sentence_view(language, "memory_title", say(language, "memory_gone"))

    async def submitted(
        self, person: Person, language: Language, view: Mapping[str, Any]
    ) -> SlackView:
        """Move a memory to the audience chosen in the form; return that, with its Undo."""
        chosen = read_audience_form(view)
        audience = chosen.audience
        if chosen.channel:
            known = await self.audiences.kind(person.team_id, chosen.channel)
            if known is None:
                return sentence_view(language, "place_title", say(language, "place_unknown"))
            if known.audience in (DM, PUBLIC):
                return sentence_view(language, "place_title", say(language, "place_is_public"))
            audience = known.audience
        reference = metadata_of(view).get("memory", "")
        moved = await self._move(person, reference, audience, actor="modal")
        if isinstance(moved, str):
            return sentence_view(language, "place_title", say(language, moved))
        payload = changes_made_payload(language, moved, await self.people.zone(person))
        return payload_view(language, "memory_title", payload)

    async def _move(
        self, person: Person, reference: str, audience: str, *, actor: Literal["question", "modal"]
    ) -> list[Change] | str:
        """Move a memory; return the change, or the key of the sentence that says why not."""
        try:
            change = await move_memory(
                self.pool, self.embedder, person, reference, audience, actor=actor
            )
        except ChangeGone:
            return "memory_gone"
        except ChangedSince:
            return "place_same"
        except EmbeddingsUnavailable:
            return "command_failed"
        log.info("a person let a memory be used elsewhere")
        return await list_changes(self.pool, person, ids=[change.id])
