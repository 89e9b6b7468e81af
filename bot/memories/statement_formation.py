"""Formation of what a person asks to remember: at once, each line judged like a message."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from dataclasses import KW_ONLY, dataclass
from functools import partial

from psycopg import AsyncConnection
from psycopg.rows import DictRow
from pydantic import BaseModel

from bot.conversation.off_record import is_off_record
from bot.conversation.unformed import mark_message_formed
from bot.locale import Language, say
from bot.slack.audiences import Audiences
from bot.slack.messages import thread_key
from bot.types import ConsentMode, PersonSettings
from bot.users.quotas import count_tokens
from bot.users.requests import MessageChanged, begin_request, check_request
from bot.users.settings import read_settings
from bot.views.refusals import QuotedSentence, reason_text
from bot.views.reply import credentials_named
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
    Refusal,
    UserFact,
    add_memories,
    credential_kinds,
    forgotten_messages,
    memory_view,
    person_transaction,
    redact,
    search_memories,
    validated,
)

log = logging.getLogger(__name__)

# Deadline of the model calls, in seconds, and more for each further line; after it the words are
# stored as typed.
_DEADLINE, _DEADLINE_OF_LINE = 5.0, 1.0
# Reasons given by verdicts. After any other refusal the words are stored as typed: the words of a
# command are their own evidence.
_VERDICTS = frozenset[Reason]({"unsupported", "not_asserted", "other_person", "sensitive"})


@dataclass(frozen=True, slots=True)
class StatementFormation:
    """Forms and stores lines of a command or form, or one message, in their audience."""

    pool: Pool
    embedder: Embedder
    former: Former
    audiences: Audiences
    _: KW_ONLY
    schemas: Sequence[type[BaseModel]]
    consent: ConsentMode

    @property
    def stores_facts(self) -> bool:
        """Whether there is a kind of memory for any sentence."""
        return UserFact in self.schemas

    async def stored(
        self,
        person: Person,
        language: Language,
        settings: PersonSettings,
        said: Sequence[QuotedSentence],
    ) -> Added:
        """Store what is formed from the words, else the words as facts. Raises one of `PROBLEMS`.

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
            formed = FormationResult(late=True)
        refused: dict[PersonMessage, Refusal] = {}
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
            left |= {one.text: why_not(language, full, one.text) for one in facts}
        return Added(
            changes=changes,
            questions=formed.questions,
            refused=[one for said, one in refused.items() if said not in formed.accepted],
            left=left,
        )

    def _fit_for_facts(
        self, language: Language, said: Sequence[QuotedSentence]
    ) -> tuple[list[QuotedSentence], dict[str, str]]:
        """Return the lines that can be stored as facts; and why the others cannot, by text."""
        if not self.stores_facts:
            return [], dict.fromkeys((one.text for one in said), say(language, "add_nothing"))
        facts, left = [], {}
        for one in said:
            try:
                validated(UserFact.__name__, {"fact": one.text})
            except InvalidContent as problem:
                left[one.text] = not_stored(language, one.text, problem.codes)
            else:
                facts.append(one)
        return facts, left

    async def stored_as_typed(self, person: Person, quoted: QuotedSentence) -> list[Change]:
        """Store a sentence as a fact, without a model. Raises one of `PROBLEMS`."""
        request = await begin_request(self.pool, person, channel=quoted.channel, ts=quoted.ts)
        where = await self._where(person, quoted)
        return await self._as_facts(where.own, [quoted], "command", request)

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
        unknown = []
        for one in said:
            found = await search_memories(self.pool, where.person, one.text, whole_words=True)
            if not any(where.allows(memory.namespace) for memory in found):
                unknown.append(one)
        return unknown

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
            if reason := await unlearned(connection, person, channel, ts, thread):
                raise _Unlearned(reason)
            await mark_message_formed(connection, person, channel, ts)
        # Last: an edit locks the turn first, and then the requests about its message.
        await check_request(connection, person, request)


@dataclass(frozen=True, slots=True, kw_only=True)
class Added:
    """The outcome for some lines; `left` says why others were not stored, by their text."""

    changes: Sequence[Change]
    questions: Sequence[Question]
    refused: Sequence[Refusal]
    left: Mapping[str, str]


class _Unlearned(Exception):
    """No memory may be formed from the message any more; `key` is that of the sentence."""

    def __init__(self, key: str) -> None:
        super().__init__(key)
        self.key = key


# Why something was not stored, as `why_not` says it.
PROBLEMS = (
    EmbeddingsUnavailable,
    InvalidContent,
    MemoryFull,
    MemoryOff,
    MessageChanged,
    _Unlearned,
)


async def unlearned(
    connection: AsyncConnection[DictRow], person: Person, channel: str, ts: str, thread: str
) -> str | None:
    """Return the key of the reason why no memory is formed from a message, or None."""
    if ts in await forgotten_messages(connection, person, channel):
        return "remember_forgotten"
    off_record = await is_off_record(connection, person, channel, ts, thread)
    return "remember_off_record" if off_record else None


def why_not(language: Language, problem: Exception, text: str) -> str:
    """Return the sentence that says why `text` was not stored."""
    match problem:
        case InvalidContent():
            return not_stored(language, text, problem.codes)
        case MemoryOff():
            return say(language, "off_refused")
        case MemoryFull():
            return reason_text(language, "full", text)
        case MessageChanged():
            return say(language, "remember_changed")
        case _Unlearned():
            return say(language, problem.key)
    return say(language, "command_failed")


def not_stored(language: Language, text: str, codes: Mapping[str, str]) -> str:
    """Return which rule a text breaks: it contains a credential, is too long, or says nothing."""
    if removed := redact(text).removed:
        what = credentials_named(language, credential_kinds(removed))
        return say(language, "add_refused_secret", what=what)
    return say(language, "add_refused" if "long" in codes.values() else "add_nothing")
