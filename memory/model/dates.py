"""Dates and times that are read: the range that is stored (2000 to 2100), Slack's, a model's."""

from __future__ import annotations

import re
from datetime import UTC, datetime, time
from typing import NewType

_CLOCK = re.compile(
    r"\s*(?P<hour>[0-9]{1,2})(?::(?P<minute>[0-9]{2}))?(?::[0-9]{2}(?:\.[0-9]+)?)?"
    r"\s*(?P<half>[ap]\.?m\.?)?\s*(?:z|[+-][0-9]{2}:?[0-9]{2})?\s*",
    re.IGNORECASE,
)
_SLACK_TS = re.compile(r"[0-9]{1,10}(?:\.[0-9]+)?")

# Dates come from Slack messages, and from expiries that a person named. PostgreSQL stores years
# that Python cannot represent (below 1 or above 9999), and each read of such a row would fail.
EARLIEST = datetime(2000, 1, 1, tzinfo=UTC)
LATEST = datetime(2100, 1, 1, tzinfo=UTC)

Until = NewType("Until", datetime)
"""When something ends: a moment that can be stored. `until` makes one from any date."""


def until(moment: datetime | None) -> Until | None:
    """Return in UTC when something ends; None if it never does, as for a moment after `LATEST`."""
    if moment is None or moment > LATEST:
        return None
    return Until(max(moment, EARLIEST).astimezone(UTC))


def slack_time(ts: str | None) -> datetime | None:
    """Return the time of a message's ``ts``, seconds since 1970; None outside the stored range."""
    if not ts or not _SLACK_TS.fullmatch(ts):
        return None
    moment = datetime.fromtimestamp(float(ts), UTC)
    return moment if EARLIEST <= moment < LATEST else None


def clock_time(text: object) -> str:
    """Return a time of day that a model wrote as HH:MM.

    It may be ``9:30``, ``17:30:00`` or ``5:30 PM``. An offset is ignored: the time is the person's
    local time. Raises `ValueError` for anything else.
    """
    found = _CLOCK.fullmatch(str(text))
    # A number alone may be anything.
    if found is None or not (found["minute"] or found["half"]):
        raise ValueError("This is no time of day.")
    hour = int(found["hour"])
    minute = int(found["minute"] or 0)
    if found["half"]:
        if not 1 <= hour <= 12:
            raise ValueError("This is no hour of half a day.")
        hour %= 12
        if found["half"][0] in "pP":
            hour += 12
    return time(hour, minute).isoformat("minutes")
