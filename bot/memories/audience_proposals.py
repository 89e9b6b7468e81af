"""Letting a memory be used elsewhere, asked for in plain words: proposed, and done by a click."""

from __future__ import annotations

import logging
from typing import Literal, TypeAlias

from bot.locale import Language, say
from bot.slack.audiences import Audiences
from bot.views.audiences import move_question
from bot.views.blocks import Payload, ephemeral_payload, escaped
from bot.views.changes import changes_made_payload
from bot.views.memories import numbered
from memory import (
    DM,
    PUBLIC,
    ChangedSince,
    ChangeGone,
    Embedder,
    EmbeddingsUnavailable,
    Person,
    Pool,
    changes_named,
    list_memories,
    matching,
    move_memory,
)

log = logging.getLogger(__name__)

Where: TypeAlias = Literal["here", "everywhere", "direct_messages"]


class AudienceProposals:
    """Each answer is for the person alone and covers their own memories only."""

    def __init__(self, pool: Pool, embedder: Embedder, audiences: Audiences) -> None:
        self._pool = pool
        self._embedder = embedder
        self._audiences = audiences

    async def proposed(
        self, person: Person, language: Language, *, words: str, where: Where, channel: str
    ) -> Payload:
        """Return the question which of the memories with these words to use where."""
        audience = {"everywhere": PUBLIC, "direct_messages": DM}.get(where, "")
        if not audience:
            kind = await self._audiences.kind(person.team_id, channel)
            audience = kind.audience if kind else channel
        memories = await list_memories(self._pool, person)
        meant = {memory.reference for memory in matching(memories, words)}
        found = [pair for pair in numbered(memories) if pair[1].reference in meant]
        if not found:
            return ephemeral_payload(say(language, "forget_no_match", words=escaped(words[:80])))
        elsewhere = [pair for pair in found if pair[1].namespace.audience != audience]
        if not elsewhere:
            return ephemeral_payload(say(language, "place_same"))
        return move_question(language, elsewhere, audience)

    async def moved(self, person: Person, language: Language, value: str) -> Payload:
        """Move the memory a button names: ``AUDIENCE REFERENCE``; return that, with its Undo."""
        audience, _, reference = value.partition(" ")
        try:
            change = await move_memory(self._pool, self._embedder, person, reference, audience)
        except ChangeGone:
            return ephemeral_payload(say(language, "memory_gone"))
        except ChangedSince:
            return ephemeral_payload(say(language, "place_same"))
        except EmbeddingsUnavailable:
            return ephemeral_payload(say(language, "command_failed"))
        log.info("a person let a memory be used elsewhere")
        entries = await changes_named(self._pool, person, [change.id])
        return changes_made_payload(language, entries)
