"""When something ends: whatever date it is told as, what is stored can be read again."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta, timezone
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import pytest
from hypothesis import given
from hypothesis import strategies as st

from memory import PersonMessage
from memory.formation.verdict import end_of
from memory.model.dates import EARLIEST, LATEST, clock_time, until

ZONES = st.sampled_from(
    ["UTC", "Asia/Tokyo", "America/Los_Angeles", "Pacific/Kiritimati"]
)
MOMENTS = st.datetimes(timezones=ZONES.map(ZoneInfo))


@given(MOMENTS)
def test_an_end_is_in_the_stored_range_or_there_is_none(moment: datetime) -> None:
    """The calendar's first and last days, in zones on both sides of Greenwich, are no error."""
    ends = until(moment)
    if moment > LATEST:
        assert ends is None
    else:
        # Of an hour that a clock shows twice Python says that no two moments are the same.
        assert ends == max(moment.astimezone(UTC), EARLIEST)
        assert ends.tzinfo is UTC


@given(st.dates(), ZONES)
def test_the_end_of_a_day_is_in_the_stored_range_or_there_is_none(
    day: date, zone: str
) -> None:
    """A day of 2099 west of Greenwich may end after the last moment that is stored."""
    ends = end_of(day, ZoneInfo(zone))
    assert ends is None or EARLIEST <= ends <= LATEST


@pytest.mark.parametrize(
    ("zone", "ends"),
    [
        ("Asia/Tokyo", LATEST - timedelta(hours=9)),
        ("UTC", LATEST),
        ("America/Los_Angeles", None),
    ],
)
def test_the_last_day_of_2099_ends_where_the_person_is(
    zone: str, ends: datetime | None
) -> None:
    """The last moment that is stored is midnight at Greenwich."""
    assert end_of(date(2099, 12, 31), ZoneInfo(zone)) == ends


@pytest.mark.parametrize(
    ("told", "read"),
    [
        ("9:30", "09:30"),
        ("17:30:00", "17:30"),
        ("23:59", "23:59"),
        ("12 AM", "00:00"),
        ("1 AM", "01:00"),
        ("12:15 pm", "12:15"),
        ("1 pm", "13:00"),
        ("11:59 PM", "23:59"),
    ],
)
def test_a_time_of_day_is_stored_with_24_hours(told: str, read: str) -> None:
    """Twelve is the first hour of both halves of the day."""
    assert clock_time(told) == read


@pytest.mark.parametrize(
    "told", ["9", "24:00", "9:60", "0 AM", "13 PM", "noon", 9, None]
)
def test_what_is_no_time_of_day_is_refused(told: object) -> None:
    """An hour alone may be a number of anything."""
    with pytest.raises(ValueError, match=r"time of day|half a day|must be in"):
        clock_time(told)


@pytest.mark.parametrize("name", [None, "JST"])
def test_a_zone_without_a_stored_name_is_refused_at_once(name: str | None) -> None:
    """An offset, as browsers tell it, is no zone: the message's day could not be read later."""
    offset = timedelta(hours=9)
    nameless = timezone(offset, name) if name else timezone(offset)
    with pytest.raises(ZoneInfoNotFoundError, match="No time zone found with key"):
        PersonMessage(text="I like tea", zone=nameless)
    assert PersonMessage(zone=ZoneInfo("Asia/Tokyo")).said_at
