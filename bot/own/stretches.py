"""A stretch of what a person said: the last hour, today, yesterday, or one thread."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from datetime import datetime, time, timedelta, tzinfo
from typing import get_args

from bot.own.subcommands import Stretch
from memory import Memory

STRETCHES: tuple[Stretch, ...] = get_args(Stretch)


@dataclass(frozen=True, slots=True, kw_only=True)
class Period:
    """From `since` on and before `until`, in seconds since 1970; or all of one `thread`."""

    since: float = 0.0
    until: float | None = None
    thread: str | None = None

    def value(self) -> str:
        """Return it as a button's value."""
        return json.dumps(asdict(self))

    @classmethod
    def from_value(cls, value: str) -> Period:
        """Read a button's value."""
        given = json.loads(value)
        return cls(since=given["since"], until=given["until"], thread=given["thread"])

    def holds(self, moment: float) -> bool:
        """Say whether something of that moment belongs to a stretch of time."""
        return (
            self.thread is None
            and self.since <= moment
            and (self.until is None or moment < self.until)
        )


def stretch(name: Stretch, now: datetime, zone: tzinfo) -> Period:
    """Return the period of that name; days are those of `zone`. `now` is aware."""
    if name == "last_hour":
        return Period(since=(now - timedelta(hours=1)).timestamp())
    midnight = datetime.combine(now.astimezone(zone).date(), time(), zone)
    if name == "today":
        return Period(since=midnight.timestamp())
    yesterday = datetime.combine(midnight.date() - timedelta(days=1), time(), zone)
    return Period(since=yesterday.timestamp(), until=midnight.timestamp())


def told_in(memory: Memory, period: Period, places: set[tuple[str, str]]) -> bool:
    """Say whether a memory comes from a period; `places` are those of the messages of its turns.

    One that was said at other times, too, comes from each of them.
    """
    if memory.places:
        return any(place in places or period.holds(_seconds(place[1])) for place in memory.places)
    return period.holds(memory.created_at.timestamp())


def _seconds(ts: str) -> float:
    try:
        return float(ts)
    except ValueError:
        return -1.0
