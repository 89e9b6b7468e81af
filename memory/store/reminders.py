"""Reminders of promises: which are due, put off, or in another time zone.

A row of `reminders` is planned where those of `store` are written (`memory.store.projection`); an
open promise has one, without a time if it is not reminded of any more.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from datetime import UTC, datetime, time, timedelta, tzinfo
from zoneinfo import ZoneInfo

from memory.model.fold import fold_at
from memory.model.namespace import Person
from memory.model.reminders import MORNING, clock_moment, first_from, open_promise
from memory.postgres.database import PersonTransaction, Pool, person_statement
from memory.postgres.statements import column_parameters, load_statements
from memory.store.memories import Memory, read_in_order
from memory.store.statements import read_statements

_SQL = load_statements("memory", "reminders")


async def next_reminders(
    pool: Pool, person: Person, keys: Collection[str]
) -> dict[str, datetime]:
    """Return when the person will next be reminded of each of these promises, by key."""
    values = {"keys": list(keys)}
    found = await person_statement(pool, person, _SQL["next"], values)
    return {row["key"]: row["at"] for row in found}


async def due_promises(transaction: PersonTransaction, *, wanted: bool) -> list[Memory]:
    """Return the promises of which the person is to be reminded now, the earliest first.

    If a message about some of them is being posted, it is those. What should have come on an
    earlier day is passed over; so is everything unless reminders are `wanted`. Runs under the
    person's lock, as do the other functions here that write.
    """
    rows = await transaction.fetch(_SQL["due"])
    if not wanted:
        await pass_reminders(transaction, [row["key"] for row in rows])
        return []
    now = datetime.now(UTC)
    missed: list[str] = []
    for row in rows:
        zone = ZoneInfo(row["zone"])
        is_of_today = row["at"].astimezone(zone).date() >= now.astimezone(zone).date()
        if row["message_id"] is None and not is_of_today:
            missed.append(row["key"])
    if missed:
        await pass_reminders(transaction, missed, today=False)
        rows = await transaction.fetch(_SQL["due"])
    return await read_in_order(transaction, [row["key"] for row in rows])


async def pass_reminders(
    transaction: PersonTransaction, keys: Collection[str], *, today: bool = True
) -> None:
    """Plan the next reminders of these promises: those that were due were posted, or never are.

    Unless `today`, what was due today still comes.
    """
    now = datetime.now(UTC)
    said = await read_statements(transaction, keys)
    moved: list[tuple[str, str, datetime | None]] = []
    for row in await transaction.fetch(_SQL["read"], {"keys": list(keys)}):
        promise = open_promise(fold_at(said[row["key"]], now))
        zone = ZoneInfo(row["zone"])
        since = now
        if not today:
            since = clock_moment(now.astimezone(zone).date(), time(), zone)
        times = promise.times(zone, row["put_off_at"]) if promise else []
        moved.append((row["key"], row["zone"], first_from(times, since)))
    await _move(transaction, moved)


async def put_off(transaction: PersonTransaction, key: str, zone: tzinfo) -> bool:
    """Remind of a promise tomorrow, in place of its day, until a day is said later.

    Return whether the promise is still open.
    """
    tomorrow = datetime.now(zone).date() + timedelta(days=1)
    at = clock_moment(tomorrow, MORNING, zone)
    values = {"key": key, "zone": str(zone), "at": at}
    return bool(await transaction.fetch(_SQL["put_off"], values))


async def change_zone(transaction: PersonTransaction, zone: tzinfo) -> None:
    """Let all reminders of the person come at the same time of the clock where they are now."""
    moved: list[tuple[str, str, datetime | None]] = []
    for row in await transaction.fetch(_SQL["elsewhere"], {"zone": str(zone)}):
        there = row["at"].astimezone(ZoneInfo(row["zone"]))
        at = clock_moment(there.date(), there.time(), zone)
        moved.append((row["key"], str(zone), at))
    await _move(transaction, moved)


async def _move(
    transaction: PersonTransaction,
    moved: Sequence[tuple[str, str, datetime | None]],
) -> None:
    values = column_parameters(("keys", "zones", "moments"), moved)
    await transaction.execute(_SQL["move"], values)
