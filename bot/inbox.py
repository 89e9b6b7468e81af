"""Every message is stored, with its job, before Slack is answered; and handled once."""

from __future__ import annotations

import logging
from dataclasses import dataclass
from typing import Any, Literal

from psycopg import AsyncConnection, OperationalError
from psycopg.rows import DictRow
from psycopg.types.json import Jsonb

from bot.logs import fault
from bot.messages import Message
from bot.queue import REPLIES, Queue
from bot.words import storable
from memory import DM, Pool, View, transaction

log = logging.getLogger(__name__)

THREAD_SETTING = "kioku.thread"
ANSWER = "answer_thread"
MAX_ATTEMPTS = 3
_ACK_WAIT_SECONDS = 2.0


class Superseded(Exception):
    """Another worker has taken the message over: this one ends, and touches nothing more."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Waiting:
    """A stored message that is to be answered, and how often that was begun before.

    `attempts` is also the fence: who finds another number stored is no longer the one to answer.
    """

    id: int
    message: Message
    attempts: int


class Inbox:
    """The `inbox_events` table."""

    def __init__(self, pool: Pool, queue: Queue) -> None:
        self._pool = pool
        self._queue = queue

    async def store(self, message: Message) -> bool:
        """Store a message and the job that answers it, in one transaction; False if known.

        Known is: the same event id, or the same (team, channel, ts), as a mention that comes both
        as ``message`` and ``app_mention``. A message that does not address the bot is stored
        only in a thread the bot is part of. Raises `psycopg.OperationalError` when the database
        cannot be reached within two seconds: Slack then delivers the event again.
        """
        scope = {THREAD_SETTING: message.thread}
        async with transaction(self._pool, scope, wait=_ACK_WAIT_SECONDS) as connection:
            if not message.addressed and not await _follows(connection, message.thread):
                return False
            inserted = await connection.execute(
                "INSERT INTO inbox_events"
                " (team_id, event_id, user_id, channel_id, ts, thread, audience, message)"
                " VALUES (%s, %s, %s, %s, %s, %s, %s, %s) ON CONFLICT DO NOTHING RETURNING id",
                (
                    message.team_id,
                    message.event_id,
                    message.user_id,
                    message.channel_id,
                    message.ts,
                    message.thread,
                    message.audience,
                    Jsonb(message.as_json()),
                ),
            )
            if await inserted.fetchone() is None:
                return False
            await self._queue.defer(
                connection,
                ANSWER,
                queue=REPLIES,
                lock=f"{REPLIES}:{message.thread}",
                thread=message.thread,
            )
        return True

    async def next(self, thread: str) -> Waiting | None:
        """Return the oldest message of `thread` that waits, and count the attempt at it."""
        async with transaction(self._pool, {THREAD_SETTING: thread}) as connection:
            found = await connection.execute(
                "UPDATE inbox_events SET attempts = attempts + 1 WHERE id = ("
                " SELECT id FROM inbox_events WHERE thread = %s AND status = 'waiting'"
                " ORDER BY ts LIMIT 1) AND status = 'waiting' RETURNING id, message, attempts",
                (thread,),
            )
            row = await found.fetchone()
        if row is None:
            return None
        return Waiting(
            id=row["id"], message=Message(**row["message"]), attempts=row["attempts"] - 1
        )

    async def edit(self, team_id: str, channel_id: str, ts: str, thread: str, text: str) -> None:
        """Put the edited text in place of that of a message which still waits."""
        await self._touch(
            "UPDATE inbox_events SET message = jsonb_set(message, '{text}', to_jsonb(%s::text))"
            " WHERE team_id = %s AND channel_id = %s AND ts = %s AND status = 'waiting'",
            (storable(text), team_id, channel_id, ts),
            thread,
        )

    async def withdraw(self, team_id: str, channel_id: str, ts: str, thread: str) -> None:
        """Take a deleted message back: it is not answered, or its running answer is stopped."""
        await self._touch(
            "UPDATE inbox_events SET status = 'withdrawn', message = NULL, interrupted = true,"
            " finished_at = now()"
            " WHERE team_id = %s AND channel_id = %s AND ts = %s AND status = 'waiting'",
            (team_id, channel_id, ts),
            thread,
        )

    async def interrupt(self, thread: str) -> None:
        """Set the flag that a running turn of `thread` sees: the person pressed Stop."""
        await self._touch(
            "UPDATE inbox_events SET interrupted = true WHERE thread = %s AND status = 'waiting'"
            " AND attempts > 0",
            (thread,),
            thread,
        )

    async def is_interrupted(self, waiting: Waiting) -> bool:
        """Say whether the turn that answers `waiting` is to stop; False while nobody can know.

        Raises `Superseded` when another worker answers it.
        """
        scope = {THREAD_SETTING: waiting.message.thread}
        try:
            async with transaction(self._pool, scope, wait=_ACK_WAIT_SECONDS) as connection:
                found = await connection.execute(
                    "SELECT interrupted, attempts FROM inbox_events WHERE id = %s", (waiting.id,)
                )
                row = await found.fetchone()
        except OperationalError as error:
            log.warning("the stop flag could not be read: %s", fault(error))
            return False
        _check_attempt(row, waiting)
        return row is not None and bool(row["interrupted"])

    async def give_up(self, waiting: Waiting) -> None:
        """Mark a message as failed: it can be neither answered nor apologised for.

        Raises `Superseded` when another worker answers it.
        """
        scope = {THREAD_SETTING: waiting.message.thread}
        async with transaction(self._pool, scope) as connection:
            await finish(connection, waiting, "failed")

    async def _touch(self, statement: Any, parameters: tuple[str, ...], thread: str) -> None:
        scope = {THREAD_SETTING: thread}
        async with transaction(self._pool, scope, wait=_ACK_WAIT_SECONDS) as connection:
            await connection.execute(statement, parameters)


async def finish(
    connection: AsyncConnection[DictRow],
    waiting: Waiting,
    status: Literal["done", "failed"] = "done",
) -> None:
    """Mark a message as handled and blank its body, in the transaction that ends its turn.

    Raises `Superseded` when another worker answers it.
    """
    finished = await connection.execute(
        "UPDATE inbox_events SET status = %s, message = NULL, finished_at = now()"
        " WHERE id = %s AND attempts = %s AND status = 'waiting'",
        (status, waiting.id, waiting.attempts + 1),
    )
    if not finished.rowcount:
        found = await connection.execute(
            "SELECT attempts FROM inbox_events WHERE id = %s", (waiting.id,)
        )
        _check_attempt(await found.fetchone(), waiting)


def _check_attempt(row: DictRow | None, waiting: Waiting) -> None:
    # One that was erased meanwhile is nobody else's.
    if row is not None and row["attempts"] != waiting.attempts + 1:
        raise Superseded("Another worker answers the message now.")


async def unanswered(
    connection: AsyncConnection[DictRow], view: View, waiting: Waiting
) -> dict[str, str]:
    """Return the texts, by ts, of the person's earlier messages that still wait.

    Of direct messages where the view is a direct message's, and of the same channel.
    """
    message = waiting.message
    found = await connection.execute(
        "SELECT ts, message->>'text' AS text FROM inbox_events"
        " WHERE team_id = %s AND user_id = %s AND status = 'waiting' AND ts < %s"
        " AND (channel_id = %s OR (%s AND audience = %s)) ORDER BY ts",
        (
            message.team_id,
            message.user_id,
            message.ts,
            message.channel_id,
            view.own.audience == DM,
            DM,
        ),
    )
    return {row["ts"]: row["text"] for row in await found.fetchall()}


async def _follows(connection: AsyncConnection[DictRow], thread: str) -> bool:
    found = await connection.execute(
        "SELECT EXISTS (SELECT FROM turns WHERE thread = %(thread)s)"
        " OR EXISTS (SELECT FROM inbox_events WHERE thread = %(thread)s) AS follows",
        {"thread": thread},
    )
    row = await found.fetchone()
    return row is not None and bool(row["follows"])
