"""Memories that a person asks for, formed at once from lines or a message of theirs."""

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
from bot.slack.messages import author_key, thread_key, typed
from bot.types import ConsentMode, PersonSettings, Policy
from bot.users.quotas import QuotaExceeded, Quotas, count_tokens
from bot.users.requests import MessageChanged, begin_request, check_request
from bot.users.settings import read_settings
from bot.views.adding import LINES_LIMIT, entered_lines, lines_of, with_left_out
from bot.views.blocks import Payload, beside_payload, ephemeral_payload
from bot.views.changes import done_surface
from bot.views.memory_state import memory_off_text, not_added_notice
from bot.views.notices import NoticeContent, notice_payload
from bot.views.refusals import (
    QuotedSentence,
    parse_quoted_sentence,
    reason_text,
    refusal_payload,
)
from bot.views.reply import credentials_named
from bot.views.views import SlackView, payload_view
from memory import (
    DM,
    Change,
    Embedder,
    EmbeddingsUnavailable,
    FormationResult,
    FormationUnavailable,
    Former,
    InvalidContent,
    MemoryFull,
    MemoryOff,
    MemoryView,
    Namespace,
    Person,
    PersonMessage,
    Pool,
    Question,
    Reason,
    RefusedProposal,
    UserFact,
    add_memories,
    changes_named,
    credential_kinds,
    forgotten_messages,
    list_memories,
    matching,
    memory_view,
    person_transaction,
    redact,
    validated,
)

log = logging.getLogger(__name__)

