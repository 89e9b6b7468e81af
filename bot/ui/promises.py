"""Promises: which are open, and how a person reads their day and time."""

from __future__ import annotations

from datetime import date, datetime, time

from bot.locale import Localizer
from memory.model import PROMISE_KIND, Content


def is_open(kind: str, content: Content) -> bool:
    """Return whether a memory is a promise that is still open."""
    return kind == PROMISE_KIND and content.get("state") == "open"


def due_line(localizer: Localizer, content: Content) -> str:
    """Return the day and time of a promise as the person reads them; empty if it has neither.

    Texts that are no day or time, as of another version of its kind, are returned as they are.
    """
    try:
        return localizer.day(*_due(content))
    except ValueError:
        day = content.get("due") or ""
        at = content.get("due_time") or ""
        return f"{day} {at}".strip()


def is_past(localizer: Localizer, content: Content) -> bool:
    """Return whether a promise's day, or time on it, is past for the person.

    Return False for texts that are no day or time.
    """
    try:
        day, at = _due(content)
    except ValueError:
        return False
    now = datetime.now(localizer.zone)
    return (day, at or time.max) < (now.date(), now.time())


def is_due_after(content: Content, day: date) -> bool:
    """Return whether a promise is due on a later day; False for a text that is no day."""
    try:
        due, _ = _due(content)
    except ValueError:
        return False
    return due > day


def is_on_its_day(localizer: Localizer, content: Content, moment: datetime) -> bool:
    """Return whether a moment is on the day of a promise, and not after its time if it has one."""
    try:
        day, at = _due(content)
    except ValueError:
        return False
    there = moment.astimezone(localizer.zone)
    return day == there.date() and (at is None or there.time() <= at)


def _due(content: Content) -> tuple[date, time | None]:
    """Return the day of a promise, and its time if it has one. Raises `ValueError`."""
    day = date.fromisoformat(str(content.get("due") or ""))
    at = str(content.get("due_time") or "")
    return day, time.fromisoformat(at) if at else None
