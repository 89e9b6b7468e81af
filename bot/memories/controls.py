"""A person's controls of memory: pause, consent and settings."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from dataclasses import KW_ONLY, dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

from bot.conversation.callbacks import ScheduleAllFormation
from bot.conversation.off_record import delete_texts, message_before
from bot.conversation.unformed import discard_unformed_words
from bot.locale import Language, say
from bot.memories.incognito import IncognitoSwitch
from bot.slack.messages import Message
from bot.types import ConsentMode, MemoryOffReason, PersonSettings, Policy
from bot.users.profiles import Profiles
from bot.users.settings import (
    choose,
    decide,
    pause,
    read_settings,
    resume,
)
from bot.views.blocks import Payload, ephemeral_payload
from bot.views.memory_state import (
    agreed_in_pause_notice,
    memory_off_text,
    memory_on_notice,
    no_pause_text,
    paused_notice,
)
from bot.views.settings import (
    PAUSES,
    pause_form,
    read_pause_form,
    read_settings_form,
    resume_question,
    settings_form,
    settings_payload,
)
from bot.views.time_forms import pause_end, tomorrow_morning
from bot.views.views import SlackView, payload_view, sentence_view
from memory import Person, Pool, lock_person, person_transaction

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class MemoryControls:
    """Each change is one transaction; a pause and a refusal also wait for running memory writes."""

    pool: Pool
    people: Profiles
    schedule_all_formation: ScheduleAllFormation
    incognito: IncognitoSwitch
    _: KW_ONLY
    consent: ConsentMode
    policy: Policy

    async def pause(
        self,
        person: Person,
        until: datetime | None = None,
        *,
        may_shorten: bool = True,
        unkept: UUID | None = None,
    ) -> PersonSettings:
        """Pause memory until a moment, None: until it is resumed.

        Unless it `may_shorten` an earlier pause, that lasts as long as before. `unkept` is the id
        of the turn that asks for it, whose texts are deleted.
        """
        async with person_transaction(self.pool, person) as connection:
            await lock_person(connection, person)
            await pause(connection, person, until, may_shorten=may_shorten)
            if unkept is not None:
                await delete_texts(connection, person, [unkept])
            settings = await read_settings(connection, person)
        self.people.invalidate(person)
        log.info("a person paused memory")
        return settings

    async def resume(self, person: Person) -> MemoryOffReason | None:
        """End a pause; what was said before it, and not yet remembered, is formed now.

        Returns why memory is still off, None if it is on.
        """
        async with person_transaction(self.pool, person) as connection:
            await resume(connection, person)
            settings = await read_settings(connection, person)
            off = settings.off_reason(self.consent)
            if off is None:
                await self.schedule_all_formation(connection, person)
        self.people.invalidate(person)
        return off

    async def agree(self, person: Person) -> PersonSettings:
        """Store that the person agrees to memory."""
        async with person_transaction(self.pool, person) as connection:
            await decide(connection, person, "agreed")
            settings = await read_settings(connection, person)
            if not settings.off_reason(self.consent):
                await self.schedule_all_formation(connection, person)
        self.people.invalidate(person)
        return settings

    async def refuse(self, person: Person) -> None:
        """Switch memory off; no memory will be formed of what the person has said so far."""
        async with person_transaction(self.pool, person) as connection:
            await lock_person(connection, person)
            await decide(connection, person, "refused")
            await discard_unformed_words(connection, person)
        self.people.invalidate(person)
        log.info("a person switched memory off")

    async def choose(self, person: Person, **chosen: Any) -> PersonSettings:
        """Store these of ``notices``, ``language`` and ``retention_days``; the others stay."""
        async with person_transaction(self.pool, person) as connection:
            settings = replace(await read_settings(connection, person), **chosen)
            await choose(connection, person, settings)
        self.people.invalidate(person)
        return settings

    async def delete_texts(self, person: Person, turn: UUID) -> None:
        """Delete the texts of a turn, so that no memory is formed of them."""
        async with person_transaction(self.pool, person) as connection:
            await lock_person(connection, person)
            await delete_texts(connection, person, [turn])

    async def be_quiet(self, message: Message) -> None:
        """Answer in the message's thread only mentions of the app, until the next mention."""
        async with person_transaction(self.pool, message.person) as connection:
            await connection.execute(
                "INSERT INTO quiet_threads (team_id, user_id, thread) VALUES (%s, %s, %s)"
                " ON CONFLICT DO NOTHING",
                (message.team_id, message.user_id, message.thread),
            )

    async def message_before(self, message: Message) -> str | None:
        """Return the ts of the author's previous message in the thread, or in all DMs."""
        async with person_transaction(self.pool, message.person) as connection:
            return await message_before(connection, message)

    async def paused(self, person: Person, language: Language, words: str, *_: str) -> Payload:
        """Answer ``/memories pause``; for words that are not a time `pause_form` is opened."""
        before = await self._settings(person)
        if off := no_pause_text(language, before, self.consent):
            return ephemeral_payload(off)
        until = None
        if words:
            until = pause_end(words, datetime.now(UTC), await self.people.zone(person))
            if until is None:
                raise ValueError("These words are none of the forms of a time.")
        return paused_notice(language, await self.pause(person, until), before)

    async def pause_form(self, person: Person, language: Language, words: str) -> SlackView:
        """Return the form for the end of a pause; `words` could not be read as a time."""
        if off := no_pause_text(language, await self._settings(person), self.consent):
            return sentence_view(language, "pause_title", off)
        return pause_form(language, await self.people.zone(person), words)

    async def pause_saved(
        self, person: Person, language: Language, view: Mapping[str, Any]
    ) -> SlackView:
        """Pause until the time chosen in the form."""
        before = await self._settings(person)
        if off := no_pause_text(language, before, self.consent):
            return sentence_view(language, "pause_title", off)
        settings = await self.pause(person, read_pause_form(view))
        return payload_view(language, "pause_title", paused_notice(language, settings, before))

    async def pause_chosen(self, person: Person, language: Language, chosen: str) -> None:
        """Pause for as long as was chosen of `PAUSES`; Home shows the result."""
        if no_pause_text(language, await self._settings(person), self.consent):
            return
        zone, now = await self.people.zone(person), datetime.now(UTC)
        ends = {"hour": now + timedelta(hours=1), "tomorrow": tomorrow_morning(now, zone)}
        await self.pause(person, ends.get(chosen))

    async def resume_typed(
        self, person: Person, language: Language, words: str, *_: str
    ) -> Payload:
        """Answer ``/memories resume``; with other words after it, ask first."""
        if words.strip(" .。!！"):
            return await self.resume_asked(person, language)
        return await self.resumed(person, language)

    async def resumed(self, person: Person, language: Language, *_: str) -> Payload:
        """End a pause, and say whether memory is on now."""
        if off := await self.resume(person):
            return ephemeral_payload(memory_off_text(language, off, PersonSettings()))
        incognito = await self.incognito.in_direct_messages(person)
        return memory_on_notice(language, say(language, "resumed"), incognito=incognito)

    async def agreed(self, person: Person, language: Language, *_: str) -> Payload:
        """Store that the person agrees, and confirm it."""
        settings = await self.agree(person)
        off = settings.off_reason(self.consent)
        if off == "paused":
            return agreed_in_pause_notice(language, settings)
        if off:
            return ephemeral_payload(memory_off_text(language, off, settings))
        incognito = await self.incognito.in_direct_messages(person)
        return memory_on_notice(language, say(language, "consent_agreed"), incognito=incognito)

    async def refused(self, person: Person, language: Language, *_: str) -> Payload:
        """Switch memory off, and confirm it."""
        await self.refuse(person)
        return ephemeral_payload(say(language, "consent_refused"))

    async def settings_shown(self, person: Person, language: Language, *_: str) -> Payload:
        """Show the person's settings."""
        settings = await self._settings(person)
        days = self.policy.retention_days_for(settings.retention_days)
        return settings_payload(
            language,
            settings,
            consent=self.consent,
            retention_days=days,
            incognito=await self.incognito.in_direct_messages(person),
        )

    async def why_off(self, person: Person, language: Language) -> str | None:
        """Return the sentence that says why memory is off for a person; None while it is on.

        It is also off for people whom the operators do not allow to use Kioku.
        """
        if refusal := self.policy.refuses_person(person):
            return say(language, refusal)
        settings = await self._settings(person)
        off = settings.off_reason(self.consent)
        if off is None:
            return None
        return memory_off_text(language, off, settings)

    async def settings_form(self, person: Person, language: Language, *_: str) -> SlackView:
        """Return the form in which the person changes their settings."""
        settings = await self._settings(person)
        return settings_form(language, settings, consent=self.consent)

    async def settings_saved(
        self, person: Person, language: Language, view: Mapping[str, Any]
    ) -> SlackView:
        """Store what was chosen in the form; return the settings as they are then."""
        chosen = read_settings_form(view)
        settings = await self.choose(
            person,
            notices=chosen.notices,
            language=chosen.language,
            retention_days=chosen.retention_days,
        )
        off = settings.off_reason(self.consent)
        disagrees = off in ("refused", "not_agreed")
        if chosen.memory == "off" and not disagrees:
            await self.refuse(person)
        if chosen.memory in ("on", *PAUSES) and disagrees:
            await self.agree(person)
        if chosen.memory in PAUSES:
            await self.pause_chosen(person, language, chosen.memory)
        elif chosen.memory == "on" and settings.paused:
            await self.resume(person)
        language = await self.people.language(person)
        shown = await self.settings_shown(person, language)
        text = f"{say(language, 'settings_saved')}\n{shown['text']}"
        return sentence_view(language, "settings_title", text)

    async def retention_chosen(self, person: Person, language: Language, value: str) -> Payload:
        """Store for how many days memories are kept, 0 for no end; return the settings."""
        days = int(value)
        await self.choose(person, retention_days=days or None)
        return await self.settings_shown(person, language)

    async def resume_asked(self, person: Person, language: Language) -> Payload:
        """Ask whether the pause is to end."""
        settings = await self._settings(person)
        if not settings.paused:
            return await self.settings_shown(person, language)
        return resume_question(language, settings)

    async def off(self, person: Person) -> MemoryOffReason | None:
        """Return why memory is off for the person everywhere; None while it is on."""
        return (await self._settings(person)).off_reason(self.consent)

    async def _settings(self, person: Person) -> PersonSettings:
        async with person_transaction(self.pool, person) as connection:
            return await read_settings(connection, person)
