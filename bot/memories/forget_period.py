"""Forgetting by period: what a person said in a period of time, or in one thread."""

from __future__ import annotations

import logging
from datetime import UTC, datetime
from functools import partial

from bot.conversation.callbacks import Withdraw, withdraw_nothing
from bot.conversation.history import latest_thread, messages_in, take_away
from bot.conversation.periods import Period, told_in
from bot.locale import Language, say
from bot.memories.actions import FORGETTING_SECONDS
from bot.users.profiles import Profiles
from bot.views.blocks import Payload, ephemeral_payload
from bot.views.forgetting import forget_period_question, forgotten_already, forgotten_notice
from bot.views.memories import numbered
from bot.views.time_forms import past_period
from memory import (
    Memory,
    Person,
    Pool,
    forget,
    list_memories,
    person_transaction,
    transaction_timeout,
)

log = logging.getLogger(__name__)


class PeriodForgetter:
    """Forgets a period: its memories, its messages, and the replies that name them.

    The search is repeated when the person confirms.
    """

    def __init__(
        self, pool: Pool, people: Profiles, *, withdraw: Withdraw = withdraw_nothing
    ) -> None:
        self._pool = pool
        self._withdraw = withdraw
        self._people = people

    async def typed_proposed(self, person: Person, language: Language, words: str) -> Payload:
        """Return the question for a time in one of the formats of `past_period`."""
        zone = (await self._people.settings(person)).zone
        ends = past_period(words, datetime.now(UTC), zone)
        if ends is None:
            raise ValueError("These words are none of the forms of a time.")
        return await self.proposed(person, language, Period.between(*ends))

    async def latest_thread_proposed(
        self, person: Person, language: Language, channel: str
    ) -> Payload:
        """Return the question for the newest thread of a direct message with the person."""
        async with person_transaction(self._pool, person) as connection:
            thread = await latest_thread(connection, person, channel)
        if thread is None:
            return ephemeral_payload(say(language, "forget_thread_unknown"))
        return await self.proposed(person, language, Period(thread=thread))

    async def proposed(self, person: Person, language: Language, period: Period) -> Payload:
        """Return the question before what was said in a period is forgotten."""
        memories, messages = await self._told(person, period)
        if not memories and not messages:
            return ephemeral_payload(say(language, "forget_period_none"))
        everything = numbered(await list_memories(self._pool, person))
        references = {memory.reference for memory in memories}
        found = [pair for pair in everything if pair[1].reference in references]
        return forget_period_question(language, found, messages, period.value())

    async def forgotten(self, person: Person, language: Language, value: str) -> Payload:
        """Forget what a button names; pressing it twice does no harm."""
        period = Period.from_value(value)
        with transaction_timeout(FORGETTING_SECONDS):
            memories, _ = await self._told(person, period)
            done = await forget(
                self._pool,
                person,
                [memory.reference for memory in memories],
                take_away=partial(take_away, person=person, period=period, withdraw=self._withdraw),
            )
        if done.undo is None:
            return forgotten_already(language, keep_message=done.just_now)
        log.info("a person forgot a period: %d memories", len(done.memories))
        return forgotten_notice(language, done.memories, done.undo.token())

    async def _told(self, person: Person, period: Period) -> tuple[list[Memory], int]:
        """Return the memories that come from a period, and how many messages are kept of it."""
        async with person_transaction(self._pool, person) as connection:
            places, kept = await messages_in(connection, person, period)
        memories = await list_memories(self._pool, person)
        return [memory for memory in memories if told_in(memory, period, places)], kept
