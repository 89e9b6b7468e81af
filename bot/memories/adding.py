"""Memories that a person asks for, formed at once from lines or a message of theirs."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from dataclasses import KW_ONLY, dataclass, replace
from datetime import tzinfo
from typing import Any

from bot.locale import Language, say
from bot.memories.changes import HISTORY
from bot.memories.statement_formation import (
    PROBLEMS,
    StatementFormation,
    not_stored,
    unlearned,
    why_not,
)
from bot.slack.messages import author_key, thread_key, typed
from bot.types import PersonSettings, Policy
from bot.users.quotas import QuotaExceeded, Quotas
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
from bot.views.views import SlackView, payload_view
from memory import (
    Change,
    Person,
    Pool,
    Question,
    Refusal,
    list_changes,
    person_transaction,
    redact,
)

log = logging.getLogger(__name__)

# Lines of one run: it has `MAX_PROPOSALS` at most, and a line may be proposed twice.
_AT_ONCE = 20


@dataclass(frozen=True, slots=True)
class MemoryAdder:
    """Stores what the person said, in the audience where they said it.

    Requests count against `quotas`.
    """

    pool: Pool
    formation: StatementFormation
    _: KW_ONLY
    policy: Policy
    quotas: Quotas

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
            reason = await unlearned(connection, person, channel, ts, thread)
        if off := settings.off_reason(self.formation.consent):
            return not_added_notice(language, off, settings)
        if reason:
            return ephemeral_payload(say(language, reason))
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
            reason = ts and await unlearned(connection, person, channel, ts, thread)
        if refusal := self.policy.refuses_person(person):
            return beside_payload(say(language, refusal))
        if off := settings.off_reason(self.formation.consent):
            return beside_payload(memory_off_text(language, off, settings))
        if reason:
            return beside_payload(say(language, reason))
        if not self.formation.stores_facts:
            return beside_payload(say(language, "add_nothing"))
        try:
            await self.quotas.admit(person)
        except QuotaExceeded as used_up:
            return beside_payload(used_up.refusal(language))
        try:
            changes = await self.formation.stored_as_typed(person, quoted)
        except PROBLEMS as problem:
            return beside_payload(why_not(language, problem, quoted.text))
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
        if off := settings.off_reason(self.formation.consent):
            return not_added_notice(language, off, settings)
        left = {one.text: why for one in said if (why := _unfit(language, one.text))}
        fit = [one for one in said if one.text not in left]
        changes: list[Change] = []
        questions: list[Question] = []
        refused: list[Refusal] = []
        for begin in range(0, len(fit), _AT_ONCE):
            some = fit[begin : begin + _AT_ONCE]
            try:
                await self.quotas.admit(person)
                done = await self.formation.stored(person, language, settings, some)
            except QuotaExceeded as used_up:
                left |= dict.fromkeys((one.text for one in some), used_up.refusal(language))
                continue
            except PROBLEMS as problem:
                left |= {one.text: why_not(language, problem, one.text) for one in some}
                continue
            changes += done.changes
            questions += done.questions
            refused += done.refused
            left |= done.left
        if len(said) == 1 and refused:
            # A command is not a message with a channel and a timestamp.
            shown = replace(said[0], text=refused[0].sentence)
            reason = refused[0].reason
            return refusal_payload(language, reason, shown, can_store=self.formation.stores_facts)
        if len(said) == 1 and left:
            return ephemeral_payload(left[said[0].text])
        for one in refused:
            left[one.sentence] = reason_text(language, one.reason, one.sentence)
        stored = await self._notice(person, changes, questions)
        payload = _notice_payload(language, stored, settings.zone)
        return with_left_out(language, payload, left) if left else payload

    async def _notice(
        self, person: Person, changes: Sequence[Change], questions: Sequence[Question] = ()
    ) -> NoticeContent:
        ids = [change.id for change in changes]
        entries = (await list_changes(self.pool, person, ids=ids))[::-1]
        # After a click on a question alone the newest changes are shown.
        surface = done_surface(entry.id for entry in entries) if entries else f"{HISTORY} -"
        return NoticeContent(surface=surface, entries=tuple(entries), questions=tuple(questions))


def _unfit(language: Language, text: str) -> str | None:
    """Return why a line cannot be stored, before a model is asked."""
    return not_stored(language, text, {}) if redact(text).removed else None


def _notice_payload(language: Language, stored: NoticeContent, zone: tzinfo) -> Payload:
    return (
        notice_payload(language, stored, zone)
        if stored
        else ephemeral_payload(say(language, "add_known"))
    )
