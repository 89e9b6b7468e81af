"""Until when: what a clause says about its own end, read against the day it was said."""

from __future__ import annotations

from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from memory.expiry import until

TOKYO = ZoneInfo("Asia/Tokyo")
NEW_YORK = ZoneInfo("America/New_York")
# A Wednesday.
SAID = datetime(2026, 11, 18, 9, 30, tzinfo=UTC)

LAST_DAYS = [
    ("I'm vegetarian until Friday", "2026-11-20"),
    ("I'm on call till Sunday.", "2026-11-22"),
    ("I'm in Osaka through Thursday", "2026-11-19"),
    ("I can't eat sushi until next Friday", "2026-11-27"),
    ("I'm not drinking until tomorrow", "2026-11-19"),
    ("I'm vegan until the end of next month", "2026-12-31"),
    ("No coffee for me till the end of the month", "2026-11-30"),
    ("I'm staying in Kyoto until the end of the week", "2026-11-22"),
    ("I'm working on the migration until the end of the quarter", "2026-12-31"),
    ("I'm off sugar for two weeks", "2026-12-02"),
    ("I'm in Berlin for the next 3 days", "2026-11-21"),
    ("I'll be on a diet for a month", "2026-12-18"),
    ("I'm avoiding gluten for another couple of weeks", None),
    ("I'm avoiding gluten for a couple of weeks", "2026-12-02"),
    ("I'm out of office until December 5", "2026-12-05"),
    ("I'm out of office until Dec 5th, 2027", "2027-12-05"),
    ("I'm on leave until 5 January", "2027-01-05"),
    ("I'm in Tokyo until March", "2027-03-31"),
    ("I'm away until the 3rd", "2026-12-03"),
    ("My visa is valid until 2027-06-30", "2027-06-30"),
    ("I'm on this project until 2028", "2028-12-31"),
    ("I'm in the Paris office until next month", "2026-12-31"),
    ("I'm eating vegan this week only", "2026-11-22"),
    ("No meat for me, just for today", "2026-11-18"),
    ("I'm low carb for the rest of the year", "2026-12-31"),
    ("I'm off work until Christmas", "2026-12-25"),
    ("I decided I will fast until Friday", "2026-11-20"),
    ("来月までベジタリアンです", "2026-12-31"),
    ("金曜まで京都にいます", "2026-11-20"),
    ("金曜日までは肉を食べません", "2026-11-20"),
    ("今週いっぱい在宅勤務です", "2026-11-22"),
    ("3日間断酒します", "2026-11-21"),
    ("これから二週間、糖質制限します", "2026-12-02"),
    ("来週の金曜まで出張です", "2026-11-27"),
    ("今月末まで大阪にいます", "2026-11-30"),
    ("今月いっぱいは肉を食べない", "2026-11-30"),
    ("年内はこの案件を担当、年末までです", "2026-12-31"),
    ("12月5日まで休みます", "2026-12-05"),
    ("3月までロンドン勤務です", "2027-03-31"),
    ("来年3月まで育休です", "2027-03-31"),
    ("今日だけベジタリアンです", "2026-11-18"),
    ("明日までダイエット中です", "2026-11-19"),
    ("年度末までこのチームにいます", "2027-03-31"),
    ("あと3日だけ禁煙です", "2026-11-21"),
    ("今後1ヶ月は酒を飲みません", "2026-12-18"),
    ("来月まで休むことにしました", "2026-12-31"),
    ("再来週まで有給です", "2026-12-06"),
    ("半年間パリにいます", "2027-05-18"),
    ("20日まで有給です", "2026-11-20"),
    ("週末まで禁酒します", "2026-11-22"),
]

ENDLESS = [
    "I love ramen",
    "I've been vegetarian for two weeks",
    "I lived in Osaka for three years",
    "I lived in Osaka until 2019",
    "I was in Tokyo until Friday",
    "I work Monday through Friday",
    "I usually work until 6pm",
    "I work until 6pm",
    "I study Rust for two hours every day",
    "I have to finish the report by Friday",
    "I'm vegetarian until further notice",
    "I'm busy until I finish this",
    "I'm learning Rust this week",
    "I've used Go for the past 2 years",
    "I'm good at Go after working with it for 3 years",
    "I'm at home until the 32nd",
    "I want to travel through Japan",
    "I may go to Kyoto",
    "I can't wait until dinner",
    "I love fries, I mean chips",
    "ラーメンが好きです",
    "東京まで電車で通っています",
    "これまで肉を食べたことがない",
    "今まで大阪にいました",
    "最後まで諦めません",
    "金曜までにレポートを出します",
    "先月まで大阪に住んでいました",
    "3年間東京に住んでいます",
    "3年間大阪に住んでいました",
    "金曜まで東京にいました",
    "月曜から金曜まで働いています",
    "毎日18時まで働いています",
    "仕事は18時までです",
    "毎日2時間勉強します",
    "5階まで歩きます",
    "今週はラーメンを食べた",
    "13月まで休みます",
    "2日目です",
    "",
]


