"""Checks of the queue: waiting and failed jobs, as numbers and ids only."""

from __future__ import annotations

from dataclasses import dataclass

import psycopg
from psycopg import AsyncConnection
from psycopg.rows import DictRow, dict_row

from bot.runtime.finding import Finding, fix, note, ok

PART = "Work"
_LONG_SECONDS = 120.0
_NAMED = 3


@dataclass(frozen=True, slots=True, kw_only=True)
class Work:
    """Messages that wait, the oldest for so many seconds; what failed in the last two weeks.

    `newest_failed` are the ids of the newest failed jobs in `procrastinate_jobs`.
    """

    waiting: int
    oldest_seconds: float | None
    failed_events: int
    failed_jobs: int
    newest_failed: tuple[int, ...]


async def read_work(conninfo: str, *, connect_seconds: int = 30) -> Work | None:
    """Return the state of the queue; None if the database is not set up, or not for us.

    Raises `psycopg.OperationalError` when PostgreSQL cannot be reached.
    """
    try:
        async with await AsyncConnection[DictRow].connect(
            conninfo, connect_timeout=connect_seconds, row_factory=dict_row
        ) as connection:
            await connection.execute("SET LOCAL ROLE kioku_app")
            [row] = await (await connection.execute("SELECT * FROM work_at_hand()")).fetchall()
            failed = await connection.execute(
                "SELECT id FROM procrastinate_jobs WHERE status = 'failed' ORDER BY id DESC"
                " LIMIT %s",
                (_NAMED,),
            )
            newest = tuple(int(job["id"]) for job in await failed.fetchall())
    except (
        psycopg.errors.InvalidParameterValue,
        psycopg.errors.InsufficientPrivilege,
        psycopg.errors.UndefinedFunction,
        psycopg.errors.UndefinedTable,
    ):
        return None
    return Work(**row, newest_failed=newest)


def judge_work(work: Work) -> list[Finding]:
    """Return what is to be said of it."""
    found = []
    oldest = work.oldest_seconds or 0.0
    if oldest > _LONG_SECONDS:
        found.append(
            fix(
                PART,
                f"{work.waiting} message(s) wait, the oldest for {oldest / 60:.0f} minutes: start"
                " `kioku run`, or look into its log for what keeps it from answering.",
            )
        )
    elif work.waiting:
        found.append(ok(PART, f"{work.waiting} message(s) wait, the oldest for {oldest:.0f} s."))
    else:
        found.append(ok(PART, "no message waits."))
    if work.failed_events or work.failed_jobs:
        ids = ", ".join(map(str, work.newest_failed))
        newest = f" The newest in procrastinate_jobs: {ids}." if ids else ""
        found.append(
            note(
                "Failures",
                f"{work.failed_events} message(s) and {work.failed_jobs} job(s) of the last two"
                f" weeks failed: look into the log for `failed`.{newest}",
            )
        )
    return found
