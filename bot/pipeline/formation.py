"""Formation jobs: one for each person and audience, debounced, after the reply."""

from __future__ import annotations

import logging
from collections import Counter
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from typing import Literal

from psycopg import AsyncConnection
from psycopg.rows import DictRow

from bot.conversation.unformed import (
    MAX_CHARACTERS,
    count_unformed,
    mark_formed,
    read_unformed,
)
from bot.logs import log_fields
from bot.notices.change_notices import RETRY_SECONDS, ChangeNotices
from bot.queue.queue import BACKGROUND, Queue
from bot.slack.audiences import Audiences
from bot.types import ConsentMode
from bot.users.quotas import count_tokens
from bot.users.settings import read_settings
from memory import (
    FormationResult,
    FormationUnavailable,
    Former,
    MemoryModelRefused,
    Namespace,
    Person,
    Pool,
    count,
    memory_view,
    person_transaction,
    step,
)

log = logging.getLogger(__name__)

FORM_MEMORIES = "form_memories"
MAX_DELAY_FACTOR = 15
"""The longest wait for formation, as a multiple of the seconds of quiet."""
MODEL_REFUSED_RETRY_SECONDS = 3_600.0
"""Seconds until the next attempt, unless the person writes, where the model refuses requests."""
_TURNS_AT_ONCE = 20


class _Overtaken(Exception):
    """The words changed or were formed, or memory was switched off, while the model was asked."""


@dataclass(frozen=True, slots=True, kw_only=True)
class FormationJobs:
    """Schedules formation when a turn ends, and runs it after `quiet_seconds` without another."""

    pool: Pool
    queue: Queue
    former: Former
    audiences: Audiences
    mode: Literal["background", "hot", "off"]
    quiet_seconds: float
    consent: ConsentMode
    notices: ChangeNotices

    async def schedule(self, connection: AsyncConnection[DictRow], namespace: Namespace) -> None:
        """Schedule formation of unformed words, in the transaction that stores them.

        A waiting job is postponed: a burst of messages is one formation that sees all of them.
        It waits at most `MAX_DELAY_FACTOR` times the seconds of quiet.
        """
        if self.mode != "off":
            await self._defer(
                connection,
                namespace,
                self.quiet_seconds,
                at_most=self.quiet_seconds * MAX_DELAY_FACTOR,
            )

    async def schedule_all(self, connection: AsyncConnection[DictRow], person: Person) -> None:
        """Schedule formation in each audience with unformed words, after memory was switched on."""
        for audience in await count_unformed(connection, person):
            await self.schedule(connection, person.namespace(audience))

    async def form_now(self, person: Person) -> int:
        """Schedule immediate formation of all unformed words; return the number of their messages.

        0 while memory is off for them.
        """
        if self.mode == "off":
            return 0
        async with person_transaction(self.pool, person) as connection:
            if (await read_settings(connection, person)).off_reason(self.consent):
                return 0
            messages = await count_unformed(connection, person)
            for audience in messages:
                await self._defer(connection, person.namespace(audience), 0.0)
        return sum(messages.values())

    async def _defer(
        self,
        connection: AsyncConnection[DictRow],
        namespace: Namespace,
        delay: float,
        *,
        at_most: float = 0.0,
    ) -> None:
        person = namespace.person
        await self.queue.debounce(
            connection,
            FORM_MEMORIES,
            queue=BACKGROUND,
            lock=f"{BACKGROUND}:{namespace.prefix}",
            delay=delay,
            at_most=max(delay, at_most),
            team=person.team_id,
            user=person.user_id,
            audience=namespace.audience,
        )

    async def _put_off(self, namespace: Namespace, seconds: float) -> None:
        async with person_transaction(self.pool, namespace.person) as connection:
            await self._defer(connection, namespace, max(seconds, 1.0))

    async def form(self, team: str, user: str, audience: str) -> None:
        """Form memories from the words of the person that are not formed yet.

        Nothing happens while the person has memory switched off. If the workspace has used up its
        tokens for the day, the words stay until the next day. If the model refuses every request,
        which only the operator can change, they stay until the next attempt, in an hour. Raises
        `memory.FormationUnavailable` while the model is unavailable: the words stay, and the job is
        tried again.
        """
        namespace = Person(team, user).namespace(audience)
        shared = await self.audiences.is_shared(namespace)
        while True:
            settings, ids, words = await read_unformed(self.pool, namespace, _TURNS_AT_ONCE)
            off = settings.off_reason(self.consent)
            if ids and off == "paused" and settings.paused_until is not None:
                left = settings.paused_until - datetime.now(UTC)
                await self._put_off(namespace, left.total_seconds())
            if off or not ids:
                return
            with log_fields(team=team, turn=str(ids[-1])), step("formation"):
                noticed = False

                async def in_commit(
                    connection: AsyncConnection[DictRow], formed: FormationResult
                ) -> None:
                    nonlocal noticed
                    now = await mark_formed(connection, namespace.person, ids, words)  # noqa: B023 - awaited in this round
                    if now is None or now.off_reason(self.consent):
                        raise _Overtaken
                    noticed = await self.notices.add_notice(
                        connection,
                        namespace.person,
                        ids[-1],  # noqa: B023 - as above
                        [change.id for change in formed.changes if change.action != "confirmed"],
                        [question.id for question in formed.questions],
                        delay=RETRY_SECONDS,
                    )

                try:
                    formed = await self.former.form(
                        memory_view(namespace, shared=shared),
                        words,
                        batch=ids[-1],
                        in_commit=in_commit,
                        spend=partial(count_tokens, team),
                    )
                except _Overtaken:
                    continue
                except MemoryModelRefused:
                    count("formations", outcome="model_refused")
                    # Logged where it happened. Nothing but another setup ends it, or the person's
                    # next message, which brings the next attempt forward.
                    await self._put_off(namespace, MODEL_REFUSED_RETRY_SECONDS)
                    return
                except FormationUnavailable:
                    count("formations", outcome="unavailable")
                    raise
                _report(formed)
                log.info(
                    "formed memories from %d message(s): %d change(s), refused: %s",
                    len(words),
                    len(formed.changes),
                    _counted(formed),
                )
                if noticed:
                    await self.notices.show_now(namespace.person, ids[-1])
            characters = sum(len(one.text) for one in words)
            if len(ids) < _TURNS_AT_ONCE and characters < MAX_CHARACTERS:
                return  # what was said since has a job of its own


def _report(formed: FormationResult) -> None:
    count("formations", outcome="changed" if formed.changes else "unchanged")
    for change in formed.changes:
        count("proposals", outcome=change.action)
    for refusal in formed.refused:
        count("proposals", outcome=refusal.reason)
    count("proposals", len(formed.questions), outcome="asked")


def _counted(formed: FormationResult) -> str:
    """Return the number of refusals by reason, such as ``2 past, 1 unsupported``."""
    reasons = Counter(one.reason for one in formed.refused)
    return ", ".join(f"{count} {reason}" for reason, count in sorted(reasons.items())) or "none"
