"""Deletes the jobs of an erased person."""

from __future__ import annotations

from psycopg import AsyncConnection
from psycopg.rows import DictRow

from memory import Person


async def delete_jobs_of_person(connection: AsyncConnection[DictRow], person: Person) -> int:
    """Delete a person's jobs but the running ones; return how many."""
    gone = await connection.execute(
        "DELETE FROM procrastinate_jobs WHERE status <> 'doing' AND args->>'team' = %(team)s"
        " AND args->>'user' = %(user)s",
        person.ids,
    )
    return gone.rowcount
