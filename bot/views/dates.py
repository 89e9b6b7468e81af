"""Dates and times in the time zone and the language of the reader.

In mrkdwn Slack writes them itself (``<!date^…>``), by the clock and language of each reader; where
that is not understood, and in plain text, they are written by Babel.
"""

from __future__ import annotations

from datetime import datetime, tzinfo

from babel.dates import format_date, format_datetime, format_time

from bot.locale import Language

# "Nov 20, 2026" and 「2026年11月20日」; the short Japanese form would be a row of numbers.
_DAY = {"en": "medium", "ja": "long"}
_MINUTE = {"en": "MMM d, y, h:mm a", "ja": "y年M月d日 H:mm"}
_TIME = {"en": "h:mm a", "ja": "H:mm"}


def day(moment: datetime, zone: tzinfo, language: Language) -> str:
    """Return the date as mrkdwn; where Slack cannot show it, that of `zone`.

    Source: https://docs.slack.dev/messaging/formatting-message-text#date-formatting
    """
    shown = plain_day(moment, zone, language)
    return f"<!date^{int(moment.timestamp())}^{{date_short}}|{shown}>"


def minute(moment: datetime, zone: tzinfo, language: Language) -> str:
    """Return date and time as mrkdwn; where Slack cannot show it, those of `zone`."""
    shown = plain_minute(moment, zone, language)
    return f"<!date^{int(moment.timestamp())}^{{date_short}} {{time}}|{shown}>"


def plain_day(moment: datetime, zone: tzinfo, language: Language) -> str:
    """Return the date alone, for text that is no mrkdwn."""
    return format_date(moment.astimezone(zone).date(), _DAY[language], locale=language)


def plain_minute(moment: datetime, zone: tzinfo, language: Language) -> str:
    """Return date and time, for text that is no mrkdwn."""
    local = moment.astimezone(zone).replace(tzinfo=None)
    return format_datetime(local, _MINUTE[language], locale=language)


def plain_moment(moment: datetime, zone: tzinfo, language: Language) -> str:
    """Return a moment that may be of today in `zone`: then its time alone, else its date too."""
    local = moment.astimezone(zone)
    if local.date() != datetime.now(zone).date():
        return plain_minute(moment, zone, language)
    return format_time(local.time(), _TIME[language], locale=language)
