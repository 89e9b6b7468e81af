"""Memories and conversations are kept as long as the person and the installation want."""

from __future__ import annotations

import logging
from collections import Counter

from bot.logs import fault
from bot.memories.person_data import erase_person
from bot.users.profiles import Profiles
from memory import Person, Pool, expire_unconfirmed, is_unavailable, person_transaction, transaction

log = logging.getLogger(__name__)

DEACTIVATED_DAYS = 30
_PEOPLE_AT_ONCE = 200
_TEXTS_AT_ONCE = 5_000
_MOST_BATCHES = 20


async def end_what_is_old(pool: Pool, installation_days: int | None) -> int:
    """Delete what has exceeded its retention, of some people at a time; return of how many.

    A failure for one person is logged, and the others' rows are deleted.
    """
    async with transaction(pool) as connection:
        found = await connection.execute(
            "SELECT * FROM people_past_retention(%s, %s)", (installation_days, _PEOPLE_AT_ONCE)
        )
        people = await found.fetchall()
    done = 0
    for row in people:
        try:
            await _end_of_person(pool, Person(row["team_id"], row["user_id"]), int(row["days"]))
        except Exception as error:
            if is_unavailable(error):
                raise
            whose = f"{row['team_id']}.{row['user_id']}"
            log.warning("what %s told was kept for too long: %s", whose, fault(error))
        else:
            done += 1
    return done


async def _end_of_person(pool: Pool, person: Person, days: int) -> None:
    async with person_transaction(pool, person) as connection:
        ended = await expire_unconfirmed(connection, person, days)
        await pool.changed(connection, person, removed=bool(ended))
        gone = await connection.execute(
            "DELETE FROM turns WHERE team_id = %s AND user_id = %s AND status <> 'answering'"
            " AND intended_at < now() - make_interval(days => %s)",
            (person.team_id, person.user_id, days),
        )
    log.info("%d memories and %d turns were too old", len(ended), gone.rowcount)


async def end_history(pool: Pool, days: int, *, at_once: int = _TEXTS_AT_ONCE) -> int:
    """Remove the texts of conversations older than `days`; return of how many turns.

    Rows stay without their texts, so that a message delivered again is known and a thread is still
    followed. At most 20 statements a call, each of `at_once` rows and a transaction of its own; the
    next call continues.
    """
    total: Counter[str] = Counter()
    for _ in range(_MOST_BATCHES):
        async with transaction(pool) as connection:
            found = await connection.execute("SELECT * FROM end_history(%s, %s)", (days, at_once))
            [row] = await found.fetchall()
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
    return total["turns"]


async def erase_deactivated(pool: Pool, people: Profiles) -> int:
    """Erase people whose account has been deactivated for 30 days; return how many.

    First Slack is asked whether the account is active again; if it does not answer, the person is
    not erased. A failure for one person does not stop the others. Some people at a time.
    """
    async with transaction(pool) as connection:
        found = await connection.execute(
            "SELECT * FROM people_deactivated_for(%s, %s)", (DEACTIVATED_DAYS, _PEOPLE_AT_ONCE)
        )
        due = [Person(row["team_id"], row["user_id"]) for row in await found.fetchall()]
    erased = 0
    for person in due:
        try:
            active = await people.is_active(person)
            if active is None:
                break
            if not active:
                await erase_person(pool, person)
                erased += 1
        except Exception as error:  # noqa: BLE001 - tried again in an hour; the next are not kept
            log.warning("a deactivated person could not be erased: %s", fault(error))
    if erased:
        log.info("erased %d people deactivated for %d days", erased, DEACTIVATED_DAYS)
    return erased
