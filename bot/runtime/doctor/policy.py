"""Checks of the policy: the settings, and the number of workspaces that differ."""

from __future__ import annotations

import psycopg
from psycopg import AsyncConnection

from bot.config import Settings
from bot.runtime.finding import Finding, ok

PART = "Policy"


async def count_own_policies(conninfo: str) -> int | None:
    """Return how many workspaces have a policy of their own; None where there is no such table.

    Raises `psycopg.OperationalError` when PostgreSQL cannot be reached.
    """
    try:
        async with await AsyncConnection.connect(conninfo, connect_timeout=30) as connection:
            await connection.execute("SET LOCAL ROLE kioku_app")
            [row] = await (
                await connection.execute("SELECT count(*) FROM workspace_policies")
            ).fetchall()
    except (
        psycopg.errors.InvalidParameterValue,
        psycopg.errors.InsufficientPrivilege,
        psycopg.errors.UndefinedTable,
    ):
        return None
    return int(row[0])


def judge_policy(settings: Settings, own: int) -> Finding:
    """Return who is answered, where, and with what."""
    people = f"{len(settings.allowed_users)} people" if settings.allowed_users else "everybody"
    if not settings.allowed_users:
        people += ", guests too" if settings.allow_guests else " but guests"
    channels = (
        f"{len(settings.allowed_channels)} channel(s)"
        if settings.allowed_channels
        else "every channel"
    )
    days = settings.retention_days
    kept = f"kept for {days} days at most" if days else "kept until people delete it"
    search = "with" if settings.web_search else "without"
    others = f" {own} workspace(s) differ: `kioku policy show --team T…`." if own else ""
    return ok(
        PART, f"{people}, in direct messages and {channels}, {search} web search, {kept}.{others}"
    )
