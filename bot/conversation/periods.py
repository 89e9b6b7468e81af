"""A period in which a person said something: a period of time, or one thread."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from datetime import UTC, datetime


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
