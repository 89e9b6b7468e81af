"""``kioku status`` and ``kioku failed``: the state of an installation, without texts or people."""

from __future__ import annotations

import asyncio
from collections.abc import Collection
from datetime import UTC, datetime
from importlib.metadata import version
from typing import Any, Literal, LiteralString, TypeAlias

from bot.config import Settings
from bot.runtime.person_commands import operator, operators_pool, tell
from bot.runtime.startup import StartError
from memory import transaction

Verb: TypeAlias = Literal["list", "retry", "drop"]

_LISTED = 50
_ALIVE_SECONDS = 10
_STATE: LiteralString = (
    "SELECT state.*, now() AS now, current_setting('server_version') AS server,"
    " (SELECT count(*) FROM processes WHERE seen_at > now() - make_interval(secs => %s))"
    " AS processes,"
    " (SELECT count(*) FROM procrastinate_jobs WHERE status = 'todo'"
    "  AND (scheduled_at IS NULL OR scheduled_at <= now())) AS due,"
    " (SELECT count(*) FROM procrastinate_jobs WHERE status = 'todo' AND scheduled_at > now())"
    " AS later,"
    " (SELECT count(*) FROM procrastinate_jobs WHERE status = 'failed') AS failed_jobs"
    " FROM operating_state() AS state"
)
_LIST: LiteralString = (
    "SELECT jobs.id, jobs.task_name, jobs.attempts,"
    " COALESCE(jobs.args->>'team', split_part(jobs.args->>'thread', '.', 1), '-') AS team,"
    " (SELECT max(at) FROM procrastinate_events WHERE job_id = jobs.id) AS failed_at"
    " FROM procrastinate_jobs AS jobs WHERE jobs.status = 'failed' ORDER BY jobs.id DESC LIMIT %s"
)
_CHOSEN: LiteralString = "status = 'failed' AND (%(every)s OR id = ANY(%(ids)s::bigint[]))"
# Of several failed jobs with one queueing lock, the newest does what all would do; so does a job
# that waits already.
_RETRY: LiteralString = (
    "WITH newest AS ("
    " SELECT DISTINCT ON (COALESCE(queueing_lock, id::text)) id FROM procrastinate_jobs AS failed"
    f" WHERE {_CHOSEN} AND NOT EXISTS (SELECT FROM procrastinate_jobs AS other"
    "  WHERE other.status = 'todo' AND other.queueing_lock = failed.queueing_lock)"
    " ORDER BY COALESCE(queueing_lock, id::text), id DESC),"
    " waiting AS (UPDATE procrastinate_jobs SET status = 'todo', scheduled_at = NULL,"
    "  worker_id = NULL WHERE id IN (SELECT id FROM newest) RETURNING id),"
    f" covered AS (DELETE FROM procrastinate_jobs WHERE {_CHOSEN}"
    "  AND id NOT IN (SELECT id FROM newest) RETURNING id)"
    " SELECT (SELECT count(*) FROM waiting) AS changed, (SELECT count(*) FROM covered) AS covered"
)
_DROP: LiteralString = (
    f"WITH dropped AS (DELETE FROM procrastinate_jobs WHERE {_CHOSEN} RETURNING id)"
    " SELECT count(*) AS changed, 0 AS covered FROM dropped"
)
_RECORD: LiteralString = (
    "INSERT INTO operator_actions (operator, action, team_id, user_id, rows)"
    " VALUES (%s, %s, '*', '*', %s)"
)


def status(settings: Settings) -> None:
    """Print versions, model, running processes, and counts of messages and jobs.

    Raises `StartError` if the database cannot be reached or is not set up.
    """

    async def go() -> dict[str, Any]:
        async with operators_pool(settings) as pool, transaction(pool) as connection:
            [row] = await (await connection.execute(_STATE, (_ALIVE_SECONDS,))).fetchall()
            return row

    for label, text in _lines(settings, asyncio.run(go())):
        tell(f"{label:11}{text}")


def _lines(settings: Settings, row: dict[str, Any]) -> list[tuple[str, str]]:
    def ago(moment: datetime | None) -> str:
        return (
            "never" if moment is None else f"{_duration((row['now'] - moment).total_seconds())} ago"
        )

    waiting = f"{row['waiting']} waiting"
    if row["waiting"]:
        waiting += f", the oldest for {_duration(row['oldest_seconds'])}"
    failed = f"{_count(row['failed_messages'], 'message')} and {_count(row['failed_jobs'], 'job')}"
    failed += " in the last 14 days"
    if row["failed_jobs"]:
        failed += " (see `kioku failed list`)"
    return [
        ("Kioku", f"{version('kioku')} on PostgreSQL {row['server'].split()[0]}"),
        ("Models", f"{settings.reply_model}, {settings.memory_model}, {settings.embedding_model}"),
        ("Processes", f"{row['processes']} running"),
        ("Messages", waiting),
        ("Received", ago(row["received_at"])),
        ("Answered", ago(row["answered_at"])),
        ("Jobs", f"{row['due']} due, {row['later']} scheduled"),
        ("Failed", failed),
    ]


def _count(number: int, thing: str) -> str:
    return f"{number} {thing}" if number == 1 else f"{number} {thing}s"


def _duration(seconds: float) -> str:
    for unit, size in (("d", 86_400), ("h", 3_600), ("min", 60)):
        if seconds >= size:
            return f"{seconds / size:.0f} {unit}"
    return f"{seconds:.0f} s"


def failed(settings: Settings, verb: Verb, ids: Collection[int], *, every: bool) -> None:
    """List the failed jobs, let them run again (``retry``), or delete them (``drop``).

    `ids` are those that the list shows; `every` takes all. Failed messages are not among them:
    their text is deleted when their author is told. Raises `StartError` where none is named, or
    none of these ids is a failed job's.
    """
    if verb != "list" and not ids and not every:
        raise StartError(f"Say which: `kioku failed {verb} ID …`, or --all.")

    async def go() -> None:
        async with operators_pool(settings) as pool, transaction(pool) as connection:
            if verb == "list":
                rows = await (await connection.execute(_LIST, (_LISTED,))).fetchall()
                for row in rows:
                    at = row["failed_at"].astimezone(UTC).isoformat(timespec="seconds")
                    tell(
                        f"{row['id']:>8}  {at}  {row['team']:12}  {row['task_name']}"
                        f"  ({row['attempts']} attempts)"
                    )
                newest = ", the newest" if len(rows) == _LISTED else ""
                tell(_count(len(rows), "failed job") + newest)
                return
            chosen = {"ids": list(ids), "every": every}
            statement = _RETRY if verb == "retry" else _DROP
            [row] = await (await connection.execute(statement, chosen)).fetchall()
            if not row["changed"] + row["covered"] and not every:
                raise StartError("No failed job has this id: `kioku failed list` shows them.")
            count = row["changed"] + row["covered"]
            await connection.execute(_RECORD, (operator(), verb, count))
        if verb == "drop":
            tell(f"Deleted {_count(row['changed'], 'failed job')}.")
            return
        tell(f"Retrying {_count(row['changed'], 'job')}.")
        if row["covered"]:
            tell(f"Deleted {_count(row['covered'], 'job')}: a newer one does the same work.")

    asyncio.run(go())
