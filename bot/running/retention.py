"""Memories and conversations are kept as long as the person and the installation want."""

from __future__ import annotations

import logging

from memory import Person, Pool, end_old, person_transaction, transaction

log = logging.getLogger(__name__)

_PEOPLE_AT_ONCE = 200


async def end_what_is_old(pool: Pool, installation_days: int | None) -> int:
    """Delete what is older than it is to be kept, of some people at a time; return how many."""
    async with transaction(pool) as connection:
        found = await connection.execute(
            "SELECT * FROM people_past_retention(%s, %s)", (installation_days, _PEOPLE_AT_ONCE)
        )
        people = [
            (Person(row["team_id"], row["user_id"]), int(row["days"]))
            for row in await found.fetchall()
        ]
    for person, days in people:
        async with person_transaction(pool, person) as connection:
            ended = await end_old(connection, person, days)
            gone = await connection.execute(
                "DELETE FROM turns WHERE team_id = %s AND user_id = %s AND status <> 'answering'"
                " AND intended_at < now() - make_interval(days => %s)",
                (person.team_id, person.user_id, days),
            )
        log.info("%d memories and %d turns were too old", len(ended), gone.rowcount)
    return len(people)
