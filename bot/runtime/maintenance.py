"""Periodic maintenance: finds lost work, and deletes what has expired or exceeded its retention."""

from __future__ import annotations

import logging
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from functools import partial
from typing import TypeAlias

from bot.app import App
from bot.conversation.inbox import answer_at_once
from bot.data.person import erase_person
from bot.forgetting.forgetting import end_texts
from bot.kept.lines import end_all_lines, end_lines
from bot.logs import fault
from bot.promises.reminders import remind_of_due
from bot.queue.queue import Queue, delete_old_jobs, recover_jobs
from memory import Person, Pool
from memory.postgres import (
    execute_statement,
    is_unavailable,
    load_statements,
    person_transaction,
    transaction,
)
from memory.store import delete_old, expire_due

log = logging.getLogger(__name__)

EVERY_MINUTE = "* * * * *"
EVERY_HOUR = "0 * * * *"
_DEACTIVATED_DAYS = 30
_PEOPLE_AT_ONCE = 200
_AT_ONCE = 5_000
Work: TypeAlias = Callable[[], Awaitable[None]]
_SQL = load_statements("bot.runtime", "maintenance")
# One statement for each table with rows that expire.
_EXPIRED = load_statements("bot.runtime", "expired")


def periodic_work(app: App) -> dict[str, dict[str, Work]]:
    """Return the function of each periodic job by its name, for each schedule."""
    pool = app.pool
    settings = app.settings
    days = settings.retention_days
    every_minute: dict[str, Work] = {
        "remind_of_due": partial(remind_of_due, pool, app.queue),
        "answer_unanswered": partial(answer_unanswered, pool, app.queue),
        "delete_expired": partial(delete_expired, pool),
        "end_history": partial(end_history, pool, settings.history_days),
    }
    every_hour: dict[str, Work] = {
        "end_what_is_old": partial(end_what_is_old, pool, app.queue, days),
        "erase_deactivated": partial(erase_deactivated, app),
        "delete_old_jobs": partial(delete_old_jobs, pool),
    }
    return {EVERY_MINUTE: every_minute, EVERY_HOUR: every_hour}


def register_periodic_work(app: App) -> None:
    """Register the periodic jobs. While the app is uninstalled only `settle` does something."""
    settle = partial(_run, "settle", app.presence.settle)
    app.queue.repeat("settle", settle, cron=EVERY_MINUTE)
    for cron, functions in periodic_work(app).items():
        for name, work in functions.items():
            run = app.presence.while_installed(partial(_run, name, work))
            app.queue.repeat(name, run, cron=cron)


async def keep_up(app: App) -> None:
    """Do all periodic work once, for a database without a worker."""
    await _run("recover_jobs", partial(recover_jobs, app.pool))
    for functions in periodic_work(app).values():
        for name, work in functions.items():
            await _run(name, work)


async def _run(name: str, work: Work) -> None:
    """Do periodic work, and only log a failure, because the next run tries again."""
    try:
        await work()
    except Exception as error:  # noqa: BLE001 - a failed job for each minute helps no one
        log.warning("the periodic job %s failed: %s", name, fault(error))


@asynccontextmanager
async def _log_failure_of(what: str) -> AsyncIterator[None]:
    """Log a failure and go on, unless PostgreSQL is away, because the next run tries again."""
    try:
        yield
    except Exception as error:
        if is_unavailable(error):
            raise
        log.warning("%s failed: %s", what, fault(error))


async def answer_unanswered(pool: Pool, queue: Queue) -> None:
    """Add jobs for threads whose messages have waited for minutes, because theirs were lost."""
    rows = await execute_statement(pool, _SQL["unanswered_threads"], {"most": _AT_ONCE})
    for row in rows:
        log.info("a thread with waiting messages gets another job")
        async with transaction(pool) as connection:
            await answer_at_once(connection, queue, row["thread"])
    await execute_statement(pool, _SQL["end_lost_requests"])


async def delete_expired(pool: Pool) -> None:
    """Delete what is kept only for a while; end memories that have expired."""
    for statement in _EXPIRED.values():
        await execute_statement(pool, statement, {"most": _AT_ONCE})
    await expire_due(pool, end_texts=end_texts)


async def end_what_is_old(pool: Pool, queue: Queue, most_days: int | None) -> None:
    """Delete what has exceeded its retention, for some people at a time."""
    values = {"days": most_days, "most": _PEOPLE_AT_ONCE}
    for row in await execute_statement(pool, _SQL["people_past_retention"], values):
        async with _log_failure_of("the retention of a person"):
            person = Person(row["team_id"], row["user_id"])
            async with person_transaction(pool, person, locked=True) as transaction:
                changed = await delete_old(transaction, row["days"])
                await end_lines(queue, transaction, days=row["days"])
                old = {"days": row["days"]}
                turns = await transaction.execute(_SQL["delete_old_turns"], old)
            log.info(
                "deleted old statements of %d memories, and %d turns",
                len(changed),
                turns.rowcount,
            )


async def end_history(pool: Pool, days: int) -> None:
    """Remove the texts of conversations older than `days`, in at most `_AT_ONCE` rows per table.

    The rows stay, so that a message delivered again is recognized and a thread is still followed.
    """
    values = {"days": days, "most": _AT_ONCE}
    [row] = await execute_statement(pool, _SQL["end_history"], values)
    if any(row.values()):
        log.info("removed texts older than %d days: %s", days, dict(row))


async def erase_deactivated(app: App) -> None:
    """Erase some people whose account has been deactivated for 30 days.

    Slack is first asked whether the account is active again. It is also asked about people of whom
    it has said nothing for as long, because the event of their deactivation may have been missed:
    what they keep for conversations then ends. If it does not answer, the people of that
    workspace are left for the next run.
    """
    unanswered: set[str] = set()
    values = {"days": _DEACTIVATED_DAYS, "most": _PEOPLE_AT_ONCE}
    for row in await execute_statement(app.pool, _SQL["people_to_look_up"], values):
        person = Person(row["team_id"], row["user_id"])
        if person.team_id in unanswered:
            continue
        async with _log_failure_of("erasing a deactivated person"):
            active = await app.people.is_active(person)
            if active is None:
                unanswered.add(person.team_id)
            elif not active and row["is_due"]:
                await erase_person(app.pool, person)
                log.info("erased a person deactivated for %d days", _DEACTIVATED_DAYS)
            elif not active:
                await end_all_lines(app, person)
