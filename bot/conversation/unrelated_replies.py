"""Replies in threads the app is not in, by their place alone: the `overheard` table.

Slack may deliver the mention that calls the app into a thread after what was written below it.
"""

from __future__ import annotations

from typing import LiteralString

from psycopg import AsyncConnection
from psycopg.rows import DictRow

from bot.slack.messages import Message

READ = "read_overheard"
# Under the lock of `in_turn`.
KEEP_UNLESS_FOLLOWED: LiteralString = (
    "WITH known AS MATERIALIZED (SELECT"
    " EXISTS (SELECT FROM quiet_threads WHERE thread = %(thread)s) AS quiet,"
    " EXISTS (SELECT FROM turns WHERE thread = %(thread)s)"
    " OR EXISTS (SELECT FROM inbox_events WHERE thread = %(thread)s AND status <> 'withdrawn')"
    " AS follows),"
    " kept AS (INSERT INTO overheard (team_id, channel_id, ts, thread)"
    " SELECT %(team)s, %(channel)s, %(ts)s, %(thread)s FROM known WHERE NOT (quiet OR follows)"
    " ON CONFLICT DO NOTHING),"
    " ended AS (DELETE FROM overheard WHERE received_at < now() - interval '2 minutes')"
    " SELECT follows AND NOT quiet AS follows FROM known"
)


async def in_turn(connection: AsyncConnection[DictRow], thread: str) -> None:
    """Store one message of a thread at a time: either sees what the other left."""
    await connection.execute(
        "SELECT pg_advisory_xact_lock(hashtextextended(%s, 0))", (lock_name(thread),)
    )


def lock_name(thread: str) -> str:
    """Return the name of the lock under which messages of a thread are stored."""
    return f"overheard:{thread}"


async def keep(connection: AsyncConnection[DictRow], message: Message) -> None:
    """Keep the place of a message for two minutes, and nothing of what it says or who wrote it."""
    await connection.execute(
        "INSERT INTO overheard (team_id, channel_id, ts, thread) VALUES (%s, %s, %s, %s)"
        " ON CONFLICT DO NOTHING",
        (message.team_id, message.channel_id, message.ts, message.thread),
    )
    await sweep(connection)


async def sweep(connection: AsyncConnection[DictRow]) -> None:
    """Forget what has been kept for two minutes, in any thread."""
    await connection.execute(
        "DELETE FROM overheard WHERE received_at < now() - interval '2 minutes'"
    )


async def anything_after(connection: AsyncConnection[DictRow], message: Message) -> bool:
    """Say whether a message was overheard in the thread that was written after this one."""
    found = await connection.execute(
        "SELECT FROM overheard WHERE thread = %s AND ts > %s LIMIT 1",
        (message.thread, message.ts),
    )
    return await found.fetchone() is not None


async def places(connection: AsyncConnection[DictRow], thread: str) -> list[str]:
    """Return the times of what was overheard since the app was called into the thread."""
    found = await connection.execute(
        "SELECT ts FROM overheard WHERE thread = %(thread)s AND ts >"
        " (SELECT min(ts) FROM inbox_events WHERE thread = %(thread)s) ORDER BY ts",
        {"thread": thread},
    )
    return [row["ts"] for row in await found.fetchall()]


async def forget(connection: AsyncConnection[DictRow], thread: str) -> None:
    """Forget what was overheard in the thread: it has been read, or cannot be."""
    await connection.execute("DELETE FROM overheard WHERE thread = %s", (thread,))
