"""The range of dates that are stored: 2000 to 2100."""

from __future__ import annotations

from datetime import UTC, datetime

# Every date Kioku handles is of a Slack message or of an end a person named. Python cannot
# represent what PostgreSQL can: a year below 1 or above 9999 makes each read of its row fail.
EARLIEST = datetime(2000, 1, 1, tzinfo=UTC)
LATEST = datetime(2100, 1, 1, tzinfo=UTC)


def is_in_range(moment: datetime) -> bool:
    """Say whether a moment, with its time zone, is in the range of dates that are stored."""
    return EARLIEST <= moment < LATEST


class DateOutOfRange(ValueError):
    """The date is not between 2000 and 2100."""


def parse_timestamp(text: str) -> datetime:
    """Read an ISO 8601 date and time, UTC where it names no zone.

    Raises `DateOutOfRange`, and `ValueError` for what is no date.
    """
    moment = datetime.fromisoformat(text)
    moment = moment if moment.tzinfo else moment.replace(tzinfo=UTC)
    if not is_in_range(moment):
        raise DateOutOfRange("The date is not between 2000 and 2100.")
    return moment


def is_slack_ts(text: str) -> bool:
    """Say whether a text is a message's ``ts``: seconds since 1970, in that range."""
    seconds, dot, fraction = text.partition(".")
    digits = seconds.isascii() and seconds.isdecimal() and len(seconds) <= 10
    rest = fraction.isascii() and fraction.isdecimal() if dot else True
    return digits and rest and EARLIEST.timestamp() <= int(seconds) < LATEST.timestamp()
