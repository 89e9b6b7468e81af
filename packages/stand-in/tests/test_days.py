"""The days that words name: none is earlier than was said, and what is not certain is asked."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from kioku_stand_in.days import due, named_in

MONDAY = datetime(2026, 11, 30, 10, 0, tzinfo=UTC)
WEEK = [MONDAY + timedelta(days=days) for days in range(7)]
DAYS = {f"{day:%A}": "月火水木金土日"[day.weekday()] for day in WEEK}


def due_by(words: str, now: datetime) -> str:
    """The day by which something is due that was said at this time; "" if it must be asked."""
    return due(named_in(words), now).get("due", "")


@pytest.mark.parametrize("now", WEEK)
def test_a_day_of_the_week_is_the_one_that_was_said(now: datetime) -> None:
    """The next one, the day before it, that of the next week, and only for certain “next”."""
    monday = now - timedelta(days=now.weekday())
    for number, (english, japanese) in enumerate(DAYS.items()):
        ahead = (number - now.weekday() - 1) % 7 + 1
        day = f"{now + timedelta(days=ahead):%Y-%m-%d}"
        before = f"{now + timedelta(days=ahead - 1):%Y-%m-%d}"
        of_next_week = f"{monday + timedelta(days=7 + number):%Y-%m-%d}"
        of_the_week_after = f"{monday + timedelta(days=14 + number):%Y-%m-%d}"
        assert due_by(f"by {english}", now) == due_by(f"{japanese}曜まで", now) == day
        assert due_by(f"before {english}", now) == before
        assert due_by(f"{japanese}曜日より前に", now) == before
        assert due_by(f"by {english} next week", now) == of_next_week
        assert due_by(f"来週の{japanese}曜までに", now) == of_next_week
        assert due_by(f"再来週の{japanese}曜に", now) == of_the_week_after
        is_certain = number <= now.weekday()
        assert due_by(f"next {english}", now) == (of_next_week if is_certain else "")


@pytest.mark.parametrize(
    "words",
    [
        *("next week", "this week", "soon", "after Tuesday", "not before Friday"),
        *("by Tuesday in two weeks", "two days before Friday", "by 3/12", "by Q1"),
        *(
            "by Friday of the week after next",
            "Friday or Monday",
            "the Monday after next",
        ),
        *(
            "next month on the 5th",
            "on February 30",
            "in a couple of hours",
            "by year end",
        ),
        *(
            "来週中に",
            "そのうち",
            "金曜以降に",
            "金曜の翌日までに",
            "明日の次の日に",
            "次の次の金曜",
        ),
        *(
            "12月の第2金曜に",
            "来年の3月5日に",
            "毎月5日に",
            "3営業日以内に",
            "来週か再来週に",
        ),
    ],
)
def test_a_day_that_is_not_certain_is_asked_for(words: str) -> None:
    """No day is better than one that may be too early."""
    assert due_by(words, MONDAY) == ""


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        ("by Friday, December 11", "2026-12-11"),
        ("by the end of the month", "2026-11-30"),
        ("the 29th", "2026-12-29"),
        ("on January 4", "2027-01-04"),
        ("in half an hour", "2026-11-30 10:30"),
        ("before Friday noon", "2026-12-04 12:00"),
        ("at 3", "2026-11-30 15:00"),
        ("at 9", "2026-12-01 09:00"),
        ("金曜の１５時までに", "2026-12-04 15:00"),
        ("1時間半後に", "2026-11-30 11:30"),
        ("明日の夜8時に", "2026-12-01 20:00"),
    ],
)
def test_dates_and_times(words: str, expected: str) -> None:
    """A date has the weekday that stands beside it; a time without a day is the next one."""
    assert " ".join(due(named_in(words), MONDAY).values()) == expected
