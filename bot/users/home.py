"""Whether a person has opened their Home, and the job that publishes it."""

from __future__ import annotations

from psycopg import AsyncConnection
from psycopg.rows import DictRow

from bot.queue.queue import REPLIES, Queue
from memory import Person

PUBLISH = "publish_home"


async def note_home_opened(connection: AsyncConnection[DictRow], person: Person) -> None:
    """Record that the person has opened their Home."""
    await connection.execute(
        "INSERT INTO person_settings AS s (team_id, user_id, home_opened_at)"
        " VALUES (%(team)s, %(user)s, now()) ON CONFLICT (team_id, user_id)"
        " DO UPDATE SET home_opened_at = now()",
        person.ids,
    )


async def has_opened_home(connection: AsyncConnection[DictRow], person: Person) -> bool:
    """Return whether the person has ever opened their Home."""
    found = await connection.execute(
        "SELECT FROM person_settings WHERE team_id = %(team)s AND user_id = %(user)s"
        " AND home_opened_at IS NOT NULL",
        person.ids,
    )
    return await found.fetchone() is not None


async def publish_later(
    connection: AsyncConnection[DictRow], queue: Queue, person: Person, *, erased: str = ""
) -> None:
    """Add the job that publishes a Home, in the caller's transaction.

    `erased` is the language of a person who is being erased.
    """
    await queue.defer(
        connection,
        PUBLISH,
        queue=REPLIES,
        lock=f"home:{person.scope}",
        team=person.team_id,
        user=person.user_id,
        erased=erased,
    )
