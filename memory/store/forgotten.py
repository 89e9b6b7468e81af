"""What was forgotten or erased, as ids, and its deletion from a restored database."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import LiteralString
from uuid import UUID

from psycopg import AsyncConnection

from memory.model.namespace import DM, Person
from memory.postgres.database import Pool, person_statement
from memory.store.forgetting import BlankTexts, forget
from memory.store.memories import OF_IDS, MessageKey, list_memories

_SINCE: LiteralString = (
    "SELECT team_id, user_id, CASE WHEN key IS NULL THEN 'erased' ELSE 'key' END AS what, key, NULL"
    " FROM forgotten_keys WHERE forgotten_at >= %(since)s UNION SELECT team_id, user_id, 'message',"
    " channel, ts FROM forgotten_sources WHERE forgotten_at >= %(since)s ORDER BY 1, 2, 3, 4, 5"
)
_AGAIN: LiteralString = (
    f"WITH changes AS (DELETE FROM memory_changes WHERE {OF_IDS} AND id::text = ANY(%(keys)s)),"
    f" questions AS (DELETE FROM memory_questions WHERE {OF_IDS} AND id::text = ANY(%(keys)s)),"
    f" undos AS (DELETE FROM forgotten WHERE {OF_IDS})"
    " INSERT INTO forgotten_sources (forgotten_id, team_id, user_id, channel, ts) SELECT %(again)s,"
    " %(team)s, %(user)s, * FROM unnest(%(channels)s::text[], %(times)s::text[])"
    " ON CONFLICT DO NOTHING"
)


async def forgotten_since(conninfo: str, since: datetime) -> list[tuple[str | None, ...]]:
    """Return the ids of what was forgotten from a time on; needs the database's owner.

    Each is a team, a user, and "erased" (the person), "key" and the key of a memory or the id of a
    change or question, or "message" and the channel and ts of one; shorter ones end with None.
    """
    async with await AsyncConnection.connect(conninfo) as owner:
        return await (await owner.execute(_SINCE, {"since": since})).fetchall()


async def forget_again(
    pool: Pool, person: Person, keys: Sequence[str], said: Sequence[MessageKey], blank: BlankTexts
) -> None:
    """Delete what a restored database has of these ids, as `forget` does but without Undo.

    No memory is formed from the messages in `said` again. Idempotent.
    """
    stored = [one.reference for one in await list_memories(pool, person) if one.key in keys]
    await forget(pool, person, [*stored, *(f"{DM}/{key}" for key in keys)], blank_texts=blank)
    ids = {"channels": [channel for channel, _ in said], "times": [ts for _, ts in said]}
    values = {**person.ids, **ids, "keys": [*keys], "again": UUID(int=0)}
    await person_statement(pool, person, _AGAIN, values)
