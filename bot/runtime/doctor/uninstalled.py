"""Workspaces that removed the app, or whose bot token Slack revoked."""

from __future__ import annotations

import psycopg
from psycopg import AsyncConnection
from psycopg.rows import DictRow, dict_row

from bot.runtime.finding import Finding, fix, note
from bot.users.workspaces import AWAY, Uninstall

PART = "Workspaces"


async def read_departures(conninfo: str, *, connect_seconds: int = 30) -> list[Uninstall]:
    """Return the workspaces that are not served; none if the database has no tables yet.

    Raises `psycopg.OperationalError` when PostgreSQL cannot be reached.
    """
    try:
        async with await AsyncConnection[DictRow].connect(
            conninfo, connect_timeout=connect_seconds, row_factory=dict_row
        ) as connection:
            await connection.execute("SET LOCAL ROLE kioku_app")
            found = await connection.execute(
                "SELECT team_id, reason, left_at, purge_at, purged_at FROM workspaces"
                f" WHERE {AWAY} ORDER BY team_id"
            )
            return [Uninstall(**row) for row in await found.fetchall()]
    except (
        psycopg.errors.InvalidParameterValue,
        psycopg.errors.InsufficientPrivilege,
        psycopg.errors.UndefinedTable,
    ):
        return []


def judge_departures(departures: list[Uninstall]) -> list[Finding]:
    """Return a line for each; a revoked token needs a fix while the workspace's data is kept."""
    return [
        (fix if one.reason == "token_revoked" and one.purged_at is None else note)(
            PART, one.sentence()
        )
        for one in departures
    ]
