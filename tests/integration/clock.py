"""The clock of the people in a test, on which it is early in the morning whichever hour it is.

What an app does at an hour of somebody's day is tested by a time zone in which it is that hour.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

EARLY = 7
"""The hour that a clock shows when it is made; a test ends within the hour after it."""


def _offset() -> int:
    """Return the hours, from -11 to 12, by which a clock that shows `EARLY` is ahead of UTC."""
    return (EARLY - datetime.now(UTC).hour + 11) % 24 - 11


@dataclass(frozen=True, slots=True)
class Clock:
    """A clock that shows `EARLY` when it is made, in a zone without summer time.

    `ahead`: its hours ahead of UTC. They stay when the next hour begins within a test.
    """

    ahead: int = field(default_factory=_offset)

    def zone(self, hour: int = EARLY) -> str:
        """Return the time zone where it is this hour while it is `EARLY` here, on the same day.

        There is one for the hours from 6 to 9, whatever `ahead` is.
        """
        return f"Etc/GMT{EARLY - hour - self.ahead:+d}"

    def now(self) -> datetime:
        """Return the time that it shows."""
        return datetime.now(ZoneInfo(self.zone()))

    def in_hours(self, hours: float) -> dict[str, str]:
        """Return the day and time of a promise that is due in so many hours."""
        moment = self.now() + timedelta(hours=hours)
        return {"due": moment.date().isoformat(), "due_time": f"{moment:%H:%M}"}

    def in_days(self, days: int) -> dict[str, str]:
        """Return the day of a promise that is due in so many days."""
        moment = self.now() + timedelta(days=days)
        return {"due": moment.date().isoformat()}
