"""Until when to pause, from the words after ``/memories pause``, in English and Japanese."""

from __future__ import annotations

import re
import unicodedata
from datetime import date, datetime, time, timedelta, tzinfo
from typing import Final

# Like Slack's own "until tomorrow": a day named alone begins in the morning.
MORNING: Final = time(9)
_LONGEST: Final = timedelta(days=3_660)

_NUMBERS: Final = {
    **dict(zip("一二三四五六七八九十", range(1, 11), strict=True)),
    **{
        word: number
        for number, word in enumerate(
            ("one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten"), 1
        )
    },
    "a": 1,
    "an": 1,
}
_UNITS: Final = {
    "m": timedelta(minutes=1),
    "min": timedelta(minutes=1),
    "minute": timedelta(minutes=1),
    "分": timedelta(minutes=1),
    "h": timedelta(hours=1),
    "hr": timedelta(hours=1),
    "hour": timedelta(hours=1),
    "時間": timedelta(hours=1),
    "d": timedelta(days=1),
    "day": timedelta(days=1),
    "日": timedelta(days=1),
    "w": timedelta(weeks=1),
    "week": timedelta(weeks=1),
    "週": timedelta(weeks=1),
    "month": timedelta(days=30),
    "月": timedelta(days=30),
}
_DAYS_EN: Final = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
_DAYS_JA: Final = "月火水木金土日"

_FOR: Final = re.compile(
    r"(?:for )?(?:the )?(?:next )?(?P<half>half an? )?(?P<n>\d{1,4}|[a-z]+)??"
    r" ?(?P<unit>minute|min|m|hour|hr|h|day|d|week|w|month)s?"
    r"|(?P<n_ja>\d{1,4}|[一二三四五六七八九十]) ?(?P<unit_ja>分|時間|日|週|[かヶカケ]月)間?"
    r"(?P<half_ja>半)?(?:だけ|ほど|くらい|ぐらい)?(?:の?間)?"
)
_CLOCK: Final = re.compile(
    r"(?P<hour>\d{1,2})(?:(?::|時)(?P<minute>\d{2})?分?)?(?P<half>半)? ?(?P<noon>[ap]\.?m\.?)?"
)
_DATE: Final = re.compile(r"(?:(?P<y>\d{4})[-/年])?(?P<m>\d{1,2})[-/月](?P<d>\d{1,2})日?")
_TODAY: Final = frozenset({"today", "the end of today", "the end of the day", "midnight"})
_TODAY_JA: Final = re.compile(
    r"今日(?:中|いっぱい|一杯|の終わり)?|本日(?:中|いっぱい)?|きょう(?:いっぱい)?"
)
_UNTIL_EN: Final = re.compile(r"(?:until|till|til|to) (.+)")
_UNTIL_JA: Final = re.compile(r"(.+?)まで(?:の?間)?")


class PauseNotUnderstood(Exception):
    """The words do not say until when; write for example "for 2 hours" or "until tomorrow"."""


def pause_end(words: str, now: datetime, zone: tzinfo) -> datetime | None:
    """Return the moment a pause ends, None where the words name none: until it is ended.

    `now` is aware; days and clock times are those of `zone`. Raises `PauseNotUnderstood`.
    """
    text = " ".join(unicodedata.normalize("NFKC", words).casefold().split()).strip(" .!。！、,")
    if not text:
        return None
    here = now.astimezone(zone)
    try:
        end = _after(text, here) or _until(text, here)
    except (ValueError, OverflowError):
        end = None
    if end is None or not now < end < now + _LONGEST:
        raise PauseNotUnderstood("Write for how long, or until when.")
    return end


def _after(text: str, here: datetime) -> datetime | None:
    match = _FOR.fullmatch(text)
    if match is None:
        return None
    unit = match["unit"] or match["unit_ja"]
    length = _UNITS["月" if unit.endswith("月") else unit]
    number = match["n"] or match["n_ja"]
    if number is None:
        return here + length / 2 if match["half"] else None
    if match["half"] or not (number.isdecimal() or number in _NUMBERS):
        return None
    count = int(number) if number.isdecimal() else _NUMBERS[number]
    return here + count * length + (length / 2 if match["half_ja"] else timedelta())


def _until(text: str, here: datetime) -> datetime | None:
    if match := _UNTIL_EN.fullmatch(text) or _UNTIL_JA.fullmatch(text):
        text = match[1].strip()
    if text in _TODAY or _TODAY_JA.fullmatch(text):
        return datetime.combine(here.date() + timedelta(days=1), time(), here.tzinfo)
    if (day := _day(text, here.date())) is not None:
        return datetime.combine(day, MORNING, here.tzinfo)
    if match := re.fullmatch(r"(\d{4}-\d\d-\d\d)[t ](\d\d:\d\d)(?::\d\d)?", text):
        return datetime.fromisoformat(f"{match[1]}T{match[2]}").replace(tzinfo=here.tzinfo)
    first, _, rest = text.replace("の", " ").partition(" ")
    at = _clock(rest.removeprefix("at "))
    if at is not None and (day := _day(first, here.date())) is not None:
        return datetime.combine(day, at, here.tzinfo)
    at = _clock(text)
    if at is None:
        return None
    today = datetime.combine(here.date(), at, here.tzinfo)
    return today if today > here else today + timedelta(days=1)


def _day(text: str, today: date) -> date | None:
    plain = text.removesuffix(" morning").removesuffix("の朝")
    named = {"tomorrow": 1, "明日": 1, "あした": 1, "the day after tomorrow": 2, "明後日": 2}
    if plain in named:
        return today + timedelta(days=named[plain])
    monday = today + timedelta(days=7 - today.weekday())
    if plain in ("next week", "来週"):
        return monday
    if match := re.fullmatch(
        r"(next |来週の?)?(?:([a-z]{3})[a-z]*day|([a-z]{3})|([月火水木金土日])曜日?)", plain
    ):
        name = match[2] or match[3]
        if name in _DAYS_EN or match[4]:
            number = _DAYS_JA.index(match[4]) if match[4] else _DAYS_EN.index(name)
            if (match[1] or "").startswith("来週"):
                return monday + timedelta(days=number)
            return today + timedelta(days=(number - today.weekday() - 1) % 7 + 1)
    if match := _DATE.fullmatch(plain):
        year = int(match["y"]) if match["y"] else today.year
        day = date(year, int(match["m"]), int(match["d"]))
        return day if match["y"] or day > today else day.replace(year=year + 1)
    return None


def _clock(text: str) -> time | None:
    match = _CLOCK.fullmatch(text)
    if match is None or not (match["minute"] or match["noon"] or re.search("[:時]", text)):
        return None
    hour = int(match["hour"])
    if match["noon"]:
        hour = hour % 12 + (12 if match["noon"].startswith("p") else 0)
    return time(
        hour % 24 if hour == 24 else hour, int(match["minute"] or (30 if match["half"] else 0))
    )
