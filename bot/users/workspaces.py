"""Workspaces that installed the app, and those that removed it: the `workspaces` table."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal, LiteralString

from psycopg import AsyncConnection
from psycopg.rows import DictRow

from bot.slack.messages import installation_team, mentions
from memory import Pool, execute_statement

REVOKED_DAYS = 14
# A change by another process is seen here after this time.
_TRUSTED_SECONDS = 10.0
AWAY: LiteralString = "left_at IS NOT NULL AND returned_at IS NULL"


@dataclass(frozen=True, slots=True, kw_only=True)
class Uninstall:
    """A workspace that is not served: why, since when, and when its rows are deleted.

    `purged_at` is None until they are.
    """

    team_id: str
    reason: Literal["uninstalled", "token_revoked"]
    left_at: datetime
    purge_at: datetime
    purged_at: datetime | None

    def sentence(self) -> str:
        """Return a sentence about the departure for the operator."""
        since, due = f"{self.left_at:%Y-%m-%d}", f"{self.purge_at:%Y-%m-%d}"
        if self.reason == "uninstalled":
            return (
                f"Workspace {self.team_id} uninstalled the app on {since}: to serve it again,"
                " install the app, set the new SLACK_BOT_TOKEN and restart."
            )
        then = "its data is deleted" if self.purged_at else f"its data is deleted on {due}"
        return (
            f"Slack revoked the bot token of workspace {self.team_id} on {since} and {then}:"
            " install the app again, set the new SLACK_BOT_TOKEN and restart."
        )


class Workspaces:
    """Whether a workspace is served; that it is is trusted for ten seconds."""

    def __init__(self, pool: Pool) -> None:
        self._pool = pool
        self._known: dict[str, float] = {}

    async def serves(self, team_id: str) -> bool:
        """Return whether a workspace has the app; raises `psycopg.OperationalError`."""
        if time.monotonic() < self._known.get(team_id, 0.0):
            return True
        # An installation by another process is seen at once.
        serves = not await self.departures([team_id])
        if serves:
            self._known[team_id] = time.monotonic() + _TRUSTED_SECONDS
        return serves

    async def with_message(self, body: Mapping[str, Any]) -> list[str]:
        """Return the teams that an event of a shared channel is for.

        That is the one in its authorization, those whose bot is mentioned, and those that have rows
        of the message or of its thread. Raises `psycopg.OperationalError`.
        """
        event = body["event"]
        message = event.get("message") or event.get("previous_message") or event
        # A deleted message that has replies is changed into one of Slackbot's.
        author = (event.get("previous_message") or message).get("user")
        ts = event.get("deleted_ts") or message.get("ts")
        found = await execute_statement(
            self._pool,
            "SELECT team_id FROM installations_with_message(%s, %s, %s, %s, %s) ORDER BY team_id",
            (
                str(event.get("channel") or ""),
                str(ts or ""),
                str(message.get("thread_ts") or event.get("thread_ts") or ts or ""),
                str(author or ""),
                sorted(mentions(str(message.get("text") or ""))),
            ),
        )
        return list(dict.fromkeys([installation_team(body), *(row["team_id"] for row in found)]))

    def invalidate(self, team_id: str) -> None:
        """Read the workspace's row again the next time."""
        self._known.pop(team_id, None)

    async def departures(self, team_ids: Sequence[str]) -> list[Uninstall]:
        """Return those of these workspaces that are not served."""
        found = await execute_statement(
            self._pool,
            f"SELECT team_id, reason, left_at, purge_at, purged_at FROM workspaces"
            f" WHERE team_id = ANY(%s) AND {AWAY} ORDER BY team_id",
            (list(team_ids),),
        )
        return [Uninstall(**row) for row in found]


async def token_accepted(
    connection: AsyncConnection[DictRow], team_id: str, bot_user_id: str | None
) -> None:
    """Record that Slack accepts the token of a workspace: it is served from now on.

    A purge that waits because the token was revoked is cancelled. One that follows an uninstall, or
    has begun, continues for the rows written until now.
    """
    values = {"team": team_id, "bot": bot_user_id}
    await connection.execute(
        "INSERT INTO workspaces (team_id, bot_user_id, token_checked_at)"
        " VALUES (%(team)s, %(bot)s, now()) ON CONFLICT (team_id) DO UPDATE SET"
        " bot_user_id = excluded.bot_user_id, token_checked_at = now()",
        values,
    )
    await connection.execute(
        f"{_FORGET_DEPARTURE} AND (purged_at IS NOT NULL"
        " OR reason = 'token_revoked' AND purge_started_at IS NULL)",
        values,
    )
    await connection.execute(
        f"UPDATE workspaces SET returned_at = now() WHERE team_id = %(team)s AND {AWAY}", values
    )


async def delete_tokens(connection: AsyncConnection[DictRow], team_id: str, at: float) -> None:
    """Delete the tokens of a workspace that were stored before a time (seconds)."""
    await connection.execute(
        "DELETE FROM installations WHERE team_id = %s AND installed_at < to_timestamp(%s)",
        (team_id, at),
    )


_FORGET_DEPARTURE: LiteralString = (
    "UPDATE workspaces SET left_at = NULL, reason = NULL, purge_at = NULL,"
    " purge_started_at = NULL, purged_at = NULL, returned_at = NULL WHERE team_id = %(team)s"
)

# Slack delivers an event late or twice, and both events of one uninstall in any order. One that is
# older than the workspace's return belongs to the departure before it.
_NEW_DEPARTURE: LiteralString = (
    "(w.left_at IS NULL OR w.returned_at IS NOT NULL AND excluded.left_at > w.returned_at)"
)