def last_day(text: str, said_at: datetime = SAID, zone: ZoneInfo = TOKYO) -> date | None:
    """Return the last whole day on which it holds, in the zone."""
    moment = until(text, said_at, zone)
    if moment is None:
        return None
    local = moment.astimezone(zone)
    assert local.time() == time(), "A day ends with its last moment."
    return local.date() - timedelta(days=1)


@pytest.mark.parametrize(("text", "expected"), LAST_DAYS)
def test_last_days(text: str, expected: str | None) -> None:
    """The last day that the words name is found; where they leave room, the latest."""
    assert last_day(text) == (date.fromisoformat(expected) if expected else None)


@pytest.mark.parametrize("text", ENDLESS)
def test_words_without_an_end(text: str) -> None:
    """Deadlines, habits, the past and what is not a date end nothing."""
    assert until(text, SAID, TOKYO) is None


@pytest.mark.parametrize(
    ("text", "moment"),
    [
        ("I'm in meetings until 8pm today", datetime(2026, 11, 18, 20, 0, tzinfo=TOKYO)),
        ("I'm busy until 20:15", datetime(2026, 11, 18, 20, 15, tzinfo=TOKYO)),
        ("I'm busy until noon", datetime(2026, 11, 19, 12, 0, tzinfo=TOKYO)),
        ("I'll be away until midnight", datetime(2026, 11, 19, 0, 0, tzinfo=TOKYO)),
        ("I'm offline for 2 hours", datetime(2026, 11, 18, 20, 30, tzinfo=TOKYO)),
        ("今日は20時まで会議です", datetime(2026, 11, 18, 20, 0, tzinfo=TOKYO)),
        ("今から3時間は集中します", datetime(2026, 11, 18, 21, 30, tzinfo=TOKYO)),
    ],
)
def test_hours(text: str, moment: datetime) -> None:
    """Hours end at the clock's time in the zone, or count from when it was said."""
    assert until(text, SAID, TOKYO) == moment


def test_the_day_is_the_persons() -> None:
    """Late in the evening in New York it is tomorrow already in Tokyo: the person's day counts."""
    said_at = datetime(2026, 11, 19, 2, 0, tzinfo=UTC)
    assert last_day("no meat for me, just for today", said_at, TOKYO) == date(2026, 11, 19)
    assert last_day("no meat for me, just for today", said_at, NEW_YORK) == date(2026, 11, 18)


def test_a_weekday_named_on_itself_is_the_next_one() -> None:
    """ "Until Wednesday", said on a Wednesday, is the next: too late is better than too early."""
    assert last_day("I'm off until Wednesday") == date(2026, 11, 25)
    assert last_day("水曜まで休みます") == date(2026, 11, 25)


ENDING = st.sampled_from([text for text, _ in LAST_DAYS])
ZONES = st.sampled_from(["UTC", "Asia/Tokyo", "America/New_York", "Pacific/Apia", "Asia/Beirut"])
MOMENTS = st.integers(1_600_000_000, 2_000_000_000).map(lambda s: datetime.fromtimestamp(s, UTC))


@given(ENDING | st.text(max_size=60), MOMENTS, ZONES)
def test_an_end_is_always_ahead(text: str, said_at: datetime, zone: str) -> None:
    """Whatever is said, whenever and wherever, its end lies after it, in UTC."""
    moment = until(text, said_at, ZoneInfo(zone))
    assert moment is None or (moment > said_at and moment.tzinfo is UTC)


@given(ENDING, MOMENTS, st.timedeltas(timedelta(), timedelta(days=400)), ZONES)
def test_said_later_it_ends_no_earlier(
    text: str, said_at: datetime, later: timedelta, zone: str
) -> None:
    """The same words said later never end earlier."""
    first = until(text, said_at, ZoneInfo(zone))
    second = until(text, said_at + later, ZoneInfo(zone))
    assert first is None or second is None or first <= second


@given(st.sampled_from(["until Friday", "金曜まで"]), MOMENTS, ZONES)
def test_the_end_of_a_weekday_is_the_end_of_that_weekday(
    words: str, said_at: datetime, zone: str
) -> None:
    """The last day of "until Friday" is a Friday within the next week, whole."""
    moment = until(f"I'm away {words}", said_at, ZoneInfo(zone))
    assert moment is not None
    last = (moment.astimezone(ZoneInfo(zone)) - timedelta(seconds=1)).date()
    today = said_at.astimezone(ZoneInfo(zone)).date()
    assert last.weekday() == 4
    assert 1 <= (last - today).days <= 7


@pytest.mark.timeout(20)
@pytest.mark.parametrize(
    "piece", ["until ", "for the next ", "1日まで", "月", "until 1/", "for 1 "]
)
def test_endless_texts_are_read(piece: str) -> None:
    """40,000 characters made to be slow are read."""
    until(piece * (40_000 // len(piece)), SAID, TOKYO)
