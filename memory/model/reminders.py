"""When a person is reminded of a promise. Pure: no database."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, date, datetime, time, timedelta, tzinfo
from typing import NamedTuple

from memory.model.dates import LATEST
from memory.model.fold import Folded
from memory.model.schemas import DUE_FIELDS, Content, due_of, is_open_promise
from memory.model.statement import Statement

_EARLY = time(7)  # nobody is reminded at night of what is due before nine
MORNING = time(9)
_EVENING = time(18)
_LATE = time(20)
_MINUTE = timedelta(minutes=1)
_HOUR = timedelta(hours=1)
_LEAD = timedelta(hours=2)  # before the time of what somebody waits for
_DAY = timedelta(days=1)


class OpenPromise(NamedTuple):
    """A promise that is open, and the statement that named its day last, or the first one."""

    content: Content
    dated: Statement

    def times(self, zone: tzinfo, put_off_at: datetime | None = None) -> list[datetime]:
        """Return when the person is reminded of it, as `reminder_times` does.

        After *Tomorrow*, at `put_off_at`, it is as if only the day after that had been said.
        """
        if put_off_at is None:
            return reminder_times(self.content, self.dated.said_at, zone)
        tomorrow = put_off_at.astimezone(zone).date() + _DAY
        return reminder_times({"due": tomorrow}, put_off_at, zone)


def open_promise(memory: Folded | None) -> OpenPromise | None:
    """Return a memory as the open promise that it is; None if it is none."""
    if memory is None or not is_open_promise(memory.kind, memory.content):
        return None
    dated = memory.said[0]
    for one in memory.said:
        if not one.fields.keys().isdisjoint(DUE_FIELDS):
            dated = one
    return OpenPromise(memory.content, dated)


def reminder_times(content: Content, said_at: datetime, zone: tzinfo) -> list[datetime]:
    """Return when a person is reminded of an open promise, in order; never before `said_at`.

    `content` has its day, ``due``, its time, ``due_time``, and who waits for it, ``to``; `said_at`
    is when its day was said, and `zone` the person's. It is reminded of on its day, and at 9:00 of
    the next one:

    - without a time at 9:00; where that has passed an hour later, but not after 20:00;
    - with a time two hours before it, or at it if nobody waits. Where two hours before would be
      earlier than 7:00 it is at 18:00 of the day before; where that has passed, in the middle of
      the time that is left; within the minute of the time, at once;
    - at 9:00 as well, if that is more than two hours before the time; of two reminders within two
      hours only the earlier one.

    A promise without a day, or for a day that had passed, is not reminded of.
    """
    due = due_of(content)
    if due is None:
        return []
    day, clock = due
    if not said_at.astimezone(zone).date() <= day < LATEST.date():
        return []
    morning = clock_moment(day, MORNING, zone)
    end = None if clock is None else clock_moment(day, clock, zone)
    if end is None or end + _MINUTE <= said_at:
        times = [morning]
        if morning < said_at:
            times = [min(said_at + _HOUR, clock_moment(day, _LATE, zone))]
    else:
        before = end
        if content.get("to"):
            before = _before(day, end, said_at, zone)
        times = [max(before, said_at)]
        if end - morning > _LEAD and morning >= said_at:
            times = [morning]
            if before - morning > _LEAD:
                times.append(before)
    next_morning = clock_moment(day + _DAY, MORNING, zone)
    return [one for one in (*times, next_morning) if one >= said_at]


def _before(day: date, end: datetime, said_at: datetime, zone: tzinfo) -> datetime:
    """Return the moment before `end` at which somebody is reminded for whom others wait."""
    before = end - _LEAD
    if before < clock_moment(day, _EARLY, zone):
        evening = clock_moment(day - _DAY, _EVENING, zone)
        if evening >= said_at:
            return evening
    if before < said_at:
        return said_at + (end - said_at) / 2
    return before


def first_from(times: Iterable[datetime], since: datetime) -> datetime | None:
    """Return the first of these times, which are in order, that is not before `since`."""
    return next((moment for moment in times if moment >= since), None)


def clock_moment(day: date, clock: time, zone: tzinfo) -> datetime:
    """Return when a clock in `zone` shows this time, in UTC.

    Of a time that the clock shows twice it is the first, of one that it skips the next that it
    shows.
    """
    wall = datetime.combine(day, clock)
    while True:
        moment = wall.replace(tzinfo=zone).astimezone(UTC)
        if moment.astimezone(zone).replace(tzinfo=None) == wall:
            return moment
        wall += _MINUTE
