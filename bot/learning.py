"""Remembering, after the reply: one formation for each person and audience, debounced."""

from __future__ import annotations

import logging
from typing import Literal

from psycopg import AsyncConnection
from psycopg.rows import DictRow

from bot.audience import Audiences
from bot.queue import LEARNING, Queue
from bot.turns import mark_formed, unformed
from memory import Formed, Former, Namespace, Person, Pool, person_transaction, view

log = logging.getLogger(__name__)

FORM = "form_memories"
_TURNS_AT_ONCE = 20


class _Overtaken(Exception):
    """The person forgot some of these words while memories were formed of them."""


class Learning:
    """Defers formation when a turn ends and runs it when the person has paused."""

    def __init__(
        self,
        *,
        pool: Pool,
        queue: Queue,
        former: Former,
        audiences: Audiences,
        mode: Literal["background", "hot", "off"],
        quiet_seconds: float,
    ) -> None:
        self._pool = pool
        self._queue = queue
        self._former = former
        self._audiences = audiences
        self._mode = mode
        self._quiet_seconds = 0.0 if mode == "hot" else quiet_seconds

    async def schedule(self, connection: AsyncConnection[DictRow], namespace: Namespace) -> None:
        """Defer formation within the transaction that ends a turn.

        A job that waits already waits anew: a burst of messages is one formation that sees all.
        """
        if self._mode == "off":
            return
        ids, _ = await unformed(connection, namespace, 1)
        if not ids:
            return
        lock = f"{LEARNING}:{namespace.prefix}"
        person = namespace.person
        deferred = await self._queue.defer(
            connection,
            FORM,
            queue=LEARNING,
            lock=lock,
            delay=self._quiet_seconds,
            team=person.team_id,
            user=person.user_id,
            audience=namespace.audience,
        )
        if not deferred:
            await self._queue.postpone(connection, lock=lock, delay=self._quiet_seconds)

    async def form(self, team: str, user: str, audience: str) -> None:
        """Turn what the person said, and nobody remembered yet, into memories.

        Raises `memory.FormationUnavailable` while the model is away: the words stay and the job
        is tried again.
        """
        namespace = Person(team, user).namespace(audience)
        shared = await self._audiences.is_shared(namespace)
        while True:
            async with person_transaction(self._pool, namespace.person) as connection:
                ids, words = await unformed(connection, namespace, _TURNS_AT_ONCE)
            if not ids:
                return

            async def in_commit(connection: AsyncConnection[DictRow], _: Formed) -> None:
                if not await mark_formed(connection, ids):  # noqa: B023 - awaited in this round
                    raise _Overtaken

            try:
                formed = await self._former.form(
                    view(namespace, shared=shared), words, in_commit=in_commit
                )
            except _Overtaken:
                continue
            log.info(
                "formed memories from %d message(s): %d change(s), refused: %s",
                len(words),
                len(formed.changes),
                ", ".join(sorted(set(formed.refused))) or "none",
            )