async def note_uninstalled(
    connection: AsyncConnection[DictRow], team_id: str, at: float
) -> datetime | None:
    """Note that a workspace uninstalled the app at a time (seconds); None where that is known.

    Returns when its rows are to be deleted: now. Where Slack has accepted a token since, the app
    was installed again: the workspace stays served, and only older rows are deleted.
    """
    found = await connection.execute(
        "INSERT INTO workspaces AS w (team_id, reason, left_at, purge_at)"
        " VALUES (%(team)s, 'uninstalled', to_timestamp(%(at)s), now())"
        " ON CONFLICT (team_id) DO UPDATE SET reason = 'uninstalled', left_at = excluded.left_at,"
        " purge_at = now(), purge_started_at = NULL, purged_at = NULL, returned_at ="
        " CASE WHEN w.token_checked_at > excluded.left_at THEN excluded.left_at END"
        f" WHERE {_NEW_DEPARTURE} OR w.reason = 'token_revoked' RETURNING purge_at",
        {"team": team_id, "at": at},
    )
    row = await found.fetchone()
    return row["purge_at"] if row else None


async def note_revoked(
    connection: AsyncConnection[DictRow],
    team_id: str,
    at: float,
    bots: Sequence[str],
    bot_user_id: str,
) -> datetime | None:
    """Note that tokens of these bot users were revoked at a time (seconds); None if not ours.

    Returns when the workspace's rows are to be deleted: in 14 days. None also where the workspace
    has left already, or Slack has accepted a token since. `bot_user_id` is the app's, as far as
    this process knows it.
    """
    found = await connection.execute(
        "INSERT INTO workspaces AS w (team_id, reason, left_at, purge_at)"
        " SELECT %(team)s, 'token_revoked', to_timestamp(%(at)s),"
        " to_timestamp(%(at)s) + make_interval(days => %(days)s)"
        " WHERE %(bot)s = ANY(%(bots)s::text[]) OR EXISTS (SELECT FROM workspaces AS known"
        " WHERE known.team_id = %(team)s AND known.bot_user_id = ANY(%(bots)s::text[]))"
        " ON CONFLICT (team_id) DO UPDATE SET reason = 'token_revoked',"
        " left_at = excluded.left_at, purge_at = excluded.purge_at, purge_started_at = NULL,"
        " purged_at = NULL, returned_at = NULL"
        f" WHERE {_NEW_DEPARTURE} AND COALESCE(w.token_checked_at, '-infinity') < excluded.left_at"
        " RETURNING purge_at",
        {
            "team": team_id,
            "at": at,
            "days": REVOKED_DAYS,
            "bots": list(bots),
            "bot": bot_user_id,
        },
    )
    row = await found.fetchone()
    return row["purge_at"] if row else None


async def begin_due_purges(
    connection: AsyncConnection[DictRow], team_id: str | None = None
) -> dict[str, datetime]:
    """Note that the purges which are due begin, or the one of this workspace if it is due.

    Returns by workspace the moment before which its rows were written that are to be deleted: now
    while it is not served, because nothing new of it is kept; else the moment of its return.
    """
    found = await connection.execute(
        "UPDATE workspaces SET purge_started_at = COALESCE(purge_started_at, now())"
        f" WHERE {_DUE} AND (%(team)s::text IS NULL OR team_id = %(team)s)"
        " RETURNING team_id, COALESCE(returned_at, now()) AS before",
        {"team": team_id},
    )
    return {row["team_id"]: row["before"] for row in await found.fetchall()}


_DUE: LiteralString = "left_at IS NOT NULL AND purged_at IS NULL AND purge_at <= now()"


async def due_purges(pool: Pool) -> list[str]:
    """Return the workspaces whose purge is due."""
    found = await execute_statement(pool, f"SELECT team_id FROM workspaces WHERE {_DUE}")
    return [str(row["team_id"]) for row in found]


async def end_purge(
    connection: AsyncConnection[DictRow], team_id: str, removed: int, again_seconds: float
) -> float | None:
    """Note a purge's end; return in how many seconds it is repeated, None for not at all.

    It is repeated until one finds nothing, at least `again_seconds` after the first: work that was
    under way when the workspace left may have written a last row.
    """
    values = {"team": team_id, "removed": removed, "again": again_seconds}
    found = await connection.execute(
        "UPDATE workspaces SET purged_at = CASE WHEN %(removed)s = 0 AND"
        " purge_started_at <= now() - make_interval(secs => %(again)s) THEN now() END,"
        " purge_at = now() + make_interval(secs => %(again)s)"
        " WHERE team_id = %(team)s AND purge_started_at IS NOT NULL AND purged_at IS NULL"
        " RETURNING purged_at",
        values,
    )
    row = await found.fetchone()
    if row is None:
        return None
    if row["purged_at"] is None:
        return again_seconds
    await connection.execute(f"{_FORGET_DEPARTURE} AND returned_at IS NOT NULL", values)
    return None


async def awaits_token(pool: Pool, team_id: str) -> float | None:
    """Return in how many seconds a revoked workspace's purge is due; None for any other state."""
    found = await execute_statement(
        pool,
        "SELECT extract(epoch FROM purge_at - now())::float8 AS seconds FROM workspaces"
        f" WHERE team_id = %s AND {AWAY} AND reason = 'token_revoked'"
        " AND purge_started_at IS NULL",
        (team_id,),
    )
    return float(found[0]["seconds"]) if found else None
