"""The days and times that words name, by the table `days` of the script.

A day that cannot be placed for certain is none, and the person is asked for it: no day is earlier
than the one that was said.
"""

from __future__ import annotations

import calendar
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Any, Final

from kioku_stand_in.script import SCRIPT

_WEEKDAYS: Final = ("月mon", "火tue", "水wed", "木thu", "金fri", "土sat", "日sun")
_UNITS: Final = {"m": 1, "分": 1, "h": 60, "時": 60}
_AFTERNOON: Final = range(1, 7)  # hours, unless more is said
_NARROW: Final = str.maketrans("０１２３４５６７８９：／", "0123456789:/")


def _compiled(pattern: str) -> re.Pattern[str]:
    """Compile a pattern in which ``<name>`` stands for a group of `day_parts`."""
    for name, part in SCRIPT["day_parts"].items():
        group = f"(?P<{name}>{part})".replace("\\", r"\\")
        pattern = re.sub(rf"(?<!\?P)<{name}>", group, pattern)
    return re.compile(pattern, re.I)


# Each pattern of the table with its entry, in their order.
_TABLE: Final = [
    (_compiled(says), entry) for entry in SCRIPT["days"] for says in entry["says"]
]
_AROUND: Final = {name: _compiled(says) for name, says in SCRIPT["around_days"].items()}


@dataclass(frozen=True)
class When:
    """Words that name a day, a time, or how long from now.

    `around` are the prepositions before them and the particles after them, which are between
    `start` and `end`, too. `entry` is that of the table, and `parts` are the groups of its pattern.
    """

    start: int
    end: int
    words: str
    around: str
    entry: Mapping[str, Any]
    parts: Mapping[str, str]

    @property
    def names_day(self) -> bool:
        """Whether it is no time of the day."""
        return "time" not in self.entry

    def says(self, name: str) -> bool:
        """Return whether what stands around says this, by `around_days`."""
        return _AROUND[name].search(self.around) is not None


def named_in(text: str) -> list[When]:
    """Return what a text names, in order; at each place the first entry of the table that fits."""
    plain = text.translate(_NARROW)
    found: list[When] = []
    for pattern, entry in _TABLE:
        for one in pattern.finditer(plain):
            taken = [w for w in found if w.start < one.end() and one.start() < w.end]
            if not taken:
                found.append(_when(plain, one, entry))
    return sorted(found, key=lambda when: when.start)


def _when(text: str, found: re.Match[str], entry: Mapping[str, Any]) -> When:
    """Return a match with what stands around it."""
    start, end = found.span()
    before = _AROUND["before"].search(text[:start])
    after = _AROUND["after"].match(text, end)
    if before is not None:
        start = before.start()
    if after is not None:
        end = after.end()
    around = text[start : found.start()] + "|" + text[found.end() : end]
    parts = {name: part for name, part in found.groupdict().items() if part}
    return When(start, end, text[start:end], around, entry, parts)


def without(text: str, days: Sequence[When]) -> str:
    """Return a text without the words that name these days."""
    left: list[str] = []
    position = 0
    for when in days:
        left.append(text[position : when.start])
        position = when.end
    left.append(text[position:])
    return " ".join("".join(left).split()).strip(" ,、")


def due(days: Sequence[When], now: datetime) -> dict[str, str]:
    """Return the day and the time by which something is due; none if it must be asked for."""
    for when in days:
        if "minutes" in when.entry:
            moment = now + _distance(when)
            return {"due": f"{moment:%Y-%m-%d}", "due_time": f"{moment:%H:%M}"}
    if any("unsure" in when.entry or when.says("later") for when in days):
        return {}
    time = _time(days)
    dated = [when for when in days if when.names_day]
    placed = {_day(when, now.date()) for when in dated}
    if not placed and time is not None:
        is_over = time <= f"{now:%H:%M}"
        placed = {now.date() + timedelta(days=is_over)}
    certain = [day for day in placed if day is not None]
    # “Friday, December 11” is no other day, and later than the next Friday.
    if len({day.weekday() for day in certain}) != 1 or len(certain) < len(placed):
        return {}
    day = max(certain)
    if time is not None:
        return {"due": f"{day}", "due_time": time}
    if any(when.says("earlier") for when in dated):
        day -= timedelta(days=1)
    return {"due": f"{day}"}


