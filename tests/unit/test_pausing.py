"""Until when a pause lasts, from what a person writes after the command."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.person.pausing import PauseNotUnderstood, pause_end

TOKYO = ZoneInfo("Asia/Tokyo")
# A Friday.
NOW = datetime(2026, 11, 20, 15, 30, tzinfo=TOKYO)


@pytest.mark.parametrize(
    ("words", "end"),
    [
        ("for 2 hours", "2026-11-20T17:30"),
        ("2h", "2026-11-20T17:30"),
        ("two hours", "2026-11-20T17:30"),
        ("an hour", "2026-11-20T16:30"),
        ("for half an hour", "2026-11-20T16:00"),
        ("For 30 Minutes.", "2026-11-20T16:00"),
        ("for the next 3 days", "2026-11-23T15:30"),
        ("a week", "2026-11-27T15:30"),
        ("for a month", "2026-12-20T15:30"),
        ("until tomorrow", "2026-11-21T09:00"),
        ("tomorrow", "2026-11-21T09:00"),
        ("until tomorrow at 7:15", "2026-11-21T07:15"),
        ("until the end of the day", "2026-11-21T00:00"),
        ("until Monday", "2026-11-23T09:00"),
        ("until Friday", "2026-11-27T09:00"),
        ("until next week", "2026-11-23T09:00"),
        ("till 18:00", "2026-11-20T18:00"),
        ("until 9am", "2026-11-21T09:00"),
        ("until 6 pm", "2026-11-20T18:00"),
        ("until 2026-12-24", "2026-12-24T09:00"),
        ("until 2026-12-24 18:30", "2026-12-24T18:30"),
        ("2時間", "2026-11-20T17:30"),
        ("２時間", "2026-11-20T17:30"),
        ("1時間半", "2026-11-20T17:00"),
        ("30分だけ", "2026-11-20T16:00"),
        ("三日間", "2026-11-23T15:30"),
        ("1週間", "2026-11-27T15:30"),
        ("明日まで", "2026-11-21T09:00"),
        ("今日いっぱい", "2026-11-21T00:00"),
        ("月曜まで", "2026-11-23T09:00"),
        ("来週の金曜日まで", "2026-11-27T09:00"),
        ("18時まで", "2026-11-20T18:00"),
        ("明日の10時半まで", "2026-11-21T10:30"),
        ("11月25日まで", "2026-11-25T09:00"),
        ("1月5日まで", "2027-01-05T09:00"),
    ],
)
def test_what_a_person_writes(words: str, end: str) -> None:
    """Lengths, days and clock times mean what they say, where the person is."""
    expected = datetime.fromisoformat(end).replace(tzinfo=TOKYO)
    assert pause_end(words, NOW.astimezone(UTC), TOKYO) == expected


@pytest.mark.parametrize("words", ["", "  ", "。"])
def test_nothing_is_until_it_is_ended(words: str) -> None:
    """Without words a pause has no end of its own."""
    assert pause_end(words, NOW, TOKYO) is None


@pytest.mark.parametrize(
    "words",
    [
        "soon",
        "for ever",
        "hours",
        "0 minutes",
        "for 9999 months",
        "until 25:00",
        "until 2026-13-01",
        "until 2020-01-01",
        "99月99日まで",
        "ラーメン",
        "until",
        "7",
    ],
)
def test_other_words_are_refused(words: str) -> None:
    """What says no moment to come is refused rather than guessed."""
    with pytest.raises(PauseNotUnderstood):
        pause_end(words, NOW, TOKYO)


@given(st.text(max_size=40))
def test_any_text_is_an_end_to_come_or_refused(words: str) -> None:
    """Whatever is written, a pause ends later than now or is refused."""
    try:
        end = pause_end(words, NOW, TOKYO)
    except PauseNotUnderstood:
        return
    assert end is None or NOW < end < NOW + timedelta(days=3_661)
