"""State of the installation by its tables: work, and workspaces that left."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import LiteralString

import psycopg
from psycopg import AsyncConnection
from psycopg.rows import DictRow, dict_row

from bot.config import Settings
from bot.runtime.finding import Finding, fix, note, ok
from bot.users.workspaces import AWAY, Uninstall

_LONG_SECONDS = 120.0
_NAMED = 3
_STATE: LiteralString = (
    "SELECT work.*,"
    " ARRAY(SELECT id FROM procrastinate_jobs WHERE status = 'failed' ORDER BY id DESC LIMIT %s)"
    " AS newest_failed FROM work_at_hand() AS work"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class InstallationState:
    """Messages that wait, the oldest for so many seconds; what failed in the last two weeks.

    `newest_failed` are the ids of the newest failed jobs in `procrastinate_jobs`, `departed` the
    workspaces that are not served.
    """

    waiting: int
    oldest_seconds: float | None
    failed_events: int
    failed_jobs: int
    newest_failed: Sequence[int]
    departed: Sequence[Uninstall]


async def read_installation(conninfo: str) -> InstallationState | None:
    """Return the state of the tables; None if the database is not set up, or not for us.

    Raises `psycopg.OperationalError` when PostgreSQL cannot be reached.
    """
    try:
        async with await AsyncConnection[DictRow].connect(
            conninfo, connect_timeout=30, row_factory=dict_row
        ) as connection:
            await connection.execute("SET LOCAL ROLE kioku_app")
            [state] = await (await connection.execute(_STATE, (_NAMED,))).fetchall()
            departed = await connection.execute(
                "SELECT team_id, reason, left_at, purge_at, purged_at FROM workspaces"
                f" WHERE {AWAY} ORDER BY team_id"
            )
            uninstalls = [Uninstall(**row) for row in await departed.fetchall()]
    except (
        psycopg.errors.InvalidParameterValue,
        psycopg.errors.InsufficientPrivilege,
        psycopg.errors.UndefinedFunction,
        psycopg.errors.UndefinedTable,
    ):
        return None
    return InstallationState(**state, departed=uninstalls)


def judge_installation(settings: Settings, found: InstallationState) -> Iterator[Finding]:
    """Say what waits and what failed, which workspaces left, and who is answered."""
    yield _waiting(found)
    if found.failed_events or found.failed_jobs:
        ids = ", ".join(map(str, found.newest_failed))
        newest = f" The newest in procrastinate_jobs: {ids}." if ids else ""
        yield note(
            "Failures",
            f"{found.failed_events} message(s) and {found.failed_jobs} job(s) of the last two"
            f" weeks failed: look into the log for `failed`.{newest}",
        )
    for one in found.departed:
        # A revoked token needs a fix while the workspace's data is kept.
        revoked = one.reason == "token_revoked" and one.purged_at is None
        yield (fix if revoked else note)("Workspaces", one.sentence())
    yield _policy(settings)


def _waiting(found: InstallationState) -> Finding:
    oldest = found.oldest_seconds or 0.0
    if oldest > _LONG_SECONDS:
        return fix(
            "Work",
            f"{found.waiting} message(s) wait, the oldest for {oldest / 60:.0f} minutes: start"
            " `kioku run`, or look into its log for what keeps it from answering.",
        )
    if found.waiting:
        return ok("Work", f"{found.waiting} message(s) wait, the oldest for {oldest:.0f} s.")
    return ok("Work", "no message waits.")


def _policy(settings: Settings) -> Finding:
    people = f"{len(settings.allowed_users)} people" if settings.allowed_users else "everybody"
    channels = (
        f"{len(settings.allowed_channels)} channel(s)"
        if settings.allowed_channels
        else "every channel"
    )
    days = settings.retention_days
    texts = min(settings.history_days, days or settings.history_days)
    kept = f"for {days} days at most" if days else "until people delete them"
    search = "with" if settings.web_search else "without"
    return ok(
        "Policy",
        f"{people}, in direct messages and {channels}, {search} web search. Memories are kept"
        f" {kept}, conversations for {texts} days.",
    )
