"""Periodic maintenance: finds lost work, and deletes what has expired or exceeded its retention."""

from __future__ import annotations

import logging
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from functools import partial
from typing import LiteralString

from bot.app import App
from bot.conversation.inbox import MAX_ATTEMPTS, OPEN
from bot.logs import fault
from bot.memories.data import erase_person
from bot.memories.forgetting import delete_forgotten_texts
from bot.memories.promises import remind_of_due
from bot.people import People
from bot.workspaces import purge_due
from memory import Person, Pool
from memory.postgres import execute_statement, is_unavailable, person_transaction
from memory.store import expire_due, expire_unconfirmed

log = logging.getLogger(__name__)

KEEP_UP = "keep_up"
EVERY_MINUTE = "* * * * *"
_DEACTIVATED_DAYS = 30
_PEOPLE_AT_ONCE = 200
_OLD_TURNS: LiteralString = (
    "DELETE FROM messages WHERE team_id = %(team_id)s AND user_id = %(user_id)s"
    f" AND NOT {OPEN} AND begun_at < now() - make_interval(days => %(days)s)"
)
_AT_ONCE = 5_000
# Each of these can be ended by anyone when its time is over: see the policies of the tables.
_EXPIRED: tuple[LiteralString, ...] = (
    "DELETE FROM told WHERE until < now()",
    "DELETE FROM requests_under_way WHERE begun_at < now() - interval '1 hour'",
    "DELETE FROM reminders WHERE day < current_date - 60",
    "DELETE FROM snoozes WHERE day < current_date - 60",
    "DELETE FROM person_requests WHERE hour < now() - interval '30 days'",
    # Signatures are valid for five minutes, by a clock that may be five minutes off.
    "DELETE FROM interactions WHERE at < now() - interval '15 minutes'",
    # A job whose end, or begin, PostgreSQL could not tell its worker; `beat` gives it back.
    "UPDATE procrastinate_jobs AS jobs SET worker_id = NULL WHERE status = 'doing' AND"
    " (SELECT max(at) FROM procrastinate_events WHERE job_id = jobs.id)"
    " < now() - interval '1 hour'",
    # Workers delete the successful ones.
    "DELETE FROM procrastinate_jobs AS jobs WHERE status NOT IN ('todo', 'doing') AND"
    " (SELECT max(at) FROM procrastinate_events WHERE job_id = jobs.id)"
    " < now() - interval '14 days'",
)


@asynccontextmanager
async def _going_on(what: str) -> AsyncIterator[None]:
    """Log a failure by its type, unless PostgreSQL is away: the next run tries again."""
    try:
        yield
    except Exception as error:
        if is_unavailable(error):
            raise
        log.warning("%s failed: %s", what, fault(error))


async def keep_up(app: App, timestamp: int) -> None:
    """Run each step; `timestamp` is the minute it was due, and some run once an hour."""
    pool, settings = app.pool, app.settings
    steps: list[Callable[[], Awaitable[None]]] = [
        partial(remind_of_due, pool, app.queue),
        partial(_expire, pool),
        partial(purge_due, pool, days=1),
        partial(end_history, pool, settings.history_days),
    ]
    if timestamp % 3_600 < 60:
        steps.append(partial(end_what_is_old, pool, settings.retention_days))
        steps.append(partial(erase_deactivated, pool, app.people))
    try:
        for step in steps:
            async with _going_on("a step of the upkeep"):
                await step()
    except Exception as error:  # noqa: BLE001 - a failed job for each minute helps nobody
        log.warning("the upkeep failed: %s", fault(error))


async def _expire(pool: Pool) -> None:
    statement: LiteralString = "SELECT * FROM fail_poison_messages(%s)"
    for row in await execute_statement(pool, statement, (MAX_ATTEMPTS,)):
        log.error("message %s of thread %s ended as failed", row["id"], row["thread"])
    for statement in (*_EXPIRED, f"SELECT clear_away({_AT_ONCE})"):
        await execute_statement(pool, statement)
    await expire_due(pool, delete_texts=delete_forgotten_texts)


async def end_what_is_old(pool: Pool, most_days: int | None) -> None:
    """Delete what has exceeded its retention, of some people at a time."""
    statement: LiteralString = "SELECT * FROM people_past_retention(%s, %s)"
    for row in await execute_statement(pool, statement, (most_days, _PEOPLE_AT_ONCE)):
        async with _going_on(f"the retention of {row['team_id']}.{row['user_id']}"):
            person = Person(row["team_id"], row["user_id"])
            async with person_transaction(pool, person, locked=True) as connection:
                ended = await expire_unconfirmed(connection, person, row["days"])
                turns = await connection.execute(_OLD_TURNS, row)
            log.info("%d memories and %d turns were too old", len(ended), turns.rowcount)


async def end_history(pool: Pool, days: int) -> None:
    """Remove the texts of conversations older than `days`, of at most `_AT_ONCE` rows a table.

    Rows stay without their texts, so that a message delivered again is known and a thread is still
    followed.
    """
    [row] = await execute_statement(pool, "SELECT * FROM end_history(%s, %s)", (days, _AT_ONCE))
    if any(row.values()):
        log.info("removed texts older than %d days: %s", days, dict(row))


async def erase_deactivated(pool: Pool, people: People) -> None:
    """Erase some people whose account has been deactivated for 30 days.

    First Slack is asked whether the account is active again. Where it does not answer, people of
    that workspace are left for the next run.
    """
    statement: LiteralString = "SELECT * FROM people_deactivated_for(%s, %s)"
    unanswered: set[str] = set()
    for row in await execute_statement(pool, statement, (_DEACTIVATED_DAYS, _PEOPLE_AT_ONCE)):
        person = Person(row["team_id"], row["user_id"])
        if person.team_id in unanswered:
            continue
        async with _going_on("erasing a deactivated person"):
            active = await people.is_active(person)
            if active is None:
                unanswered.add(person.team_id)
            elif not active:
                await erase_person(pool, person)
                log.info("erased a person deactivated for %d days", _DEACTIVATED_DAYS)
