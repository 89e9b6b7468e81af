"""Periodic maintenance: finds lost work, and deletes what has expired or exceeded its retention."""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Awaitable, Callable
from dataclasses import KW_ONLY, dataclass
from functools import partial
from typing import LiteralString

from bot.conversation.history import delete_old_turns
from bot.conversation.inbox import ANSWER
from bot.logs import fault
from bot.memories.person_data import erase_person
from bot.queue.queue import REPLIES, Queue
from bot.users.profiles import Profiles
from memory import (
    Person,
    Pool,
    execute_statement,
    expire_due,
    expire_unconfirmed,
    is_unavailable,
    person_transaction,
)

log = logging.getLogger(__name__)

KEEP_UP = "keep_up"
EVERY_MINUTE = "* * * * *"
DEACTIVATED_DAYS = 30
_POISON_AFTER = 3
_PEOPLE_AT_ONCE = 200
_TEXTS_AT_ONCE = 5_000
_MOST_BATCHES = 20
_AT_ONCE = 5_000
_HOUR_SECONDS, _MINUTE_SECONDS = 3_600, 60
# Each of these can be ended by anyone when its time is over: see the policies of the tables.
_EXPIRED: tuple[LiteralString, ...] = (
    "DELETE FROM notices WHERE expires_at < now()",
    "DELETE FROM viewed WHERE seen_at < now() - interval '1 hour'",
    "DELETE FROM person_requests WHERE hour < now() - interval '2 hours'",
    "DELETE FROM processes WHERE seen_at < now() - interval '1 day'",
    # Workers delete the successful ones.
    "DELETE FROM procrastinate_jobs AS jobs WHERE status NOT IN ('todo', 'doing') AND"
    " (SELECT max(at) FROM procrastinate_events WHERE job_id = jobs.id)"
    " < now() - interval '14 days'",
)


@dataclass(frozen=True, slots=True)
class Maintenance:
    """One job, once a minute, however many workers there are."""

    pool: Pool
    queue: Queue
    _: KW_ONLY
    history_days: int
    retention_days: int | None
    people: Profiles

    async def keep_up(self, timestamp: int) -> None:
        """Run each step; `timestamp` is the minute it was due.

        A step that fails is logged and tried again in a minute; the others run.
        """
        steps: list[Callable[[], Awaitable[object]]]
        steps = [self._end_poison, self._find_lost_work, self._end_what_is_due, self._clear_away]
        steps += [partial(execute_statement, self.pool, statement) for statement in _EXPIRED]
        if timestamp % _HOUR_SECONDS < _MINUTE_SECONDS:
            steps.append(partial(end_history, self.pool, self.history_days))
            steps.append(partial(end_what_is_old, self.pool, self.retention_days))
            steps.append(partial(erase_deactivated, self.pool, self.people))
        for step in steps:
            try:
                await step()
            except Exception as error:  # noqa: BLE001 - a failed job for each minute helps nobody
                log.warning("a step of the upkeep failed: %s", fault(error))
                if is_unavailable(error):
                    return

    async def _end_what_is_due(self) -> None:
        if ended := await expire_due(self.pool):
            log.info("%d memories ended, as their words said", len(ended))

    async def _clear_away(self) -> None:
        [row] = await execute_statement(self.pool, "SELECT * FROM clear_away(%s)", (_AT_ONCE,))
        if row["events"] or row["turns"]:
            log.info("cleared away %d event(s), ended %d turn(s)", row["events"], row["turns"])

    async def _end_poison(self) -> None:
        for row in await execute_statement(
            self.pool, "SELECT * FROM fail_poison_events(%s)", (_POISON_AFTER,)
        ):
            log.error("event %d of thread %s ended as failed", row["id"], row["thread"])

    async def _find_lost_work(self) -> None:
        found = await execute_statement(self.pool, "SELECT thread FROM threads_without_a_job()")
        threads = [row["thread"] for row in found]
        jobs = {f"{REPLIES}:{thread}": {"thread": thread} for thread in threads}
        await self.queue.defer_each(self.pool, ANSWER, jobs, queue=REPLIES)
        if threads:
            log.warning("found %d thread(s) that waited without a job", len(threads))


async def end_what_is_old(pool: Pool, installation_days: int | None) -> None:
    """Delete what has exceeded its retention, of some people at a time.

    A failure for one person is logged, and the others' rows are deleted.
    """
    people = await execute_statement(
        pool,
        "SELECT * FROM people_past_retention(%s, %s)",
        (installation_days, _PEOPLE_AT_ONCE),
    )
    for row in people:
        try:
            await _end_of_person(pool, Person(row["team_id"], row["user_id"]), int(row["days"]))
        except Exception as error:
            if is_unavailable(error):
                raise
            whose = f"{row['team_id']}.{row['user_id']}"
            log.warning("what %s told was kept for too long: %s", whose, fault(error))


async def _end_of_person(pool: Pool, person: Person, days: int) -> None:
    async with person_transaction(pool, person) as connection:
        ended = await expire_unconfirmed(connection, person, days)
        turns = await delete_old_turns(connection, person, days)
    log.info("%d memories and %d turns were too old", len(ended), turns)


async def end_history(pool: Pool, days: int, *, at_once: int = _TEXTS_AT_ONCE) -> None:
    """Remove the texts of conversations older than `days`.

    Rows stay without their texts, so that a message delivered again is known and a thread is still
    followed. At most 20 statements a call, each of `at_once` rows and a transaction of its own; the
    next call continues.
    """
    total: Counter[str] = Counter()
    for _ in range(_MOST_BATCHES):
        [row] = await execute_statement(pool, "SELECT * FROM end_history(%s, %s)", (days, at_once))
        total.update(row)
        if max(row["turns"], row["comments"], row["waiting"]) < at_once:
            break
    if total.total():
        log.info(
            "removed the texts of %d turn(s) older than %d days (%d formed no memory),"
            " %d comment(s) and %d message(s) still waiting",
            total["turns"],
            days,
            total["unformed"],
            total["comments"],
            total["waiting"],
        )


async def erase_deactivated(pool: Pool, people: Profiles) -> None:
    """Erase people whose account has been deactivated for 30 days.

    First Slack is asked whether the account is active again. Where it does not answer, people of
    that workspace are left for the next run. A failure for one person does not stop the others.
    Some people at a time.
    """
    rows = await execute_statement(
        pool,
        "SELECT * FROM people_deactivated_for(%s, %s)",
        (DEACTIVATED_DAYS, _PEOPLE_AT_ONCE),
    )
    due = [Person(row["team_id"], row["user_id"]) for row in rows]
    erased = 0
    unanswered: set[str] = set()
    for person in due:
        if person.team_id in unanswered:
            continue
        try:
            active = await people.is_active(person)
            if active is None:
                unanswered.add(person.team_id)
            elif not active:
                await erase_person(pool, person)
                erased += 1
        except Exception as error:  # noqa: BLE001 - tried again in an hour; the next are not kept
            log.warning("a deactivated person could not be erased: %s", fault(error))
    if erased:
        log.info("erased %d people deactivated for %d days", erased, DEACTIVATED_DAYS)
