"""A conversation whose id Slack changes: everything that names the old id names the new one.

Slack gives a private channel another id when it becomes one of the organisation or is converted.
Source: https://docs.slack.dev/reference/events/channel_id_changed
"""

from __future__ import annotations

import logging
from typing import LiteralString

from psycopg import AsyncConnection
from psycopg.rows import DictRow

from bot.app import App
from bot.queue.queue import BACKGROUND
from memory import Person
from memory.postgres import execute_statement, person_transaction
from memory.store import change_channel as change_channel_of_memories

log = logging.getLogger(__name__)

CHANGE_CHANNEL = "change_channel"
_PEOPLE: LiteralString = "SELECT user_id FROM people_of_channel(%s, %s)"
# Messages of the new id may have arrived already; theirs stay.
_MESSAGES: LiteralString = """
UPDATE messages SET channel_id = %(new)s,
    audience = CASE WHEN audience = %(old)s THEN %(new)s ELSE audience END,
    thread = replace(thread, '.' || %(old)s || '.', '.' || %(new)s || '.')
WHERE team_id = %(team)s AND user_id = %(user)s AND channel_id = %(old)s
    AND status NOT IN ('waiting', 'answering')
    AND NOT EXISTS (
        SELECT FROM messages AS known
        WHERE known.team_id = %(team)s AND known.channel_id = %(new)s AND known.ts = messages.ts
    )
"""
_OFF: LiteralString = """
UPDATE memory_off SET scope = %(new)s
WHERE team_id = %(team)s AND user_id = %(user)s AND scope = %(old)s
    AND NOT EXISTS (
        SELECT FROM memory_off AS known
        WHERE known.team_id = %(team)s AND known.user_id = %(user)s AND known.scope = %(new)s
            AND known.from_at = memory_off.from_at
    )
"""


async def change_channel_later(app: App, team: str, old: str, new: str) -> None:
    """Add the job that changes the id everywhere, and look both conversations up again."""
    for channel in (old, new):
        await app.audiences.invalidate(team, channel)
    arguments = {"team": team, "old": old, "new": new}
    jobs = {f"{CHANGE_CHANNEL}:{team}.{old}": arguments}
    await app.queue.defer(app.pool, CHANGE_CHANNEL, jobs, queue=BACKGROUND)


async def change_channel(app: App, team: str, old: str, new: str) -> None:
    """Change the id in the rows of each person of the conversation; run as a job. Idempotent."""
    people = await execute_statement(app.pool, _PEOPLE, (team, old))
    for row in people:
        person = Person(team, row["user_id"])
        async with person_transaction(app.pool, person, locked=True) as connection:
            await _change(connection, person, old, new)
    log.info("a conversation has another id: changed for %d people", len(people))


async def _change(connection: AsyncConnection[DictRow], person: Person, old: str, new: str) -> None:
    await change_channel_of_memories(connection, person, old, new)
    values = {**person.ids, "old": old, "new": new}
    await connection.execute(_MESSAGES, values)
    await connection.execute(_OFF, values)
