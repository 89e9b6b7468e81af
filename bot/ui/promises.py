"""Promises: which are open, and how a person reads their day and time."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime, time
from typing import Any

from bot.locale import Localizer
from memory import Memory
from memory.model import PROMISE_KIND


@dataclass(frozen=True, slots=True)
class Reminder:
    """One reminder of a promise: in the morning of `day`, or before its `due_time`, ``HH:MM``."""

    memory: Memory
    day: date
    due_time: str = ""


def is_open(kind: str, content: Mapping[str, Any]) -> bool:
    """Return whether a memory is a promise that is still open."""
    return kind == PROMISE_KIND and content.get("state") == "open"


def due_of(content: Mapping[str, Any]) -> str:
    """Return the day and time of a promise as one text; empty if it has neither."""
    return f"{content.get('due') or ''} {content.get('due_time') or ''}".strip()


def due_line(localizer: Localizer, due: str) -> str:
    """Return a text of `due_of` as the person reads it; any other text is returned as it is."""
    try:
        return localizer.plain_day(*_day_and_time(due))
    except ValueError:
        return due


def is_past(localizer: Localizer, day: str, at: str) -> bool:
    """Return whether a day, or a time on it, is past for the person; False for other texts."""
    try:
        due_day = date.fromisoformat(day)
        due_time = time.fromisoformat(at) if at else time.max
    except ValueError:
        return False
    now = datetime.now(localizer.zone)
    return (due_day, due_time) < (now.date(), now.time())


def _day_and_time(due: str) -> tuple[date, time | None]:
    day, _, at = due.partition(" ")
    return date.fromisoformat(day), time.fromisoformat(at) if at else None
