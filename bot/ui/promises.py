"""Promises: which are open, and when the person is reminded of them."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, date, datetime, time, timedelta, tzinfo
from typing import Any

from bot.locale import Reader
from memory.model import PROMISE_KIND

_MORNING = time(9)
_LATER = timedelta(hours=1)


def is_open(kind: str, content: Mapping[str, Any]) -> bool:
    """Return whether a memory is a promise that is still to be kept."""
    return kind == PROMISE_KIND and content.get("state") == "open"


def due_of(content: Mapping[str, Any]) -> str:
    """Return the day and time of a promise as one text; empty for none."""
    return f"{content.get('due') or ''} {content.get('due_time') or ''}".strip()


def due_line(reader: Reader, due: str) -> str:
    """Return a `due_of` as the person reads it; a text that is no such thing as it is."""
    try:
        return reader.plain_day(*_day_and_time(due))
    except ValueError:
        return due


def remind_at(due: str, said: datetime, zone: tzinfo) -> datetime | None:
    """Return when the person is reminded of a promise with this `due_of`; None: never.

    At its time in their zone; 9:00 for a day without a time. An hour after the promise, `said`, if
    that was past by then. Never, too, for a text that is none of a day and a time.
    """
    try:
        day, at = _day_and_time(due)
        moment = datetime.combine(day, at or _MORNING, zone).astimezone(UTC)
    except (OverflowError, ValueError):
        return None
    return moment if moment > said else said + _LATER


def _day_and_time(due: str) -> tuple[date, time | None]:
    day, _, at = due.partition(" ")
    return date.fromisoformat(day), time.fromisoformat(at) if at else None
