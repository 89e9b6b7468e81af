"""Jobs that update App Home after memories have changed."""

from __future__ import annotations

from typing import LiteralString

from psycopg import AsyncConnection
from psycopg.rows import DictRow

from bot.home.publisher import PUBLISH
from bot.queue.queue import HOMES, Queue
from memory import OnChange, Person

# Several changes within this time are shown together.
_DELAY_SECONDS = 0.5
_SHOWN: LiteralString = (
    "SELECT EXISTS (SELECT FROM home_views WHERE team_id = %(team)s AND user_id = %(user)s"
    " AND opened_at > now() - interval '30 days') AS home"
)


def add_change_jobs(queue: Queue) -> OnChange:
    """Return the `Pool.on_change` that adds the jobs, in the transaction of the change.

    A Home is published if its person has opened it within 30 days.
    """

    async def on_change(connection: AsyncConnection[DictRow], person: Person) -> None:
        team, user = person.team_id, person.user_id
        found = await connection.execute(_SHOWN, {"team": team, "user": user})
        [shown] = await found.fetchall()
        if shown["home"]:
            await queue.defer(
                connection,
                PUBLISH,
                queue=HOMES,
                lock=f"home:{person.scope}",
                delay=_DELAY_SECONDS,
                team=team,
                user=user,
            )

    return on_change
