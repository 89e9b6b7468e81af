"""A period in which a person said something: a period of time, or one thread."""

from __future__ import annotations

import json
from collections.abc import Collection
from dataclasses import asdict, dataclass
from datetime import UTC, datetime

from bot.slack.permalinks import MessageKey


@dataclass(frozen=True, slots=True, kw_only=True)
class Period:
    """From `since` on and before `until`, in seconds since 1970; or all of one `thread`."""

    since: float = 0.0
    until: float | None = None
    thread: str | None = None

    @classmethod
    def between(cls, since: datetime | None, until: datetime | None) -> Period:
        """Return the period from one time until another; None: without that limit."""
        return cls(
            since=since.timestamp() if since else 0.0, until=until.timestamp() if until else None
        )

    def ends(self) -> tuple[datetime | None, datetime | None]:
        """Return its two times; None: without that limit."""
        return (
            datetime.fromtimestamp(self.since, UTC) if self.since else None,
            datetime.fromtimestamp(self.until, UTC) if self.until is not None else None,
        )

    def value(self) -> str:
        """Return it as a button's value."""
        return json.dumps(asdict(self))

    @classmethod
    def from_value(cls, value: str) -> Period:
        """Read a button's value."""
        given = json.loads(value)
        return cls(since=given["since"], until=given["until"], thread=given["thread"])

    def holds(self, moment: float) -> bool:
        """Return whether a moment (seconds since 1970) is in this period of time."""
        return (
            self.thread is None
            and self.since <= moment
            and (self.until is None or moment < self.until)
        )


def is_from_period(
    said: Collection[MessageKey], at: datetime, period: Period, messages: set[MessageKey]
) -> bool:
    """Say whether a memory or a question comes from a period; `messages` are those of its turns.

    `said` are the messages that it comes from; without any, `at` decides. What was said at other
    times, too, comes from each of them.
    """
    if said:
        return any(key in messages or period.holds(_seconds(key[1])) for key in said)
    return period.holds(at.timestamp())


def _seconds(ts: str) -> float:
    try:
        return float(ts)
    except ValueError:
        return -1.0
