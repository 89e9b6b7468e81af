"""Times as a command takes them, and the form that asks until when to pause."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from bot.ui.settings import pause_form, pause_form_errors, read_pause_form
from bot.ui.time_forms import may_end_pause, past_period, pause_end
from hypothesis import given
from hypothesis import strategies as st

from bot.locale import LANGUAGES, Language, say
from playground.blocks import view_errors

TOKYO = ZoneInfo("Asia/Tokyo")
# A Friday.
NOW = datetime(2026, 11, 20, 15, 30, tzinfo=TOKYO)


def at(text: str | None) -> datetime | None:
    """Return a moment in Tokyo."""
    return datetime.fromisoformat(text).replace(tzinfo=TOKYO) if text else None


@pytest.mark.parametrize(
    ("words", "end"),
    [
        ("30m", "2026-11-20T16:00"),
        ("2h", "2026-11-20T17:30"),
        ("3d", "2026-11-23T15:30"),
        (" 2 Hours. ", "2026-11-20T17:30"),
        ("1 minute", "2026-11-20T15:31"),
        ("today", "2026-11-21T00:00"),
        ("tomorrow", "2026-11-21T09:00"),
        ("明日", "2026-11-21T09:00"),
        ("30分", "2026-11-20T16:00"),
        ("２時間", "2026-11-20T17:30"),
        ("3日", "2026-11-23T15:30"),
        ("3日間", "2026-11-23T15:30"),
        ("今日", "2026-11-21T00:00"),
    ],
)
def test_a_pause_ends_when_its_form_says(words: str, end: str) -> None:
    """Lengths count from now; today ends at the person's midnight."""
    assert pause_end(words, NOW.astimezone(UTC), TOKYO) == at(end)


@pytest.mark.parametrize(
    ("words", "since", "until"),
    [
        ("last hour", "2026-11-20T14:30", None),
        ("the last hour", "2026-11-20T14:30", None),
        ("last 2 hours", "2026-11-20T13:30", None),
        ("2h", "2026-11-20T13:30", None),
        ("3d", "2026-11-17T15:30", None),
        ("Last 3 Days", "2026-11-17T15:30", None),
        ("today", "2026-11-20T00:00", None),
        ("yesterday", "2026-11-19T00:00", "2026-11-20T00:00"),
        ("last week", "2026-11-09T00:00", "2026-11-16T00:00"),
        ("直近1時間", "2026-11-20T14:30", None),
        ("直近2時間", "2026-11-20T13:30", None),
        ("２時間", "2026-11-20T13:30", None),
        ("今日", "2026-11-20T00:00", None),
        ("昨日", "2026-11-19T00:00", "2026-11-20T00:00"),
        ("先週", "2026-11-09T00:00", "2026-11-16T00:00"),
    ],
)
def test_a_period_lies_where_its_form_says(words: str, since: str, until: str | None) -> None:
    """Lengths reach back from now; days and weeks are those of the person."""
    assert past_period(words, NOW.astimezone(UTC), TOKYO) == (at(since), at(until))


@pytest.mark.parametrize(
    "words",
    [
        "",
        "soon",
        "for ever",
        "hours",
        "0h",
        "-2h",
        "7",
        "until tomorrow",
        "next friday",
        "ラーメン",
    ],
)
def test_other_words_are_no_time(words: str) -> None:
    """What has none of the forms is not guessed at."""
    assert pause_end(words, NOW, TOKYO) is None
    assert past_period(words, NOW, TOKYO) is None


def test_each_form_is_of_its_command() -> None:
    """Yesterday ends no pause, and one longer than ten years is none."""
    for words in ("yesterday", "last week", "last hour", "9999d"):
        assert pause_end(words, NOW, TOKYO) is None


@given(st.text(max_size=40) | st.from_regex(r"\d{1,5} ?(m|h|d|minutes|時間|日)", fullmatch=True))
def test_any_text_is_a_time_or_none(words: str) -> None:
    """Whatever is typed, a pause ends later than now, and a period began before."""
    end = pause_end(words, NOW, TOKYO)
    assert end is None or may_end_pause(end, NOW)
    period = past_period(words, NOW, TOKYO)
    assert period is None or period[0] < (period[1] or NOW)


def submitted(language: Language, until: datetime) -> dict[str, Any]:
    """Return the form as Slack submits it with another moment."""
    view = pause_form(language, TOKYO, "abc")
    [block] = [one for one in view["blocks"] if one["type"] == "input"]
    chosen = {"selected_date_time": int(until.timestamp())}
    return {**view, "state": {"values": {block["block_id"]: {"value": chosen}}}}


@pytest.mark.parametrize("language", LANGUAGES)
def test_the_form_is_valid_and_begins_with_tomorrow(language: Language) -> None:
    """Slack takes the form, which names what is no time; tomorrow morning is chosen in it."""
    view = pause_form(language, TOKYO, "a <while>")
    assert view_errors(view) == []
    unread = say(language, "pause_unread", words="a &lt;while&gt;")
    assert view["blocks"][0]["text"]["text"] == unread
    [block] = [one for one in view["blocks"] if one["type"] == "input"]
    chosen = datetime.fromtimestamp(block["element"]["initial_date_time"], TOKYO)
    tomorrow = datetime.now(TOKYO).date() + timedelta(days=1)
    assert (chosen.date(), chosen.hour, chosen.minute) == (tomorrow, 9, 0)


@pytest.mark.parametrize("language", LANGUAGES)
def test_the_form_takes_a_moment_to_come(language: Language) -> None:
    """A moment to come is read as it was chosen; a past one is an error below the field."""
    later = datetime.now(UTC).replace(microsecond=0) + timedelta(hours=3)
    view = submitted(language, later)
    assert pause_form_errors(view) == {}
    assert read_pause_form(view) == later
    for wrong in (timedelta(minutes=-1), timedelta(days=4_000)):
        view = submitted(language, datetime.now(UTC) + wrong)
        [sentence] = pause_form_errors(view).values()
        assert sentence == say(language, "pause_past")
