"""When a promise is reminded of, by the clock of whoever made it."""

from __future__ import annotations

from datetime import UTC, datetime
from uuid import uuid4
from zoneinfo import ZoneInfo

import pytest

from memory import DM
from memory.model import PROMISE_KIND
from memory.model.fold import fold_at
from memory.model.reminders import open_promise, reminder_times
from memory.model.statement import Statement

ZONES = (
    "UTC",
    "Europe/Berlin",
    "America/New_York",
    "Asia/Kathmandu",
    "Australia/Lord_Howe",
)
WEEK_BEFORE = "20 12:00"
# Said, due, who waits, the time of *Tomorrow*, and when it is reminded of: days and times of May.
TABLE = {
    "a day": (WEEK_BEFORE, "27", "", "27 09:00, 28 09:00"),
    "said on it, before nine": ("27 08:59", "27", "", "27 09:00, 28 09:00"),
    "said on it, later": ("27 14:10", "27", "", "27 15:10, 28 09:00"),
    "not after eight": ("27 19:30", "27", "", "27 20:00, 28 09:00"),
    "said at 23:59": ("27 23:59", "27", "", "28 09:00"),
    "somebody waits": (WEEK_BEFORE, "27 15:00", "Mia", "27 09:00, 27 13:00, 28 09:00"),
    "two within two hours": (WEEK_BEFORE, "27 13:00", "Mia", "27 09:00, 28 09:00"),
    "just not": (WEEK_BEFORE, "27 13:01", "Mia", "27 09:00, 27 11:01, 28 09:00"),
    "at noon": (WEEK_BEFORE, "27 12:00", "Mia", "27 09:00, 28 09:00"),
    "at eleven": (WEEK_BEFORE, "27 11:00", "Mia", "27 09:00, 28 09:00"),
    "at ten": (WEEK_BEFORE, "27 10:00", "Mia", "27 08:00, 28 09:00"),
    "at nine": (WEEK_BEFORE, "27 09:00", "Mia", "27 07:00, 28 09:00"),
    "too early": (WEEK_BEFORE, "27 08:59", "Mia", "26 18:00, 28 09:00"),
    "at night": (WEEK_BEFORE, "27 01:30", "Mia", "26 18:00, 28 09:00"),
    "too early, that evening": ("26 23:59", "27 08:00", "Mia", "27 06:00, 28 09:00"),
    "too early, that night": ("27 06:30", "27 08:00", "Mia", "27 07:15, 28 09:00"),
    "at 23:59 for nine": ("26 23:59", "27 09:00", "Mia", "27 07:00, 28 09:00"),
    "the morning has passed": ("27 09:30", "27 15:00", "Mia", "27 13:00, 28 09:00"),
    "less than two hours": ("27 14:00", "27 15:00", "Mia", "27 14:30, 28 09:00"),
    "that minute": ("27 15:00:40", "27 15:00", "Mia", "27 15:00, 28 09:00"),
    "its time has passed": ("27 15:01", "27 15:00", "Mia", "27 16:01, 28 09:00"),
    "nobody waits": (WEEK_BEFORE, "27 15:00", "", "27 09:00, 27 15:00, 28 09:00"),
    "nobody, two hours": (WEEK_BEFORE, "27 11:00", "", "27 11:00, 28 09:00"),
    "nobody, more": (WEEK_BEFORE, "27 11:01", "", "27 09:00, 27 11:01, 28 09:00"),
    "nobody, early": (WEEK_BEFORE, "27 05:00", "", "27 05:00, 28 09:00"),
    "nobody, soon": ("27 14:59", "27 15:00", "", "27 15:00, 28 09:00"),
    "nobody, that minute": ("27 15:00:40", "27 15:00", "", "27 15:00, 28 09:00"),
    "nobody, midnight": ("27 23:59:30", "28 00:05", "", "28 00:05, 29 09:00"),
    "nobody, has passed": ("27 15:01", "27 15:00", "", "27 16:01, 28 09:00"),
    "a past day": ("27 00:01", "26", "", ""),
    "a past time": ("27 00:01", "26 23:59", "Mia", ""),
    "no day": (WEEK_BEFORE, "", "", ""),
}
# What is due there is put off at 14:00 of the 27th.
PUT_OFF = ("", "27", "27 15:00", "28", "19")


def moment(month: str, text: str, zone: ZoneInfo) -> datetime:
    """Return the moment of a day and time in a month, by the clock of a zone."""
    return datetime.fromisoformat(f"{month}-{text}").replace(tzinfo=zone)


