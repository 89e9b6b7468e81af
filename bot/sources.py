"""Memories follow the messages they were formed of: edited, they are formed anew; deleted, gone."""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable, Sequence
from typing import TypeAlias
from uuid import UUID

from psycopg import AsyncConnection
from psycopg.rows import DictRow

from bot.changed.announcing import Announce
from bot.running.queue import LEARNING, Queue
from memory import (
    Change,
    Embedder,
    Namespace,
    Person,
    Pool,
    Words,
    person_transaction,
    source_deleted,
    source_edited,
)

log = logging.getLogger(__name__)

FOLLOW = "follow_source"

Schedule: TypeAlias = Callable[[AsyncConnection[DictRow], Namespace], Awaitable[None]]


class Sources:
    """What was said in a turn has changed after memories were formed of it."""

    def __init__(
        self,
        pool: Pool,
        queue: Queue,
        embedder: Embedder,
        announce: Announce,
        schedule_formation: Schedule,
    ) -> None:
        self._pool = pool
        self._queue = queue
        self._embedder = embedder
        self._announce = announce
        self._schedule_formation = schedule_formation

    async def follow_later(
        self, connection: AsyncConnection[DictRow], person: Person, turn: UUID
    ) -> None:
        """Let memories follow, in the transaction that takes over a turn's new words."""
        await self._queue.defer(
            connection,
            FOLLOW,
            queue=LEARNING,
            lock=f"{FOLLOW}:{turn}",
            team=person.team_id,
            user=person.user_id,
            turn=str(turn),
        )

    async def follow(self, team: str, user: str, turn: str) -> None:
        """Take out of memory what a turn no longer says, and let its new words be formed.

        The person is told. Raises `memory.EmbeddingsUnavailable`; then nothing was changed.
        """
        person = Person(team, user)
        async with person_transaction(self._pool, person) as connection:
            found = await connection.execute(
                "SELECT channel_id, question_ts, words, audience FROM turns"
                " WHERE id = %s AND team_id = %s AND user_id = %s AND formed_at IS NOT NULL",
                (UUID(turn), team, user),
            )
            row = await found.fetchone()
        if row is None:
            return
        place = row["channel_id"], row["question_ts"]

        async def in_commit(
            connection: AsyncConnection[DictRow], changes: Sequence[Change]
        ) -> None:
            await self._announce(connection, person, UUID(turn), [change.id for change in changes])
            if row["words"]:
                await connection.execute(
                    "UPDATE turns SET formed_at = NULL WHERE id = %s AND words <> ''",
                    (UUID(turn),),
                )
                await self._schedule_formation(connection, person.namespace(row["audience"]))

        if row["words"]:
            words = Words(text=row["words"], channel=place[0], ts=place[1])
            changes = await source_edited(
                self._pool, self._embedder, person, words, in_commit=in_commit
            )
        else:
            changes = await source_deleted(
                self._pool, self._embedder, person, *place, in_commit=in_commit
            )
        log.info("a message was edited or deleted: %d memories followed", len(changes))
