"""Days as people name them, in English and Japanese: patterns, and the day that is meant."""

from __future__ import annotations

import re
from calendar import monthrange
from collections.abc import Mapping
from datetime import date, timedelta

_DAYS = "mon|tue|wed|thu|fri|sat|sun"
WEEKDAY = (
    r"(?:mon(?:day)?|tue(?:s(?:day)?)?|wed(?:nesday)?|thu(?:r(?:s(?:day)?)?)?|fri(?:day)?"
    r"|sat(?:urday)?|sun(?:day)?)\b"
)
_MONTHS = "jan|feb|mar|apr|may|jun|jul|aug|sep|oct|nov|dec"
_MONTH = (
    r"(?:jan(?:uary)?|feb(?:ruary)?|mar(?:ch)?|apr(?:il)?|may|june?|july?|aug(?:ust)?"
    r"|sept?(?:ember)?|oct(?:ober)?|nov(?:ember)?|dec(?:ember)?)\b"
)
_YEAR = r"(?:,? ?(?P<year>20\d\d))?\b"
POINTS = (
    r"(?:the )?end of (?:the |this )?(?P<end_next>next )?(?P<end_of>day|week|month|quarter|year)\b",
    rf"(?:the )?end of (?P<end_month>{_MONTH}){_YEAR}",
    rf"(?:the )?(?P<which>this|next|coming)? ?(?P<weekday>{WEEKDAY})",
    r"(?P<day_name>today|tonight|tomorrow|the day after tomorrow)\b",
    r"(?:this |the )?(?P<period_next>next |coming )?(?P<period>week(?:end)?|month|quarter|year)\b",
    rf"(?P<day_first>\d{{1,2}})(?:st|nd|rd|th)? (?:of )?(?P<month_last>{_MONTH}){_YEAR}",
    rf"(?P<month>{_MONTH})(?: (?P<month_day>\d{{1,2}})(?!\d)(?:st|nd|rd|th)?)?{_YEAR}",
    r"(?:the )?(?P<ordinal>\d{1,2})(?:st|nd|rd|th)\b",
    r"(?P<iso_year>20\d\d)[-/.](?P<iso_month>\d{1,2})[-/.](?P<iso_day>\d{1,2})\b",
    r"(?P<slash_one>\d{1,2})/(?P<slash_two>\d{1,2})(?!\d|/)",
    r"(?P<only_year>20\d\d)\b(?![-/.]\d)",
    r"(?P<feast>christmas|new year(?:'s)?(?: eve| day)?)\b",
)
_FEASTS = {"christmas": (12, 25), "new year": (1, 1), "new year's eve": (12, 31)}

JA_POINTS = (
    r"(?P<day_name>今日|本日|今夜|明日|あした|明後日|あさって)",
    r"(?P<week>今週|来週|再来週)(?:末|の?(?P<week_day>[月火水木金土日])曜?日?)?",
    r"(?P<at_month>今月|来月|再来月)(?:末|の?(?P<at_day>\d{1,2})日)?",
    r"(?P<at_year>今年|本年|年内|来年|年度末|年末|再来年)(?:度末|末"
    r"|の?(?P<year_month>\d{1,2})月末?)?",
    r"(?P<weekday>[月火水木金土日])曜日?",
    r"(?P<period>週末|月末)",
    r"(?:(?P<year>20\d\d)年)?(?P<month>\d{1,2})月(?:末|の?(?P<month_day>\d{1,2})日)?",
    r"(?P<iso_year>20\d\d)[-/.](?P<iso_month>\d{1,2})[-/.](?P<iso_day>\d{1,2})",
    r"(?<![\d/])(?P<slash_one>\d{1,2})/(?P<slash_two>\d{1,2})",
    r"(?P<only_year>20\d\d)年末?",
    r"(?<!\d)(?P<ordinal>\d{1,2})日",
)


def heard(found: re.Match[str]) -> dict[str, str]:
    """Return the named parts of a match that are there."""
    return {name: value.strip() for name, value in found.groupdict().items() if value}


def months_on(day: date, months: int) -> tuple[int, int]:
    """Return the year and month so many months after that of `day`."""
    count = day.year * 12 + day.month - 1 + months
    return count // 12, count % 12 + 1


def _end_of_month(day: date, months: int = 0) -> date:
    year, month = months_on(day, months)
    return date(year, month, monthrange(year, month)[1])


def _end_of_week(day: date, weeks: int = 0) -> date:
    return day + timedelta(days=6 - day.weekday() + 7 * weeks)


