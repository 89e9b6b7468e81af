"""The memories that a reply in a conversation could use."""

from __future__ import annotations

import re

from bot.locale import Language, say
from bot.slack.audiences import Audiences, Kind
from bot.views.blocks import Payload, ephemeral_payload
from bot.views.memories import numbered, preview_list
from memory import DM, PUBLIC, Embedder, Person, Pool, list_memories, recall_memories

_MENTIONED = re.compile(r"<#([A-Z0-9]+)(?:\|[^<>]*)?>")
_ALL = 100_000


class RecallPreviews:
    """The view of a conversation, recalled by the very code that a reply there recalls by."""

    def __init__(
        self, pool: Pool, embedder: Embedder, audiences: Audiences, *, stand_in: bool
    ) -> None:
        self._pool = pool
        self._embedder = embedder
        self._audiences = audiences
        self._stand_in = stand_in

    async def command(
        self, person: Person, language: Language, words: str, channel: str
    ) -> Payload:
        """Answer ``/memories preview``: of the conversation mentioned, else of `channel`."""
        mentioned = _MENTIONED.search(words)
        if words and not mentioned:
            return ephemeral_payload(say(language, "preview_usage"))
        return await self.of(person, language, mentioned[1] if mentioned else channel)

    async def page(self, person: Person, language: Language, value: str) -> Payload:
        """Return the page that a button names: ``PAGE CHANNEL``."""
        page, _, channel = value.partition(" ")
        return await self.of(person, language, channel, page=int(page))

    async def of(
        self, person: Person, language: Language, channel: str, *, page: int = 1
    ) -> Payload:
        """Return a page of the memories that a reply in `channel` could draw on."""
        view = await self._audiences.view_in(person, channel)
        recalled = await recall_memories(self._pool, self._embedder, view, "", whole=_ALL)
        seen = {memory.reference for memory in recalled.memories}
        everything = numbered(await list_memories(self._pool, person))
        kind = await self._audiences.kind(person.team_id, channel)
        return preview_list(
            language,
            [pair for pair in everything if pair[1].reference in seen],
            channel=channel,
            direct=kind is not None and not kind.shared and kind.audience == DM,
            why=say(language, _why(kind)),
            page=page,
            stand_in=self._stand_in,
        )


def _why(kind: Kind | None) -> str:
    if kind is None or kind.shared:
        return "preview_why_shared"
    names = {DM: "preview_why_dm", PUBLIC: "preview_why_public"}
    return names.get(kind.audience, "preview_why_own")
