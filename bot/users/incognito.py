"""Incognito: a person's switch for all direct messages, or for one thread of a channel.

What is written or edited while it is on is answered without memory and leaves no text, also if it
is answered, formed or delivered later. What was said before is not affected.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import LiteralString

from psycopg import AsyncConnection
from psycopg.rows import DictRow

from bot.types import DIRECT, Incognito
from memory import Person

EVERYWHERE = "all"
"""For `switch_off`: every switch that is on."""
# Slack's clock and ours may differ: what was written right after a click belongs to it.
_BEGINS: LiteralString = (
    "LEAST(now(), COALESCE(to_timestamp(%(since)s::float8), now() - interval '2 seconds'))"
)

# Whether the switch `i` covers a message `e` of the inbox.
COVERS_EVENT: LiteralString = (
    "i.team_id = e.team_id AND i.user_id = e.user_id"
    f" AND (i.thread = e.thread OR (i.thread = '{DIRECT}' AND starts_with(e.channel_id, 'D')))"
    " AND (i.spans @> to_timestamp(e.ts::float8) OR i.spans @> e.edited_at)"
)


async def switch_on(
    connection: AsyncConnection[DictRow], person: Person, scope: str, *, since: str | None = None
) -> float:
    """Switch incognito on from `since`, the ts of the message that asks for it, or from now.

    Returns from when on, in seconds of the epoch.
    """
    found = await connection.execute(
        "INSERT INTO incognito_threads AS i (team_id, user_id, thread, spans)"
        " VALUES (%(team)s, %(user)s, %(scope)s,"
        f" tstzmultirange(tstzrange({_BEGINS}, NULL)))"
        " ON CONFLICT (team_id, user_id, thread) DO UPDATE SET spans = i.spans + excluded.spans,"
        " since = CASE WHEN i.spans @> now() THEN i.since ELSE now() END"
        f" RETURNING extract(epoch FROM {_BEGINS})::float8 AS begins",
        {**person.ids, "scope": scope, "since": since},
    )
    [row] = await found.fetchall()
    return float(row["begins"])


async def switch_off(connection: AsyncConnection[DictRow], person: Person, scope: str) -> bool:
    """Switch incognito off from now on; False where it was off.

    `DIRECT` ends it in every thread of direct messages, `EVERYWHERE` in those of channels, too.
    """
    ended = await connection.execute(
        "UPDATE incognito_threads SET spans = spans * tstzmultirange(tstzrange(NULL, now()))"
        " WHERE team_id = %(team)s AND user_id = %(user)s AND spans @> now()"
        " AND (thread = %(scope)s OR %(scope)s = %(all)s"
        " OR (%(scope)s = %(direct)s AND starts_with(split_part(thread, '.', 2), 'D')))",
        {**person.ids, "scope": scope, "all": EVERYWHERE, "direct": DIRECT},
    )
    return ended.rowcount > 0


async def is_on(connection: AsyncConnection[DictRow], person: Person, where: Sequence[str]) -> bool:
    """Say whether one of these switches is on now."""
    found = await connection.execute(
        "SELECT FROM incognito_threads WHERE team_id = %(team)s AND user_id = %(user)s"
        " AND thread = ANY(%(scopes)s) AND spans @> now() LIMIT 1",
        {**person.ids, "scopes": list(where)},
    )
    return await found.fetchone() is not None


async def read_incognito(connection: AsyncConnection[DictRow], person: Person) -> Incognito:
    """Return where incognito is on now."""
    found = await connection.execute(
        "SELECT count(*) FILTER (WHERE thread = %(direct)s) > 0 AS direct,"
        " count(*) FILTER (WHERE thread <> %(direct)s) AS threads FROM incognito_threads"
        " WHERE team_id = %(team)s AND user_id = %(user)s AND spans @> now()",
        {**person.ids, "direct": DIRECT},
    )
    [row] = await found.fetchall()
    return Incognito(direct=row["direct"], threads=row["threads"])
