"""The range of dates that are stored: 2000 to 2100."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import NewType

# Dates are those of Slack messages and of expiries that a person named. PostgreSQL stores years
# that Python cannot represent (below 1 or above 9999), and each read of such a row would fail.
EARLIEST = datetime(2000, 1, 1, tzinfo=UTC)
LATEST = datetime(2100, 1, 1, tzinfo=UTC)

Until = NewType("Until", datetime)
"""When something ends: a moment that can be stored. `until` makes one from any date."""


def until(moment: datetime | None) -> Until | None:
    """Return, in UTC, when something ends; None: it does not, as for a moment after `LATEST`."""
    if moment is None or moment > LATEST:
        return None
    return Until(max(moment, EARLIEST).astimezone(UTC))


def is_slack_ts(text: str) -> bool:
    """Return whether a text is a message's ``ts``: seconds since 1970, in the stored range."""
    seconds, dot, fraction = text.partition(".")
    digits = seconds.isascii() and seconds.isdecimal() and len(seconds) <= 10
    rest = fraction.isascii() and fraction.isdecimal() if dot else True
    return digits and rest and EARLIEST.timestamp() <= int(seconds) < LATEST.timestamp()
