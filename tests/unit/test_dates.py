"""Moments as people read them."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from bot.ui.dates import day, minute, plain_day, plain_minute, plain_moment

from bot.locale import Language

TOKYO = ZoneInfo("Asia/Tokyo")
# Already the next day in Tokyo.
LATE = datetime(2026, 11, 20, 20, 5, tzinfo=UTC)


@pytest.mark.parametrize(
    ("language", "shown", "with_time"),
    [
        ("en", "Nov 21, 2026", "Nov 21, 2026, 5:05 AM"),
        ("ja", "2026年11月21日", "2026年11月21日 5:05"),
    ],
)
def test_a_day_is_that_of_the_person(language: Language, shown: str, with_time: str) -> None:
    """Date and time are those of the person's zone, written as their language writes them."""
    assert plain_day(LATE, TOKYO, language) == shown
    assert plain_minute(LATE, TOKYO, language) == with_time
    assert day(LATE, TOKYO, language) == f"<!date^1795205100^{{date_short}}|{shown}>"
    token = f"<!date^1795205100^{{date_short}} {{time}}|{with_time}>"
    assert minute(LATE, TOKYO, language) == token


@pytest.mark.parametrize("language", ["en", "ja"])
def test_today_goes_without_saying(language: Language) -> None:
    """Of today only the time is told, of yesterday the date too."""
    now = datetime.now(TOKYO)
    whole = plain_minute(now, TOKYO, language)
    assert whole.endswith(plain_moment(now, TOKYO, language))
    assert whole != plain_moment(now, TOKYO, language)
    before = now - timedelta(days=1)
    assert plain_moment(before, TOKYO, language) == plain_minute(before, TOKYO, language)
