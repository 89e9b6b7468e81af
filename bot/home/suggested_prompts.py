"""The prompts above an empty conversation: chosen when it is opened, or something is forgotten."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from dataclasses import KW_ONLY, dataclass
from typing import Any

from bot.locale import Language, known_language, say
from bot.logs import fault
from bot.queue.queue import REPLIES, Queue
from bot.slack.client import SLACK_FAULTS, Installations, error_code
from bot.types import DIRECT, ConsentMode
from bot.users.incognito import is_on
from bot.users.profiles import AccessControl, Profiles
from bot.users.settings import read_settings
from bot.views.suggestions import Suggestion, names_memories, suggested_prompts
from memory import Person, Pool, list_memories, person_transaction, transaction_timeout

log = logging.getLogger(__name__)

SUGGEST = "suggest_prompts"
_ACK_WAIT_SECONDS = 2.0


@dataclass(frozen=True, slots=True)
class SuggestedPrompts:
    """``assistant.threads.setSuggestedPrompts`` for the Messages tab: nothing is posted.

    The title above the prompts greets a person of whom nothing is remembered.
    """

    pool: Pool
    queue: Queue
    slack: Installations
    people: Profiles
    _: KW_ONLY
    consent: ConsentMode
    web_search: bool
    access: AccessControl

    async def opened(self, person: Person, event: Mapping[str, Any]) -> None:
        """Take note of an ``app_home_opened``; of its Messages tab only."""
        channel = str(event.get("channel") or "")
        if event.get("tab") != "messages" or not channel:
            return
        with transaction_timeout(_ACK_WAIT_SECONDS):
            await self.queue.defer(
                self.pool,
                SUGGEST,
                queue=REPLIES,
                lock=f"{SUGGEST}:{person.scope}",
                team=person.team_id,
                user=person.user_id,
                channel=channel,
            )

    async def suggest(self, team: str, user: str, channel: str, erased: str = "") -> None:
        """Offer prompts that fit the person. If Slack refuses them, it shows those of the manifest.

        Only the person sees them, in their direct messages: all of their memories may be used.
        `erased`: nothing is left of them but the language in which they read.
        """
        person = Person(team, user)
        if erased:
            language = known_language(erased) or "en"
            await self._show(team, channel, suggested_prompts(language, []))
            return
        async with person_transaction(self.pool, person) as connection:
            settings = await read_settings(connection, person)
            incognito = await is_on(connection, person, [DIRECT])
        off = (
            incognito
            or settings.off_reason(self.consent) is not None
            or await self.access.refuses_person(person) is not None
        )
        memories = [] if off else await list_memories(self.pool, person)
        language = await self.people.language(person, settings=settings)
        named = names_memories(memories)
        await self._note(person, channel, language, named=named)
        if named:
            # What is forgotten from now on leaves a job; what was until now is not read again.
            memories = await list_memories(self.pool, person)
        prompts = suggested_prompts(language, memories, off=off, web_search=self.web_search)
        greeting = None if off or memories else say(language, "greeting")
        await self._show(team, channel, prompts, greeting)

    async def _note(self, person: Person, channel: str, language: Language, *, named: bool) -> None:
        async with person_transaction(self.pool, person) as connection:
            if not named:
                await connection.execute(
                    "UPDATE prompted SET named = false WHERE team_id = %s AND user_id = %s",
                    (person.team_id, person.user_id),
                )
                return
            await connection.execute(
                "INSERT INTO prompted (team_id, user_id, channel_id, language, named)"
                " VALUES (%s, %s, %s, %s, true) ON CONFLICT (team_id, user_id) DO UPDATE SET"
                " channel_id = excluded.channel_id, language = excluded.language, named = true",
                (person.team_id, person.user_id, channel, language),
            )

    async def _show(
        self, team: str, channel: str, prompts: list[Suggestion], greeting: str | None = None
    ) -> None:
        try:
            await self.slack.client(team).assistant_threads_setSuggestedPrompts(
                channel_id=channel, prompts=prompts, title=greeting
            )
        except SLACK_FAULTS as error:
            log.info("no prompts were suggested: %s", error_code(error) or fault(error))
