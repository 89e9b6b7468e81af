"""Promises: which are open, and when the person is reminded of them."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, date, datetime, time, timedelta, tzinfo
from typing import Any

from memory import Promise

PROMISE = "promise"
KIND = Promise.__name__
_MORNING = time(9)
_LATER = timedelta(hours=1)


def is_open(kind: str, content: Mapping[str, Any]) -> bool:
    """Return whether a memory is a promise that is still to be kept."""
    return kind == KIND and content.get("state") == "open"


def due_of(content: Mapping[str, Any]) -> str:
    """Return the day and time of a promise as one text; empty for none."""
    return f"{content.get('due') or ''} {content.get('due_time') or ''}".strip()


def remind_at(due: str, said: datetime, zone: tzinfo) -> datetime | None:
    """Return when the person is reminded of a promise with this `due_of`; None: never.

    At its time in their zone; 9:00 for a day without a time. An hour after the promise, `said`, if
    that was past by then. Never, too, for a text that is none of a day and a time.
    """
    day, _, at = due.partition(" ")
    try:
        clock = time.fromisoformat(at) if at else _MORNING
        moment = datetime.combine(date.fromisoformat(day), clock, zone).astimezone(UTC)
    except (OverflowError, ValueError):
        return None
    return moment if moment > said else said + _LATER
