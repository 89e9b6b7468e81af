"""Incognito, switched on and off by the person: nothing said meanwhile is remembered."""

from __future__ import annotations

import logging
from dataclasses import KW_ONLY, dataclass
from uuid import UUID

from bot.conversation.off_record import delete_texts, put_scope_off_record
from bot.locale import Language, say
from bot.slack.messages import is_direct
from bot.types import DIRECT, ConsentMode
from bot.users.incognito import EVERYWHERE, is_on, switch_off, switch_on
from bot.users.settings import read_settings
from bot.views.blocks import Payload, ephemeral_payload
from bot.views.memory_state import incognito_notice, memory_off_text
from bot.views.subcommands import parse_on_off
from memory import Person, Pool, lock_person, person_transaction

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class IncognitoSwitch:
    """Switches incognito by command, button, Home and tool; each change is one transaction."""

    pool: Pool
    _: KW_ONLY
    consent: ConsentMode

    async def begin(
        self,
        person: Person,
        scope: str = DIRECT,
        *,
        since: str | None = None,
        unkept: UUID | None = None,
    ) -> None:
        """Switch incognito on from `since`, the ts of the message that asks for it, or from now.

        See `bot.users.incognito`. `unkept` is the id of the turn that asks for it, whose texts are
        deleted.
        """
        async with person_transaction(self.pool, person) as connection:
            await lock_person(connection, person)
            begins = await switch_on(connection, person, scope, since=since)
            await put_scope_off_record(connection, person, scope, begins)
            if unkept is not None:
                await delete_texts(connection, person, [unkept])
        log.info("a person switched incognito on")

    async def end(self, person: Person, scope: str = DIRECT) -> bool:
        """Switch incognito off; False if it was off already."""
        async with person_transaction(self.pool, person) as connection:
            return await switch_off(connection, person, scope)

    async def in_direct_messages(self, person: Person) -> bool:
        """Say whether incognito is on in the person's direct messages."""
        async with person_transaction(self.pool, person) as connection:
            return await is_on(connection, person, [DIRECT])

    async def typed(self, person: Person, language: Language, words: str, channel: str) -> Payload:
        """Answer ``/memories incognito``: Slack does not tell a command which thread it is in."""
        on = parse_on_off(words)
        if words and on is None:
            return ephemeral_payload(say(language, "incognito_usage"))
        if on is None:
            on = not await self.in_direct_messages(person)
        if on:
            await self.begin(person)
        else:
            await self.end(person)
        return await self.shown(person, language, on=on, elsewhere=not is_direct(channel))

    async def shown(
        self,
        person: Person,
        language: Language,
        *,
        on: bool,
        scope: str = DIRECT,
        elsewhere: bool = False,
    ) -> Payload:
        """Say that incognito is on or off, and what that means."""
        off = None
        if not on:
            async with person_transaction(self.pool, person) as connection:
                settings = await read_settings(connection, person)
            if reason := settings.off_reason(self.consent):
                off = memory_off_text(language, reason, settings)
        return incognito_notice(language, scope, on=on, elsewhere=elsewhere, more=off)

    async def ended(self, person: Person, language: Language, value: str) -> Payload:
        """Answer the button below a reply; `value` names the switch.

        In a channel others see the button, too: it switches theirs off, and says so if it was off.
        """
        if not await self.end(person, value) and value != DIRECT:
            return ephemeral_payload(say(language, "incognito_not_on"))
        return await self.shown(person, language, on=False, scope=value)

    async def in_home(self, person: Person, language: Language, chosen: str) -> None:
        """Switch incognito on in direct messages, or off everywhere; Home shows the result."""
        del language
        if chosen == "on":
            await self.begin(person)
        else:
            await self.end(person, EVERYWHERE)
