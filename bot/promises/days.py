"""The day of a promise, beside the person's clock."""

from __future__ import annotations

from datetime import date, datetime, time

from bot.locale import Localizer
from memory.model import Content, due_of


def is_past(localizer: Localizer, content: Content) -> bool:
    """Return whether a promise's day, or time on it, is past for the person."""
    due = due_of(content)
    if due is None:
        return False
    day, at = due
    now = datetime.now(localizer.zone)
    return (day, at or time.max) < (now.date(), now.time())


def is_due_after(content: Content, day: date) -> bool:
    """Return whether a promise is due on a later day."""
    due = due_of(content)
    return due is not None and due[0] > day


def is_on_its_day(localizer: Localizer, content: Content, moment: datetime) -> bool:
    """Return whether a moment is on the day of a promise, and not after its time if it has one."""
    due = due_of(content)
    if due is None:
        return False
    day, at = due
    there = moment.astimezone(localizer.zone)
    return day == there.date() and (at is None or there.time() <= at)
