"""Requests under way: one that began before its person was erased stores nothing afterwards."""

from __future__ import annotations

from uuid import uuid4

from psycopg import AsyncConnection
from psycopg.rows import DictRow

from memory import MemoryOff, Person, Pool, person_transaction

_LONGEST = "1 hour"


async def begin_request(pool: Pool, person: Person) -> str:
    """Store that a request begins, before a model is called; return its id for `check_request`.

    It is a row in `notices` for an hour. Erasing the person deletes it; no other row says so,
    because settings are there again as soon as Slack is asked who the person is.
    """
    request = f"request {uuid4()}"
    async with person_transaction(pool, person) as connection:
        await connection.execute(
            "INSERT INTO notices (team_id, user_id, kind, event_id, expires_at)"
            f" VALUES (%s, %s, %s, 0, now() + interval '{_LONGEST}')",
            (person.team_id, person.user_id, request),
        )
    return request


async def check_request(connection: AsyncConnection[DictRow], person: Person, request: str) -> None:
    """Raise `memory.MemoryOff` if the person was erased since, in the transaction that stores."""
    found = await connection.execute(
        "SELECT FROM notices WHERE team_id = %s AND user_id = %s AND kind = %s",
        (person.team_id, person.user_id, request),
    )
    if not found.rowcount:
        raise MemoryOff("The person was erased meanwhile.")
