"""When something ends: whatever date it is told as, what is stored can be read again."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from memory.formation.verdict import end_of
from memory.model.dates import EARLIEST, LATEST, until

ZONES = st.sampled_from(["UTC", "Asia/Tokyo", "America/Los_Angeles", "Pacific/Kiritimati"])
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
def test_the_end_of_a_day_is_in_the_stored_range_or_there_is_none(day: date, zone: str) -> None:
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
def test_the_last_day_of_2099_ends_where_the_person_is(zone: str, ends: datetime | None) -> None:
    """The last moment that is stored is midnight at Greenwich."""
    assert end_of(date(2099, 12, 31), ZoneInfo(zone)) == ends
