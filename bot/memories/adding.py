"""Memories that a person asks for, formed at once from a sentence or a message of theirs."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from dataclasses import KW_ONLY, dataclass, replace
from datetime import tzinfo
from functools import partial
from typing import Any

from psycopg import AsyncConnection
from psycopg.rows import DictRow
from pydantic import BaseModel

from bot.conversation.off_record import is_off_record
from bot.conversation.unformed import mark_message_formed
from bot.locale import Language, say
from bot.memories.changes import HISTORY
from bot.slack.audiences import Audiences
from bot.slack.messages import storable, thread_key, typed
from bot.types import ConsentMode, PersonSettings, Policy
from bot.users.quotas import QuotaExceeded, Quotas, count_tokens
from bot.users.requests import MessageChanged, begin_request, check_request
from bot.users.settings import read_settings
from bot.views.blocks import Payload, beside_payload, ephemeral_payload
from bot.views.memory_state import memory_off_text, not_added_notice
from bot.views.notices import NoticeContent, notice_payload
from bot.views.refusals import (
    QuotedSentence,
    parse_quoted_sentence,
    quoted_sentence_of,
    refusal_payload,
)
from bot.views.reply import credentials_named
from memory import (
    Change,
    Embedder,
    EmbeddingsUnavailable,
    FormationResult,
    FormationUnavailable,
    Former,
    InvalidContent,
    MemoryOff,
    MemoryView,
    Namespace,
    Person,
    PersonMessage,
    Pool,
    Reason,
    RefusedProposal,
    UserFact,
    add_memory,
    changes_named,
    credential_kinds,
    forgotten_messages,
    list_memories,
    matching,
    person_transaction,
    redact,
)

log = logging.getLogger(__name__)

# Deadline of the model calls, in seconds; after it the words are stored as typed.
_DEADLINE = 5.0
# Reasons given by verdicts. After any other refusal the words are stored as typed: the words of a
# command are their own evidence.
_VERDICTS = frozenset[Reason](
    {
        "unsupported",
        "other_person",
        "past",
        "hypothetical",
        "question",
        "joke",
        "request",
        "ended",
        "sensitive",
    }
)


@dataclass(frozen=True, slots=True)
class MemoryAdder:
    """Stores what the person said, in the audience where they said it.

    Requests count against `quotas`.
    """

    pool: Pool
    embedder: Embedder
    former: Former
    audiences: Audiences
    _: KW_ONLY
    schemas: Sequence[type[BaseModel]]
    consent: ConsentMode
    policy: Policy
    quotas: Quotas

    @property
    def _stores_facts(self) -> bool:
        return UserFact in self.schemas

    async def added(self, person: Person, language: Language, words: str, channel: str) -> Payload:
        """Remember `words` now, and say what was stored: what is formed of them, else as a fact."""
        async with person_transaction(self.pool, person) as connection:
            settings = await read_settings(connection, person)
        return await self._add(person, language, settings, words, channel)

    async def pointed_at(
        self, person: Person, language: Language, *, channel: str, message: Mapping[str, Any]
    ) -> Payload:
        """Remember what a message of Slack's says, if the person wrote it, with it as the source.

        No memory is formed from a message that the person forgot or marked as off the record.
        """
        ts = str(message.get("ts") or "")
        own = message.get("user") == person.user_id and not message.get("bot_id")
        if not (own and ts and channel):
            return ephemeral_payload(say(language, "remember_not_own"))
        words = typed(storable(str(message.get("text") or "")))
        if not words:
            return ephemeral_payload(say(language, "remember_no_words"))
        thread = thread_key(person.team_id, channel, str(message.get("thread_ts") or ts))
        async with person_transaction(self.pool, person) as connection:
            settings = await read_settings(connection, person)
            unlearned = await _unlearned(connection, person, channel, ts, thread)
        if off := settings.off_reason(self.consent):
            return not_added_notice(language, off, settings)
        if unlearned:
            return ephemeral_payload(say(language, unlearned))
        return await self._add(person, language, settings, words, channel, ts)

    async def stored_anyway(self, person: Person, language: Language, value: str) -> Payload:
        """Store the sentence in the button of a refusal as a fact, and confirm it.

        Credentials are refused, and so is what the person forgot or marked as off the record.
        """
        quoted = parse_quoted_sentence(value)
        if quoted is None:
            return beside_payload(say(language, "command_broke"))
        async with person_transaction(self.pool, person) as connection:
            settings = await read_settings(connection, person)
            channel, ts = quoted.channel, quoted.ts
            thread = thread_key(person.team_id, channel, ts)
            reason = ts and await _unlearned(connection, person, channel, ts, thread)
        if refusal := self.policy.refuses_person(person):
            return beside_payload(say(language, refusal))
        if off := settings.off_reason(self.consent):
            return beside_payload(memory_off_text(language, off, settings))
        if reason:
            return beside_payload(say(language, reason))
        if not self._stores_facts:
            return beside_payload(say(language, "add_nothing"))
        try:
            await self.quotas.admit(person)
        except QuotaExceeded as used_up:
            return beside_payload(used_up.refusal(language))
        request = await begin_request(self.pool, person, channel=channel, ts=ts)
        where = await self._where(person, quoted)
        try:
            change = await self._as_fact(where.own, quoted, "command", request)
        except _PROBLEMS as problem:
            return beside_payload(_why_not(language, problem, quoted.text))
        log.info("a person stored what had been refused")
        return _notice_payload(language, await self._notice(person, [change]), settings.zone)

    async def _add(
        self,
        person: Person,
        language: Language,
        settings: PersonSettings,
        words: str,
        channel: str,
        ts: str = "",
    ) -> Payload:
        if refusal := self.policy.refuses_person(person):
            return ephemeral_payload(say(language, refusal))
        if off := settings.off_reason(self.consent):
            return not_added_notice(language, off, settings)
        try:
            await self.quotas.admit(person)
        except QuotaExceeded as used_up:
            return ephemeral_payload(used_up.refusal(language))
        if redact(words).removed:
            return ephemeral_payload(_not_stored(language, words, {}))
        quoted = QuotedSentence(text=words, channel=channel, ts=ts)
        try:
            stored = await self._stored(person, settings, quoted)
        except _PROBLEMS as problem:
            return ephemeral_payload(_why_not(language, problem, quoted.text))
        if stored is None:
            return ephemeral_payload(say(language, "add_nothing"))
        if isinstance(stored, RefusedProposal):
            # A command is not a message with a channel and a timestamp.
            sentence = quoted_sentence_of(stored) or quoted
            shown = QuotedSentence(text=sentence.text, channel=channel, ts=ts)
            return refusal_payload(language, stored.reason, shown, can_store=self._stores_facts)
        return _notice_payload(language, stored, settings.zone)

    async def _stored(
        self, person: Person, settings: PersonSettings, quoted: QuotedSentence
    ) -> NoticeContent | RefusedProposal | None:
        """Store what is formed from the words, or the words; return why a verdict refused them."""
        ts, words = quoted.ts, quoted.text
        request = await begin_request(self.pool, person, channel=quoted.channel, ts=ts)
        where = await self._where(person, quoted)
        said = PersonMessage(
            text=words,
            channel=quoted.channel if ts else "",
            ts=ts,
            origin="message" if ts else "command",
            zone=settings.zone,
        )
        try:
            formed = await self.former.form(
                where,
                [said],
                in_commit=partial(self._in_commit, person, quoted, request),
                deadline=_DEADLINE,
                spend=partial(count_tokens, person.team_id),
            )
        except FormationUnavailable:
            formed = FormationResult(changes=(), refused=(), late=True)
        refused = next((one for one in formed.refused if one.reason in _VERDICTS), None)
        checked = refused is None and not formed.late
        if formed.changes or formed.questions or (checked and await self._knows(where, words)):
            stored = await self._notice(person, formed.changes)
            return replace(stored, questions=tuple(formed.questions))
        if refused is not None:
            return refused
        if not self._stores_facts:
            return None
        if formed.late:
            log.warning("what a person added was not judged in time; it is stored as typed")
        change = await self._as_fact(where.own, quoted, said.origin, request)
        return await self._notice(person, [change])

    async def _where(self, person: Person, quoted: QuotedSentence) -> MemoryView:
        """Return where a sentence is remembered: one of a message where that was said."""
        channel, ts = quoted.channel, quoted.ts
        if not ts:
            return await self.audiences.view_in(person, channel)
        async with person_transaction(self.pool, person) as connection:
            found = await connection.execute(
                "SELECT audience FROM turns WHERE team_id = %s AND user_id = %s"
                " AND channel_id = %s AND question_ts = %s",
                (person.team_id, person.user_id, channel, ts),
            )
            row = await found.fetchone()
        audience = row["audience"] if row else None
        return await self.audiences.view_of(person, channel, ts, audience)

    async def _knows(self, where: MemoryView, words: str) -> bool:
        memories = await list_memories(self.pool, where.person)
        allowed = [memory for memory in memories if where.allows(memory.namespace)]
        return bool(matching(allowed, words, whole_words=True))

    async def _notice(self, person: Person, changes: Sequence[Change]) -> NoticeContent:
        entries = await changes_named(self.pool, person, [change.id for change in changes])
        # A click there also shows the newest changes.
        return NoticeContent(surface=f"{HISTORY} -", entries=tuple(entries))

    async def _as_fact(
        self, namespace: Namespace, quoted: QuotedSentence, kind: str, request: str
    ) -> Change:
        place = {"channel": quoted.channel, "ts": quoted.ts} if quoted.ts else {}
        source = {"kind": kind, "evidence": quoted.text, **place}
        content = {"fact": quoted.text}
        return await add_memory(
            self.pool,
            self.embedder,
            namespace,
            UserFact.__name__,
            content,
            source,
            in_commit=partial(self._in_commit, namespace.person, quoted, request),
        )

    async def _in_commit(
        self,
        person: Person,
        quoted: QuotedSentence,
        request: str,
        connection: AsyncConnection[DictRow],
        _: object,
    ) -> None:
        """Mark the message as formed, in the transaction that stores what it says.

        Raises `MemoryOff`, also if the person was erased since `request` began, `MessageChanged` if
        the message was edited or deleted since, or `_Unlearned` if it was forgotten or marked as
        off the record while no transaction was open.
        """
        if (await read_settings(connection, person)).off_reason(self.consent):
            raise MemoryOff("The person has switched memory off meanwhile.")
        channel, ts = quoted.channel, quoted.ts
        if ts:
            thread = thread_key(person.team_id, channel, ts)
            if reason := await _unlearned(connection, person, channel, ts, thread):
                raise _Unlearned(reason)
            await mark_message_formed(connection, person, channel, ts)
        # Last: an edit locks the turn first, and then the requests about its message.
        await check_request(connection, person, request)


class _Unlearned(Exception):
    """No memory may be formed from the message any more; `key` is that of the sentence."""

    def __init__(self, key: str) -> None:
        super().__init__(key)
        self.key = key


# Why something was not stored, as `_why_not` says it.
_PROBLEMS = (EmbeddingsUnavailable, InvalidContent, MemoryOff, MessageChanged, _Unlearned)


async def _unlearned(
    connection: AsyncConnection[DictRow], person: Person, channel: str, ts: str, thread: str
) -> str | None:
    """Return the key of the reason why no memory is formed from a message, or None."""
    if ts in await forgotten_messages(connection, person, channel):
        return "remember_forgotten"
    off_record = await is_off_record(connection, person, channel, ts, thread)
    return "remember_off_record" if off_record else None


def _why_not(language: Language, problem: Exception, text: str) -> str:
    """Return the sentence that says why `text` was not stored."""
    match problem:
        case InvalidContent():
            return _not_stored(language, text, problem.codes)
        case MemoryOff():
            return say(language, "off_refused")
        case MessageChanged():
            return say(language, "remember_changed")
        case _Unlearned():
            return say(language, problem.key)
    return say(language, "command_failed")


def _not_stored(language: Language, text: str, codes: Mapping[str, str]) -> str:
    """Return which rule a text breaks: it contains a credential, is too long, or says nothing."""
    if removed := redact(text).removed:
        what = credentials_named(language, credential_kinds(removed))
        return say(language, "add_refused_secret", what=what)
    return say(language, "add_refused" if "long" in codes.values() else "add_nothing")


def _notice_payload(language: Language, stored: NoticeContent, zone: tzinfo) -> Payload:
    return (
        notice_payload(language, stored, zone)
        if stored
        else ephemeral_payload(say(language, "add_known"))
    )