def until(sentence: str, today: date) -> date | None:
    """Return the last day on which what a sentence says holds; None if it does not say it."""
    for when in named_in(sentence):
        if when.says("until") and when.names_day:
            return _day(when, today)
    return None


def _distance(when: When) -> timedelta:
    """Return how long from now it is, as of “in an hour and a half”."""
    count = _number(when.parts["n"])
    if "half" in when.parts:
        count += 0.5
    minutes = count * _UNITS[when.parts["unit"][0].lower()]
    return timedelta(minutes=minutes + _number(when.parts.get("more", "0")))


def _number(word: str) -> float:
    """Return the number that a word or digits say."""
    named: float = SCRIPT["numbers"].get(word.lower(), -1)
    return named if named >= 0 else int(word)


def _day(when: When, today: date) -> date | None:
    """Return the day that is named; None if that is not certain, or over."""
    entry = when.entry
    day: date | None = None
    if "unsure" in entry:
        return None
    if "add" in entry:
        days = entry["add"] * _number(when.parts.get("n", "1"))
        return today + timedelta(days=days)
    if "weekday" in when.parts:
        day = _weekday(when, today)
    elif "month_end" in entry:
        last = calendar.monthrange(today.year, today.month)[1]
        day = today.replace(day=last)
    else:
        day = _date(when.parts, today)
    if day is None or day < today:
        return None
    return day


def _weekday(when: When, today: date) -> date | None:
    """Return the day of the week that is named: the next, or that of a week that is counted."""
    name = when.parts["weekday"].lower().removesuffix("日")[:3].removesuffix("曜")
    number = next(n for n, names in enumerate(_WEEKDAYS) if name in names)
    if "weeks" in when.entry:
        monday = today - timedelta(days=today.weekday())
        return monday + timedelta(days=7 * when.entry["weeks"] + number)
    if "next" in when.entry and number > today.weekday():
        return None  # of this week or of the next one
    ahead = (number - today.weekday() - 1) % 7 + 1
    return today + timedelta(days=ahead + when.entry.get("plus", 0))


def _date(parts: Mapping[str, str], today: date) -> date | None:
    """Return a date whose year, or year and month, are the next ones unless they are said."""
    day = int(parts["day"])
    year, month = today.year, today.month
    if "month" in parts:
        month = int(_number(parts["month"][:3]))
        if (month, day) < (today.month, today.day):
            year += 1
    elif "next_month" in parts or day < today.day:
        year, month = today.year + month // 12, month % 12 + 1
    year = int(parts.get("year", year))
    if not 1 <= day <= calendar.monthrange(year, month)[1]:
        return None
    return date(year, month, day)


def _time(days: Sequence[When]) -> str | None:
    """Return the time of day, HH:MM, that is named first."""
    words = " ".join(when.words for when in days)
    for when in days:
        if when.entry.get("time") == "hour":
            return _clock(when, words)
        if "time" in when.entry:
            return str(when.entry["time"])
    return None


def _clock(when: When, words: str) -> str | None:
    """Return the time that an hour names; `words` may say whether it is before or after noon."""
    hour = int(_number(when.parts["hour"]))
    minutes = int(when.parts.get("minute", "0"))
    if "half" in when.parts:
        minutes = 30
    minutes = when.entry.get("past", minutes)
    if hour < 12 and not when.parts["hour"].startswith("0"):
        is_late = _AROUND["late"].search(words) is not None
        is_early = _AROUND["early"].search(words) is not None
        if is_late or (hour in _AFTERNOON and not is_early):
            hour += 12
    if hour == 12 and _AROUND["early"].search(words):
        hour = 0
    hour, minutes = divmod(60 * hour + minutes, 60)
    if hour > 23 or minutes > 59:
        return None
    return f"{hour:02}:{minutes:02}"
