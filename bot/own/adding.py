"""What a person asks to remember, formed at once from their own words, typed or pointed at."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from typing import Any

from psycopg import AsyncConnection
from psycopg.rows import DictRow
from pydantic import BaseModel

from bot.audience import Audiences
from bot.kept_texts import is_off_record, note_taken_up
from bot.locale import Language, say
from bot.own.changes import HISTORY
from bot.person.admission import Admission
from bot.person.settings import ConsentMode, PersonSettings, read_settings
from bot.surfaces.blocks import Payload, private
from bot.surfaces.notices import Told, notice_payload
from bot.surfaces.standing import off_line
from bot.words import storable, typed
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
    forgotten_places,
    list_memories,
    matching,
    person_transaction,
)

log = logging.getLogger(__name__)

_LIMIT = 2_000


class Adding:
    """Stores what the person said, in the audience of where they said it."""

    def __init__(
        self,
        pool: Pool,
        embedder: Embedder,
        former: Former,
        audiences: Audiences,
        *,
        schemas: Sequence[type[BaseModel]] = SCHEMAS,
        consent: ConsentMode,
        admission: Admission | None = None,
    ) -> None:
        self._pool = pool
        self._embedder = embedder
        self._former = former
        self._audiences = audiences
        self._keeps_facts = UserFact in schemas
        self._consent: ConsentMode = consent
        self._admission = admission

    async def added(self, person: Person, language: Language, words: str, channel: str) -> Payload:
        """Remember `words` now, and say what was stored: what is formed of them, else as a fact."""
        if not words:
            return private(say(language, "add_usage"))
        async with person_transaction(self._pool, person) as connection:
            settings = await read_settings(connection, person)
        return await self._told(person, language, settings, words, channel)

    async def pointed_at(
        self, person: Person, language: Language, *, channel: str, message: Mapping[str, Any]
    ) -> Payload:
        """Remember what a message of Slack's says, if the person wrote it, with it as the source.

        One they had forgotten, or put off the record, is never learned from.
        """
        ts = str(message.get("ts") or "")
        own = message.get("user") == person.user_id and not message.get("bot_id")
        if not (own and ts and channel):
            return private(say(language, "remember_not_own"))
        words = typed(storable(str(message.get("text") or "")))
        if not words:
            return private(say(language, "remember_no_words"))
        thread = f"{person.team_id}.{channel}.{message.get('thread_ts') or ts}"
        async with person_transaction(self._pool, person) as connection:
            settings = await read_settings(connection, person)
            forgotten = ts in await forgotten_places(connection, person, channel)
            unkept = await is_off_record(connection, person, channel, ts, thread)
        if off := settings.off(self._consent):
            return private(off_line(language, off, settings))
        if forgotten:
            return private(say(language, "remember_forgotten"))
        if unkept:
            return private(say(language, "remember_off_record"))
        return await self._told(person, language, settings, words, channel, ts)

    async def _told(
        self,
        person: Person,
        language: Language,
        settings: PersonSettings,
        words: str,
        channel: str,
        ts: str = "",
    ) -> Payload:
        if self._admission and (refusal := await self._admission.refuses_person(person)):
            return private(say(language, refusal))
        if off := settings.off(self._consent):
            return private(off_line(language, off, settings))
        try:
            told = await self._stored(person, settings, words[:_LIMIT], channel, ts)
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
        self, person: Person, settings: PersonSettings, words: str, channel: str, ts: str
    ) -> Told | None:
        async def in_commit(connection: AsyncConnection[DictRow], _: object = None) -> None:
            if (await read_settings(connection, person)).off(self._consent):
                raise MemoryOff("The person has switched memory off meanwhile.")
            if ts:
                await note_taken_up(connection, person, channel, ts)

        where = await self._audiences.view_in(person, channel)
        said = Words(
            text=as_statement(words),
            channel=channel if ts else "",
            ts=ts,
            kind="message" if ts else "command",
            zone=settings.zone,
        )
        changes: Sequence[Change] = ()
        questions: Sequence[Question] = ()
        try:
            formed = await self._former.form(where, [said], in_commit=in_commit)
        except FormationUnavailable:
            log.warning("nothing could be formed of what somebody added; it is kept as it is")
        else:
            changes, questions = formed.changes, formed.questions
        if not (changes or questions or await self._knows(where, words)):
            if not self._keeps_facts:
                return None
            changes = [await self._as_fact(where.own, words, said)]
        entries = await changes_named(self._pool, person, [change.id for change in changes])
        # After a click there the newest changes are shown.
        return Told(where=f"{HISTORY} -", entries=tuple(entries), questions=tuple(questions))

    async def _knows(self, where: View, words: str) -> bool:
        memories = await list_memories(self._pool, where.person)
        return bool(matching([m for m in memories if where.allows(m.namespace)], words))

    async def _as_fact(self, namespace: Namespace, words: str, said: Words) -> Change:
        place = {"channel": said.channel, "ts": said.ts} if said.ts else {}
        source = {"kind": said.kind, "evidence": words, **place}
        return await add_memory(
            self._pool, self._embedder, namespace, "UserFact", {"fact": words}, source
        )