def last_day(point: Mapping[str, str], today: date) -> date | None:
    """Return the last day of what was named, the next such day where several fit."""
    try:
        return _named_day(point, today)
    except ValueError:  # 31 June
        return None


def _named_day(point: Mapping[str, str], today: date) -> date | None:
    if name := point.get("day_name"):
        return today + timedelta(days=_DAY_NAMES.get(name, 0))
    if name := point.get("weekday"):
        return _next_weekday(name, point.get("which"), today)
    if name := point.get("week"):
        weeks = ("今週", "来週", "再来週").index(name)
        sunday = _end_of_week(today, weeks)
        wanted = point.get("week_day")
        return sunday - timedelta(days=6 - "月火水木金土日".index(wanted)) if wanted else sunday
    if name := point.get("at_month"):
        end = _end_of_month(today, ("今月", "来月", "再来月").index(name))
        return end.replace(day=int(point["at_day"])) if "at_day" in point else end
    if name := point.get("at_year"):
        return _ja_year(name, point.get("year_month"), today)
    for name, ahead in (("end_of", "end_next"), ("period", "period_next")):
        if name in point:
            return _end_of(point[name], today, int(ahead in point))
    if feast := point.get("feast"):
        month, day = _FEASTS.get(feast.replace("new year's day", "new year"), (1, 1))
        return _next_date(month, day, None, today)
    return _calendar_day(point, today)


_DAY_NAMES = {"tomorrow": 1, "明日": 1, "あした": 1} | dict.fromkeys(
    ("the day after tomorrow", "明後日", "あさって"), 2
)


def _next_weekday(name: str, which: str | None, today: date) -> date:
    number = (
        "月火水木金土日".index(name)
        if name in "月火水木金土日"
        else _DAYS.split("|").index(name[:3])
    )
    if which == "next":
        return _end_of_week(today, 1) - timedelta(days=6 - number)
    return today + timedelta(days=(number - today.weekday() - 1) % 7 + 1)


def _end_of(period: str, today: date, ahead: int) -> date:
    if period == "day":
        return today
    if period in ("week", "weekend", "週末"):
        return _end_of_week(today, ahead)
    if period in ("month", "月末"):
        return _end_of_month(today, ahead)
    if period == "quarter":
        return _end_of_month(today, (-today.month) % 3 + 3 * ahead)
    return date(today.year + ahead, 12, 31)


def _ja_year(name: str, month: str | None, today: date) -> date:
    if name == "年度末":
        return _next_date(3, 31, None, today)
    year = today.year + {"来年": 1, "再来年": 2}.get(name, 0)
    return _end_of_month(date(year, int(month or 12), 1))


def _calendar_day(point: Mapping[str, str], today: date) -> date | None:
    year = int(point["year"]) if "year" in point else None
    if "iso_year" in point:
        return date(*(int(point[name]) for name in ("iso_year", "iso_month", "iso_day")))
    if "only_year" in point:
        return date(int(point["only_year"]), 12, 31)
    if "ordinal" in point:
        return _next_ordinal(int(point["ordinal"]), today)
    if "slash_one" in point:
        one, two = int(point["slash_one"]), int(point["slash_two"])
        # 5/12 is the fifth of December to some: the later one counts.
        orders = [(m, d) for m, d in ((one, two), (two, one)) if 1 <= m <= 12 and 1 <= d <= 31]
        return max((_next_date(m, d, None, today) for m, d in orders), default=None)
    spelled = point.get("end_month") or point.get("month_last") or point.get("month")
    if spelled is None:
        return None
    month = int(spelled) if spelled.isdecimal() else _MONTHS.split("|").index(spelled[:3]) + 1
    day = point.get("day_first") or point.get("month_day")
    return _next_date(month, int(day) if day else None, year, today)


def _next_date(month: int, day: int | None, year: int | None, today: date) -> date:
    """Return that day, or the month's last, of `year` or of the next year in which it comes."""
    for one in (year,) if year else range(today.year, today.year + 9):
        if day == 29 and month == 2 and monthrange(one, 2)[1] < 29 and not year:
            continue
        found = date(one, month, day or monthrange(one, month)[1])
        if year or found >= today:
            return found
    raise ValueError("There is no such day.")


def _next_ordinal(day: int, today: date) -> date | None:
    for months in range(12):
        year, month = months_on(today, months)
        if day <= monthrange(year, month)[1] and date(year, month, day) >= today:
            return date(year, month, day)
    return None
