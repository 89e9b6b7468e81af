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


def due_line(localizer: Localizer, content: Mapping[str, Any]) -> str:
    """Return the day and time of a promise as the person reads them; empty if it has neither.

    Texts that are no day or time, as of another version of its kind, are returned as they are.
    """
    day = str(content.get("due") or "")
    at = str(content.get("due_time") or "")
    try:
        due_time = time.fromisoformat(at) if at else None
        return localizer.plain_day(date.fromisoformat(day), due_time)
    except ValueError:
        return f"{day} {at}".strip()


def is_past(localizer: Localizer, day: str, at: str) -> bool:
    """Return whether a day, or a time on it, is past for the person; False for other texts."""
    try:
        due_day = date.fromisoformat(day)
        due_time = time.fromisoformat(at) if at else time.max
    except ValueError:
        return False
    now = datetime.now(localizer.zone)
    return (due_day, due_time) < (now.date(), now.time())
