"""The range of dates that are stored: 2000 to 2100."""

from __future__ import annotations

from datetime import UTC, datetime

# Dates are those of Slack messages and of expiries that a person named. PostgreSQL stores years
# that Python cannot represent (below 1 or above 9999), and each read of such a row would fail.
EARLIEST = datetime(2000, 1, 1, tzinfo=UTC)
LATEST = datetime(2100, 1, 1, tzinfo=UTC)


def parse_timestamp(text: str) -> datetime:
    """Parse an ISO 8601 date and time; UTC if it has no time zone.

    Raises `ValueError` for text that is not a date, or a date out of the range.
    """
    moment = datetime.fromisoformat(text)
    moment = moment if moment.tzinfo else moment.replace(tzinfo=UTC)
    if not EARLIEST <= moment < LATEST:
        raise ValueError("The date is not between 2000 and 2100.")
    return moment


def is_slack_ts(text: str) -> bool:
    """Return whether a text is a message's ``ts``: seconds since 1970, in the stored range."""
    seconds, dot, fraction = text.partition(".")
    digits = seconds.isascii() and seconds.isdecimal() and len(seconds) <= 10
    rest = fraction.isascii() and fraction.isdecimal() if dot else True
    return digits and rest and EARLIEST.timestamp() <= int(seconds) < LATEST.timestamp()
