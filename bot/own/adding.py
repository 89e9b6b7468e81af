"""``/memories add``: what a person asks to remember, formed at once from their own words."""

from __future__ import annotations

import logging
from collections.abc import Sequence

from psycopg import AsyncConnection
from psycopg.rows import DictRow
from pydantic import BaseModel

from bot.audience import Audiences
from bot.locale import Language, say
from bot.own.changes import HISTORY
from bot.person.settings import ConsentMode, PersonSettings, read_settings
from bot.surfaces.blocks import Payload, private
from bot.surfaces.notices import Told, notice_payload
from bot.surfaces.standing import off_line
from memory import (
    SCHEMAS,
    Change,
    Embedder,
    EmbeddingsUnavailable,
    FormationUnavailable,
    Former,
    InvalidContent,
    MemoryOff,
    Namespace,
    Person,
    Pool,
    Question,
    UserFact,
    View,
    Words,
    add_memory,
    as_statement,
    changes_named,
    list_memories,
    matching,
    person_transaction,
)

log = logging.getLogger(__name__)

_LIMIT = 2_000


class Adding:
    """Stores what the person typed, in the audience of where they typed it."""

    def __init__(
        self,
        pool: Pool,
        embedder: Embedder,
        former: Former,
        audiences: Audiences,
        *,
        schemas: Sequence[type[BaseModel]] = SCHEMAS,
        consent: ConsentMode,
    ) -> None:
        self._pool = pool
        self._embedder = embedder
        self._former = former
        self._audiences = audiences
        self._keeps_facts = UserFact in schemas
        self._consent: ConsentMode = consent

    async def added(self, person: Person, language: Language, words: str, channel: str) -> Payload:
        """Remember `words` now, and say what was stored: what is formed of them, else as a fact."""
        if not words:
            return private(say(language, "add_usage"))
        async with person_transaction(self._pool, person) as connection:
            settings = await read_settings(connection, person)
        if off := settings.off(self._consent):
            return private(off_line(language, off, settings))
        try:
            told = await self._stored(person, settings, words[:_LIMIT], channel)
        except InvalidContent:
            return private(say(language, "add_refused"))
        except MemoryOff:
            return private(say(language, "off_refused"))
        except EmbeddingsUnavailable:
            return private(say(language, "command_failed"))
        if told is None:
            return private(say(language, "add_nothing"))
        return notice_payload(language, told) if told else private(say(language, "add_known"))

    async def _stored(
        self, person: Person, settings: PersonSettings, words: str, channel: str
    ) -> Told | None:
        async def permitted(connection: AsyncConnection[DictRow], _: object = None) -> None:
            if (await read_settings(connection, person)).off(self._consent):
                raise MemoryOff("The person has switched memory off meanwhile.")

        where = await self._audiences.view_in(person, channel)
        said = Words(
            text=as_statement(words),
            channel="",
            ts="",
            kind="command",
            zone=settings.zone,
        )
        changes: Sequence[Change] = ()
        questions: Sequence[Question] = ()
        try:
            formed = await self._former.form(where, [said], in_commit=permitted)
        except FormationUnavailable:
            log.warning("nothing could be formed of what somebody added; it is kept as it is")
        else:
            changes, questions = formed.changes, formed.questions
        if not (changes or questions or await self._knows(where, words)):
            if not self._keeps_facts:
                return None
            changes = [await self._as_fact(where.own, words)]
        entries = await changes_named(self._pool, person, [change.id for change in changes])
        # After a click there the newest changes are shown.
        return Told(where=f"{HISTORY} -", entries=tuple(entries), questions=tuple(questions))

    async def _knows(self, where: View, words: str) -> bool:
        memories = await list_memories(self._pool, where.person)
        return bool(matching([m for m in memories if where.allows(m.namespace)], words))

    async def _as_fact(self, namespace: Namespace, words: str) -> Change:
        source = {"kind": "command", "evidence": words}
        return await add_memory(
            self._pool, self._embedder, namespace, "UserFact", {"fact": words}, source
        )