def reminded(
    month: str, said: str, due: str, to: str, zone: ZoneInfo, put_off: str = ""
) -> str:
    """Return when a promise is reminded of, as days and times of the zone's clock."""
    day, _, clock = due.partition(" ")
    content = {"promise": "the figures", "to": to or None, "due_time": clock or None}
    content["due"] = f"{month}-{day}" if day else None
    said_at = moment(month, said, zone)
    one = Statement(
        id=uuid4(),
        key="k",
        audience=DM,
        kind=PROMISE_KIND,
        act="say",
        actor="command",
        evidence="I promised Mia the figures",
        content=content,
        said_at=said_at,
        batch=uuid4(),
    )
    promise = open_promise(fold_at([one], said_at))
    assert promise is not None
    put_off_at = moment(month, put_off, zone) if put_off else None
    times = promise.times(zone, put_off_at)
    assert times == sorted(times)
    assert all(one >= said_at.astimezone(UTC) for one in times)
    return ", ".join(f"{one.astimezone(zone):%d %H:%M}" for one in times)


@pytest.mark.parametrize("name", ZONES)
@pytest.mark.parametrize("case", TABLE)
def test_when_a_promise_is_reminded_of(case: str, name: str) -> None:
    """On its day or before its time, and at nine of the next day, by the person's clock."""
    said, due, to, expected = TABLE[case]
    assert reminded("2026-05", said, due, to, ZoneInfo(name)) == expected


@pytest.mark.parametrize("name", ZONES)
@pytest.mark.parametrize("due", PUT_OFF)
def test_tomorrow_is_at_nine_of_the_next_day_whatever_was_promised(
    due: str, name: str
) -> None:
    """And once more on the day after that."""
    zone = ZoneInfo(name)
    for clicked in ("27 00:10", "27 14:00", "27 23:59"):
        found = reminded("2026-05", "18 08:00", due, "Mia", zone, clicked)
        assert found == "28 09:00, 29 09:00", clicked


@pytest.mark.parametrize(
    ("name", "month", "said", "due", "to", "expected"),
    [
        # The clock goes from 2:00 to 3:00 on the 29th: 2:30 is not shown.
        ("Europe/Berlin", "2026-03", "28 23:00", "29 02:30", "", "29 03:00, 30 09:00"),
        ("Europe/Berlin", "2026-03", "20 09:00", "28", "", "28 09:00, 29 09:00"),
        # Two hours before half past three in the morning.
        ("Europe/Berlin", "2026-03", "28 20:00", "29 03:30", "Mia", "29 00:30, 30 09:00"),
        # It goes back from 3:00 to 2:00 on the 25th: the first 2:30 of two counts.
        ("Europe/Berlin", "2026-10", "24 23:00", "25 02:30", "", "25 02:30, 26 09:00"),
        ("Europe/Berlin", "2026-10", "24 20:00", "25 04:00", "Mia", "25 02:00, 26 09:00"),
        ("America/New_York", "2026-03", "07 23:00", "08 02:30", "", "08 03:00, 09 09:00"),
        ("America/New_York", "2026-11", "01 00:30", "01 01:30", "", "01 01:30, 02 09:00"),
        # By half an hour.
        ("Australia/Lord_Howe", "2026-10", "03 22:00", "04 02:10", "", "04 02:30, 05 09:00"),
        ("Australia/Lord_Howe", "2026-04", "04 22:00", "05 01:45", "", "05 01:45, 06 09:00"),
        # A day that Samoa did not have.
        ("Pacific/Apia", "2011-12", "20 09:00", "29", "", "29 09:00, 31 00:00"),
    ],
)  # fmt: skip
def test_across_a_change_of_the_clock(
    name: str, month: str, said: str, due: str, to: str, expected: str
) -> None:
    """A time that the clock skips is the next it shows, one that it shows twice is the first."""
    assert reminded(month, said, due, to, ZoneInfo(name)) == expected


def test_two_hours_are_elapsed_time_and_a_doubled_time_is_the_first() -> None:
    """In the night in which the clock goes back there are 3 hours from 1:30 to 3:30."""
    berlin = ZoneInfo("Europe/Berlin")
    content = {"due": "2026-10-25", "due_time": "03:30", "to": "Mia"}
    said_at = datetime(2026, 10, 24, 22, tzinfo=berlin)
    before, _ = reminder_times(content, said_at, berlin)
    assert before == datetime(2026, 10, 25, 0, 30, tzinfo=UTC)
    content = {"due": "2026-10-25", "due_time": "02:30"}
    at_it, _ = reminder_times(content, said_at, berlin)
    assert at_it == datetime(2026, 10, 25, 0, 30, tzinfo=UTC)


@pytest.mark.parametrize(
    ("due", "clock"),
    [("2026-13-01", None), ("soon", "9:00"), ("9999-12-31", "23:59"), (None, "15:00")],
)
def test_what_is_no_day_is_not_reminded_of(due: str | None, clock: str | None) -> None:
    """Another tool may have written it, or the person may be far-sighted."""
    content = {"due": due, "due_time": clock}
    assert reminder_times(content, datetime(2026, 5, 20, tzinfo=UTC), UTC) == []
