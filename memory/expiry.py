"""Until when what was said holds: "until Friday", 「来月まで」, read against the day it was said.

A small grammar rather than a date parser: docs/decisions/0007-until-when.md has the measurement.
Where words leave room, the latest sensible reading counts: a memory that goes late is a nuisance,
one that goes early is lost.
"""

from __future__ import annotations

import re
from calendar import monthrange
from collections.abc import Iterator, Mapping
from datetime import UTC, date, datetime, time, timedelta, tzinfo

from memory.clauses import fold
from memory.days import JA_POINTS, POINTS, WEEKDAY, heard, last_day, months_on

MAX_TEXT = 2_000
_ENGLISH = ("one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten")
_JAPANESE = "一二三四五六七八九十"
_NUMBERS = (
    dict(zip(_ENGLISH, range(1, 11), strict=True))
    | dict(zip(_JAPANESE, range(1, 11), strict=True))
    | {"a": 1, "an": 1, "a couple of": 2, "eleven": 11, "twelve": 12}
)
_NUMBER = (
    r"(?P<number>\d{1,3}|a couple of|an?|one|two|three|four|five|six|seven|eight|nine|ten|eleven"
    r"|twelve)"
)
_LENGTH = rf"(?:{_NUMBER} (?:more )?)?(?P<unit>hour|day|week|fortnight|month|year)s?\b"

_UNTIL = re.compile(r"\b(?:until|till|'?til|through|thru|up to(?: and including)?) ")
_FOR_PERIOD = re.compile(
    r"\b(?:(?:just |only )?for |only |just )(?:the rest of )?(?=(?:today|tonight|tomorrow"
    r"|the (?:day|week|month|quarter|year)|(?:this|next) (?:week(?:end)?|month|quarter|year))\b)"
)
_PERIOD_ONLY = re.compile(
    r"\b(?=(?:today|tonight|tomorrow|(?:this|next) (?:week(?:end)?|month|quarter|year)) only\b)"
)
_FOR_LENGTH = re.compile(
    r"\bfor (?P<ahead>(?:just |only )?(?:the )?(?:next|coming) |another )?"
    rf"(?:just |only |about |around |the )?{_LENGTH}"
)
_CLOCK = re.compile(
    r"\b(?:until|till|'?til) (?P<hour>\d{1,2})(?::(?P<minute>\d\d))? ?(?P<half>[ap])\.?m\b"
    r"|\b(?:until|till|'?til) (?P<hour24>\d{1,2}):(?P<minute24>\d\d)\b"
    r"|\b(?:until|till|'?til) (?P<named>noon|midnight)\b"
)
_ABOUT_TODAY = re.compile(
    r"\b(?:today|tonight|this (?:morning|afternoon|evening))\b|今日|本日|今夜"
)

_HABIT = re.compile(
    r"\b(?:every|each|daily|weekly|always|usually|often|normally|at a time|per|(?:a|times a) day"
    r"|(?:week|mon|tues|wednes|thurs|fri|satur|sun)(?:day|end)s)\b"
    r"|毎(?:日|週|月|年|朝|晩|回)|いつも|普段|ふだん|たいてい|1日に?\d+時間"
)
_PAST = re.compile(
    r"\b(?:was|were|had|did|used to|lived|worked|stayed|studied|ate|went|learned|been|ago|since)\b"
    r"|\b(?:past|last) (?:\w+ )?(?:day|week|month|year)s?\b"
)
_AHEAD = re.compile(
    r"\b(?:i'm|i am|we're|is|are|am|will|i'll|we'll|won't|can't|cannot|can|don't|do not|not|no|need"
    r"|must|have to|going to|plan\w*|please|avoid\w*|staying|starting|keep|only)\b"
)
_SO_FAR = re.compile(
    r"\b(?:\w+'ve|have|has|had)\b(?! to\b)|\b(?:past|last|since|ago|already|experience|after)\b"
)
_RANGE = re.compile(
    rf"\b{WEEKDAY} ?(?:to|-|through|thru|until|till) {WEEKDAY}"
    r"|[月火水木金土日]曜?日?から[月火水木金土日]"
)
_NAMED_WEEK = re.compile(r"\b(?:this|next)\b|今週|来週|再来週")

# 「まで」 says how long; 「までに」 names a deadline.
_JA_END = re.compile(
    r"(?:の?(?:間|あいだ))?(?:まで(?!に)|いっぱい|一杯|限り|かぎり|限定|だけ(?!で)|のみ|中は"
    r"|中(?:ずっと|、)|の間)"
)
_JA_LENGTH = re.compile(
    r"(?P<ahead>あと|今後|これから|向こう|今日から|本日から|明日から|来週から|今から)?の?"
    r"(?P<number>\d{1,3}|[一二三四五六七八九十])"
    r"(?P<unit>時間|日|週|[ヶかカケヵ箇]月|年)(?P<span>間)?(?![半目前])"
    r"|(?P<half_ahead>あと|今後|これから|向こう|今日から|今から)?(?P<half>半年"
    r"|半月)(?P<half_span>間)?"
)
_JA_OVER = re.compile(
    r"(?:た|んだ|[てで]い?ます|[てで]い?る|中です|中だ|中|[てで]い?ません|[てで]い?ない)"
    r"(?:が|けど|けれど|ので|から|し|よ|ね|な|、|。|!|\s|$)"
)
_JA_DECIDED = re.compile(r"(?:ことに|予定|つもり|決め|なり|なっ|始め|取[っり]|もら)")
_JA_COMING = re.compile(r"来週|再来週|来月|再来月|来年|再来年|明日|あした|明後日|あさって")


