"""Threads in which the app was asked to be quiet: the `quiet_threads` table."""

from __future__ import annotations

from psycopg import AsyncConnection
from psycopg.rows import DictRow

from bot.slack.messages import Message
from memory import Person


async def start_quiet(connection: AsyncConnection[DictRow], message: Message) -> bool:
    """Answer in the message's thread only mentions, as its author asked.

    Returns False if that was so already.
    """
    done = await connection.execute(
        "INSERT INTO quiet_threads (team_id, user_id, thread) VALUES (%s, %s, %s)"
        " ON CONFLICT DO NOTHING",
        (message.team_id, message.user_id, message.thread),
    )
    return done.rowcount > 0


async def end_quiet(connection: AsyncConnection[DictRow], person: Person, thread: str) -> bool:
    """Follow a thread again, if this person asked for quiet there; False if they did not."""
    ended = await connection.execute(
        "DELETE FROM quiet_threads WHERE team_id = %s AND user_id = %s AND thread = %s",
        (person.team_id, person.user_id, thread),
    )
    return ended.rowcount > 0