# Deadline of the model calls, in seconds, and more for each further line; after it the words are
# stored as typed.
_DEADLINE, _DEADLINE_OF_LINE = 5.0, 1.0
# Lines of one run: it has `MAX_PROPOSALS` at most, and a line may be proposed twice.
_AT_ONCE = 20
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

    async def added(
        self, person: Person, language: Language, words: str, channel: str = ""
    ) -> Payload:
        """Remember the lines of `words` now, and say what was stored, and what was not.

        What is formed of a line is stored, else the line as a fact; without a `channel`, for direct
        messages.
        """
        lines = lines_of(words)
        if not lines:
            return ephemeral_payload(say(language, "add_nothing"))
        if len(lines) > LINES_LIMIT:
            return ephemeral_payload(say(language, "add_too_many", limit=LINES_LIMIT))
        async with person_transaction(self.pool, person) as connection:
            settings = await read_settings(connection, person)
        said = [QuotedSentence(text=line, channel=channel) for line in lines]
        return await self._add(person, language, settings, said)

    async def submitted(
        self, person: Person, language: Language, view: Mapping[str, Any]
    ) -> SlackView:
        """Remember the lines of a submitted form, for direct messages; return what was stored."""
        payload = await self.added(person, language, entered_lines(view))
        return payload_view(language, "form_add_title", payload)

    async def pointed_at(
        self, person: Person, language: Language, *, channel: str, message: Mapping[str, Any]
    ) -> Payload:
        """Remember what a message of Slack's says, if the person wrote it, with it as the source.

        No memory is formed from a message that the person forgot or marked as off the record.
        """
        ts = str(message.get("ts") or "")
        author = author_key(message, person.team_id, shared="user_team" in message)
        own = author == person.user_id and not message.get("bot_id")
        if not (own and ts and channel):
            return ephemeral_payload(say(language, "remember_not_own"))
        words = typed(str(message.get("text") or ""))
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
        quoted = QuotedSentence(text=words, channel=channel, ts=ts)
        return await self._add(person, language, settings, [quoted])

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
            changes = await self._as_facts(where.own, [quoted], "command", request)
        except _PROBLEMS as problem:
            return beside_payload(_why_not(language, problem, quoted.text))
        log.info("a person stored what had been refused")
        return _notice_payload(language, await self._notice(person, changes), settings.zone)

    async def _add(
        self,
        person: Person,
        language: Language,
        settings: PersonSettings,
        said: Sequence[QuotedSentence],
    ) -> Payload:
        if refusal := self.policy.refuses_person(person):
            return ephemeral_payload(say(language, refusal))
        if off := settings.off_reason(self.consent):
            return not_added_notice(language, off, settings)
        left = {one.text: why for one in said if (why := _unfit(language, one.text))}
        fit = [one for one in said if one.text not in left]
        changes: list[Change] = []
        questions: list[Question] = []
        refused: list[RefusedProposal] = []
        for begin in range(0, len(fit), _AT_ONCE):
            some = fit[begin : begin + _AT_ONCE]
            try:
                await self.quotas.admit(person)
                done = await self._stored(person, language, settings, some)
            except QuotaExceeded as used_up:
                left |= dict.fromkeys((one.text for one in some), used_up.refusal(language))
                continue
            except _PROBLEMS as problem:
                left |= {one.text: _why_not(language, problem, one.text) for one in some}
                continue
            changes += done.changes
            questions += done.questions
            refused += done.refused
            left |= done.left
        if len(said) == 1 and refused:
            # A command is not a message with a channel and a timestamp.
            shown = replace(said[0], text=refused[0].sentence)
            reason = refused[0].reason
            return refusal_payload(language, reason, shown, can_store=self._stores_facts)
        if len(said) == 1 and left:
            return ephemeral_payload(left[said[0].text])
        for one in refused:
            left[one.sentence] = reason_text(language, one.reason, one.sentence)
        stored = await self._notice(person, changes, questions)
        payload = _notice_payload(language, stored, settings.zone)
        return with_left_out(language, payload, left) if left else payload

    async def _stored(
        self,
        person: Person,
        language: Language,
        settings: PersonSettings,
        said: Sequence[QuotedSentence],
    ) -> _Added:
        """Store what is formed from the words, else the words as facts.

        `said` are from one place: one message, or lines of a command or form.
        """
        first, ts = said[0], said[0].ts
        request = await begin_request(self.pool, person, channel=first.channel, ts=ts)
        where = await self._where(person, first)
        origin = "message" if ts else "command"
        channel = first.channel if ts else ""
        words = {
            PersonMessage(
                text=one.text, channel=channel, ts=ts, origin=origin, zone=settings.zone
            ): one
            for one in said
        }
        try:
            formed = await self.former.form(
                where,
                [*words],
                in_commit=partial(self._in_commit, person, first, request),
                deadline=_DEADLINE + _DEADLINE_OF_LINE * (len(said) - 1),
                spend=partial(count_tokens, person.team_id),
            )
        except FormationUnavailable:
            formed = FormationResult(changes=(), refused=(), late=True)
        refused: dict[PersonMessage, RefusedProposal] = {}
        for one in formed.refused:
            if one.reason in _VERDICTS and one.evidence is not None:
                refused.setdefault(one.evidence.original, one)
        handled = {*formed.accepted, *refused}
        others = [one for message, one in words.items() if message not in handled]
        if formed.late:
            log.warning("what a person added was not judged in time; it is stored as typed")
        else:
            others = await self._unknown(where, others)
        facts, left = self._fit_for_facts(language, others)
        changes = list(formed.changes)
        try:
            changes += await self._as_facts(where.own, facts, origin, request)
        except MemoryFull as full:
            left |= {one.text: _why_not(language, full, one.text) for one in facts}
        return _Added(
            changes=changes,
            questions=formed.questions,
            refused=[one for said, one in refused.items() if said not in formed.accepted],
            left=left,
        )

    def _fit_for_facts(
        self, language: Language, said: Sequence[QuotedSentence]
    ) -> tuple[list[QuotedSentence], dict[str, str]]:
        """Return the lines that can be stored as facts; and why the others cannot, by text."""
        if not self._stores_facts:
            return [], dict.fromkeys((one.text for one in said), say(language, "add_nothing"))
        facts, left = [], {}
        for one in said:
            try:
                validated(UserFact.__name__, {"fact": one.text})
            except InvalidContent as problem:
                left[one.text] = _not_stored(language, one.text, problem.codes)
            else:
                facts.append(one)
        return facts, left

    async def _where(self, person: Person, quoted: QuotedSentence) -> MemoryView:
        """Return where a sentence is remembered: one of a message where that was said."""
        channel, ts = quoted.channel, quoted.ts
        if not ts:
            if not channel:
                # Only the person sees a form, so the memories are for their direct messages.
                return memory_view(person.namespace(DM))
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

    async def _unknown(
        self, where: MemoryView, said: Sequence[QuotedSentence]
    ) -> list[QuotedSentence]:
        """Return the lines that no memory contains."""
        if not said:
            return []
        memories = await list_memories(self.pool, where.person)
        allowed = [memory for memory in memories if where.allows(memory.namespace)]
        return [one for one in said if not matching(allowed, one.text, whole_words=True)]

    async def _notice(
        self, person: Person, changes: Sequence[Change], questions: Sequence[Question] = ()
    ) -> NoticeContent:
        entries = await changes_named(self.pool, person, [change.id for change in changes])
        # After a click on a question alone the newest changes are shown.
        surface = done_surface(entry.id for entry in entries) if entries else f"{HISTORY} -"
        return NoticeContent(surface=surface, entries=tuple(entries), questions=tuple(questions))

    async def _as_facts(
        self, namespace: Namespace, said: Sequence[QuotedSentence], kind: str, request: str
    ) -> list[Change]:
        if not said:
            return []
        given = []
        for one in said:
            place = {"channel": one.channel, "ts": one.ts} if one.ts else {}
            given.append(({"fact": one.text}, {"kind": kind, "evidence": one.text, **place}))
        return await add_memories(
            self.pool,
            self.embedder,
            namespace,
            UserFact.__name__,
            given,
            in_commit=partial(self._in_commit, namespace.person, said[0], request),
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


@dataclass(frozen=True, slots=True, kw_only=True)
class _Added:
    """The outcome for some lines; `left` says why others were not stored, by their text."""

    changes: Sequence[Change]
    questions: Sequence[Question]
    refused: Sequence[RefusedProposal]
    left: Mapping[str, str]


class _Unlearned(Exception):
    """No memory may be formed from the message any more; `key` is that of the sentence."""

    def __init__(self, key: str) -> None:
        super().__init__(key)
        self.key = key


# Why something was not stored, as `_why_not` says it.
_PROBLEMS = (
    EmbeddingsUnavailable,
    InvalidContent,
    MemoryFull,
    MemoryOff,
    MessageChanged,
    _Unlearned,
)


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
        case MemoryFull():
            return reason_text(language, "full", text)
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


def _unfit(language: Language, text: str) -> str | None:
    """Return why a line cannot be stored, before a model is asked."""
    return _not_stored(language, text, {}) if redact(text).removed else None


def _notice_payload(language: Language, stored: NoticeContent, zone: tzinfo) -> Payload:
    return (
        notice_payload(language, stored, zone)
        if stored
        else ephemeral_payload(say(language, "add_known"))
    )
