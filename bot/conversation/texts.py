"""What follows for memories from the stored messages that changed, and texts that are not kept."""

from __future__ import annotations

from typing import LiteralString
from uuid import UUID

from psycopg import AsyncConnection
from psycopg.rows import DictRow

from bot.queue.queue import BACKGROUND, Queue
from bot.slack.messages import Message
from memory import DM, Person

UPDATE_FROM_MESSAGE = "follow_message"
DELETE_TEXTS: LiteralString = (
    "UPDATE messages SET question = '', words = '', reply = NULL,"
    " formed_at = CASE WHEN ended_at IS NOT NULL THEN COALESCE(formed_at, now()) END"
)
"""Blanks texts, at the beginning of a statement; no memory is formed from them."""


async def read_message_later(
    connection: AsyncConnection[DictRow],
    queue: Queue,
    person: Person,
    channel: str,
    ts: str,
    root: str,
) -> None:
    """Add the job that updates memories from what a message says in Slack then."""
    lock = f"{UPDATE_FROM_MESSAGE}:{person.team_id}.{channel}.{ts}"
    jobs = {lock: {**person.ids, "channel": channel, "ts": ts, "root": root}}
    await queue.defer(connection, UPDATE_FROM_MESSAGE, jobs, queue=BACKGROUND)


async def delete_texts(connection: AsyncConnection[DictRow], person: Person, turn: UUID) -> None:
    """Blank the texts of a person's turn; no memory is formed from them."""
    await connection.execute(
        f"{DELETE_TEXTS} WHERE id = %s AND team_id = %s AND user_id = %s",
        (turn, person.team_id, person.user_id),
    )


async def message_before(connection: AsyncConnection[DictRow], message: Message) -> str | None:
    """Return the ts of the author's message before this one: in its thread, in a DM in any."""
    found = await connection.execute(
        "SELECT ts FROM messages WHERE team_id = %s AND user_id = %s AND begun_at IS NOT NULL"
        f" AND channel_id = %s AND ts < %s AND (thread = %s OR audience = '{DM}')"
        " ORDER BY ts DESC LIMIT 1",
        (message.team_id, message.user_id, message.channel_id, message.ts, message.thread),
    )
    row = await found.fetchone()
    return str(row["ts"]) if row else None