def until(text: str, said_at: datetime, zone: tzinfo) -> datetime | None:
    """Return the moment (UTC) from which what `text` says no longer holds, or None.

    A day, week, month or year named ends with its last day in `zone`; so does a number of days or
    more; hours count from `said_at` (aware). Deadlines ("by Friday", 「金曜までに」), habits and
    the past end nothing.
    """
    said = re.sub(r"\s+", " ", fold(text[:MAX_TEXT]))
    now = said_at.astimezone(zone)
    moments = [
        moment
        for found in (_english(said, now), _japanese(said, now))
        for moment in found
        if moment > said_at
    ]
    return max(moments).astimezone(UTC) if moments else None


# --- English -------------------------------------------------------------------------------


def _english(text: str, now: datetime) -> Iterator[datetime]:
    over = bool(_PAST.search(text)) and not _AHEAD.search(text)
    ranged = bool(_RANGE.search(text)) and not _NAMED_WEEK.search(text)
    if not over:
        if not _HABIT.search(text):
            yield from _clocks(text, now)
        for marker in (_UNTIL, _FOR_PERIOD, _PERIOD_ONLY):
            for found in marker.finditer(text):
                point = _first(POINTS, text, found.end())
                if point and not (ranged and point.get("weekday")):
                    yield from _ends(last_day(point, now.date()), now)
    for length in _FOR_LENGTH.finditer(text):
        part = length.groupdict()
        ahead = bool(part["ahead"])
        if ahead or (_AHEAD.search(text) and not _SO_FAR.search(text) and not _HABIT.search(text)):
            yield from _after(part["number"] or "one", part["unit"], now)


def _clocks(text: str, now: datetime) -> Iterator[datetime]:
    if not (_ABOUT_TODAY.search(text) or re.search(r"\b(?:i'm|i am|i'll be|will be)\b", text)):
        return
    for found in _CLOCK.finditer(text):
        if found["named"]:
            hour, minute = (12, 0) if found["named"] == "noon" else (24, 0)
        elif found["half"]:
            hour = int(found["hour"]) % 12 + 12 * (found["half"] == "p")
            minute = int(found["minute"] or 0)
        else:
            hour, minute = int(found["hour24"]), int(found["minute24"])
        yield from _at(hour, minute, now)


# --- Japanese ------------------------------------------------------------------------------


def _japanese(text: str, now: datetime) -> Iterator[datetime]:
    over = bool(_JA_OVER.search(text)) and not _JA_DECIDED.search(text)
    ranged = bool(_RANGE.search(text)) and not _NAMED_WEEK.search(text)
    for end in _JA_END.finditer(text):
        for pattern in JA_POINTS:
            found = re.search(rf"{pattern}$", text[max(0, end.start() - 20) : end.start()])
            point = heard(found) if found else {}
            # 「3日だけ」 are three days, 「3日まで」 is the third.
            if not found or ("ordinal" in point and "まで" not in end.group()):
                continue
            was = over and not _JA_COMING.search(found.group()) and "まで" in end.group()
            if not was and not (ranged and point.get("weekday")):
                yield from _ends(last_day(point, now.date()), now)
            break
    if not _HABIT.search(text):
        for clock in re.finditer(r"(?<!\d)(\d{1,2})時(?:(\d{1,2})分|(半))?まで(?!に)", text):
            if _ABOUT_TODAY.search(text):
                minute = 30 if clock[3] else int(clock[2] or 0)
                yield from _at(int(clock[1]), minute, now)
        for length in _JA_LENGTH.finditer(text):
            part = heard(length)
            ahead = part.get("ahead") or part.get("half_ahead")
            if not ahead and (over or not (part.get("span") or part.get("half_span"))):
                continue
            if part.get("unit") == "時間" and not ahead:
                continue
            if half := part.get("half"):
                yield from _after(
                    "6" if half == "半年" else "15", "月" if half == "半年" else "日", now
                )
            else:
                yield from _after(part["number"], part["unit"], now)


def _first(patterns: tuple[str, ...], text: str, position: int) -> Mapping[str, str] | None:
    for pattern in patterns:
        if found := re.compile(pattern).match(text, position):
            return heard(found)
    return None


def _ends(day: date | None, now: datetime) -> Iterator[datetime]:
    if day is not None and day < date.max:
        yield datetime.combine(day + timedelta(days=1), time(), now.tzinfo)


def _at(hour: int, minute: int, now: datetime) -> Iterator[datetime]:
    if hour > 24 or minute > 59:
        return
    moment = datetime.combine(now.date(), time(), now.tzinfo)
    day, hour = divmod(hour, 24)
    moment = moment.replace(hour=hour, minute=minute) + timedelta(days=day)
    yield moment if moment > now else moment + timedelta(days=1)


def _after(number: str, unit: str, now: datetime) -> Iterator[datetime]:
    count = int(number) if number.isdecimal() else _NUMBERS[number]
    if unit in ("hour", "時間"):
        yield (now.astimezone(UTC) + timedelta(hours=count)).astimezone(now.tzinfo)
        return
    days = {"day": 1, "日": 1, "week": 7, "週": 7, "fortnight": 14}.get(unit)
    if days:
        yield from _ends(now.date() + timedelta(days=days * count), now)
        return
    months = count * (12 if unit in ("year", "年") else 1)
    year, month = months_on(now.date(), months)
    day = min(now.day, monthrange(year, month)[1])
    yield from _ends(date(year, month, day), now)
