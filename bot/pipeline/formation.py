"""Formation jobs: one for each person and audience, debounced, after the reply."""

from __future__ import annotations

import logging
from collections import Counter
from dataclasses import dataclass
from functools import partial

from psycopg import AsyncConnection
from psycopg.rows import DictRow

from bot.access import count_tokens
from bot.app import App
from bot.conversation.unformed import (
    MAX_CHARACTERS,
    form_after,
    mark_formed,
    read_unformed,
)
from bot.logs import log_fields
from bot.notices import RETRY_SECONDS, add_notice, show_now
from memory import (
    FormationResult,
    FormationUnavailable,
    MemoryModelRefused,
    Namespace,
    Person,
    memory_view,
)
from memory.metrics import count, step
from memory.postgres import person_transaction

log = logging.getLogger(__name__)

MODEL_REFUSED_RETRY_SECONDS = 3_600.0
"""Seconds until the next attempt, unless the person writes, where the model refuses requests."""
_TURNS_AT_ONCE = 20


class _Overtaken(Exception):
    """The words changed or were formed, or memory was switched off, while the model was asked."""


@dataclass(frozen=True, slots=True)
class FormationJobs:
    """Runs formation of what a person said, after a time without another message of theirs."""

    app: App

    async def _put_off(self, namespace: Namespace, seconds: float) -> None:
        async with person_transaction(self.app.pool, namespace.person) as connection:
            await form_after(connection, self.app.queue, namespace, max(seconds, 1.0))

    async def form(self, team: str, user: str, audience: str) -> None:
        """Form memories from the words of the person that are not formed yet.

        Nothing happens while the person has memory switched off. Of somebody who wants to be
        remembered only when they ask for it, nothing is formed. If the model refuses every request,
        which only the operator can change, they stay until the next attempt, in an hour. Raises
        `memory.FormationUnavailable` while the model is unavailable: the words stay, and the job is
        tried again.
        """
        namespace = Person(team, user).namespace(audience)
        shared = await self.app.audiences.is_shared(namespace)
        while True:
            settings, ids, words = await read_unformed(self.app.pool, namespace, _TURNS_AT_ONCE)
            if settings.off(self.app.settings.consent) or not ids:
                return
            if settings.eagerness == "asked":
                async with person_transaction(self.app.pool, namespace.person) as connection:
                    await mark_formed(connection, namespace.person, ids, words)
                return
            with log_fields(team=team, turn=str(ids[-1])), step("formation"):
                noticed = False

                async def in_commit(
                    connection: AsyncConnection[DictRow], formed: FormationResult
                ) -> None:
                    nonlocal noticed
                    now = await mark_formed(connection, namespace.person, ids, words)  # noqa: B023 - awaited in this round
                    if now is None or now.off(self.app.settings.consent):
                        raise _Overtaken
                    changed = any(change.action != "confirmed" for change in formed.changes)
                    if changed or formed.questions:
                        turn = ids[-1]  # noqa: B023 - as above
                        noticed = await add_notice(
                            self.app, connection, namespace.person, turn, delay=RETRY_SECONDS
                        )

                try:
                    formed = await self.app.former.form(
                        memory_view(namespace, shared=shared),
                        words,
                        batch=ids[-1],
                        in_commit=in_commit,
                        eager=settings.eagerness == "lot",
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
                    await show_now(self.app, namespace.person, ids[-1])
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
