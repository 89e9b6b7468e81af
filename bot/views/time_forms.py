"""The fixed time formats of the slash commands, in English and Japanese."""

from __future__ import annotations

import re
import unicodedata
from datetime import datetime, time, timedelta, tzinfo
from typing import Final

# A pause until a day without a time ends in the morning, as in Slack's own "until tomorrow".
MORNING: Final = time(9)
_LONGEST_PAUSE: Final = timedelta(days=3_660)

_UNITS: Final = {
    "minutes": "m|min|minutes?|分間?",
    "hours": "h|hours?|時間",
    "days": "d|days?|日間?",
    "weeks": "w|weeks?|週間",
}
_UNIT: Final = "|".join(f"(?P<{unit}>{written})" for unit, written in _UNITS.items())
_LENGTH: Final = re.compile(rf"(?P<count>[1-9]\d{{0,3}}) ?(?:{_UNIT})")
_LAST: Final = re.compile(rf"(?:(?:the )?last |直近 ?)(?P<count>[1-9]\d{{0,3}})? ?(?:{_UNIT})")


def pause_end(text: str, now: datetime, zone: tzinfo) -> datetime | None:
    """Return the end of a pause of ``30m``, ``3d``, ``today`` or ``tomorrow``; else None.

    `now` is timezone-aware; days begin at midnight in `zone`. A pause until tomorrow ends in its
    morning.
    """
    text = _folded(text)
    if text in ("today", "今日"):
        return _midnight(now, zone, days=1)
    if text in ("tomorrow", "明日"):
        return tomorrow_morning(now, zone)
    length = _length(_LENGTH.fullmatch(text))
    return now + length if length is not None and length < _LONGEST_PAUSE else None


def may_end_pause(moment: datetime, now: datetime) -> bool:
    """Return whether a pause may end at `moment`: later than `now`, and within ten years."""
    return now < moment < now + _LONGEST_PAUSE


def tomorrow_morning(now: datetime, zone: tzinfo) -> datetime:
    """Return 9:00 on the next day in `zone`."""
    return datetime.combine(_midnight(now, zone, days=1).date(), MORNING, zone)


def past_period(text: str, now: datetime, zone: tzinfo) -> tuple[datetime, datetime | None] | None:
    """Return start and end of ``last 2 hours``, ``3d``, ``today``, ``yesterday`` or ``last week``.

    The end is None if the period lasts until now, as with ``this week``. A week is Monday to
    Sunday. Any other text returns None.
    """
    text = _folded(text)
    if text in ("today", "今日"):
        return _midnight(now, zone), None
    if text in ("yesterday", "昨日"):
        return _midnight(now, zone, days=-1), _midnight(now, zone)
    monday = -now.astimezone(zone).weekday()
    if text in ("this week", "今週"):
        return _midnight(now, zone, days=monday), None
    if text in ("last week", "先週"):
        return _midnight(now, zone, days=monday - 7), _midnight(now, zone, days=monday)
    length = _length(_LENGTH.fullmatch(text) or _LAST.fullmatch(text))
    return (now - length, None) if length is not None else None


def _length(match: re.Match[str] | None) -> timedelta | None:
    if match is None:
        return None
    [unit] = [unit for unit in _UNITS if match[unit]]
    return timedelta(**{unit: int(match["count"] or 1)})


def _midnight(now: datetime, zone: tzinfo, *, days: int = 0) -> datetime:
    day = now.astimezone(zone).date() + timedelta(days=days)
    return datetime.combine(day, time(), zone)


def _folded(text: str) -> str:
    text = unicodedata.normalize("NFKC", text).casefold()
    return " ".join(text.strip(" .。!！").split())
