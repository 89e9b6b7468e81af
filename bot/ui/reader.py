"""The reader of a sentence: their language and time zone."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, date, datetime, tzinfo

from babel.dates import format_date, format_datetime

from bot.locale import Language, say
from bot.types import PersonSettings

# "Nov 20, 2026" and 「2026年11月20日」; the short Japanese form would be a row of numbers.
_DAY = {"en": "medium", "ja": "long"}
_MINUTE = {"en": "MMM d, y, h:mm a", "ja": "y年M月d日 H:mm"}


@dataclass(frozen=True, slots=True)
class Reader:
    """Writes sentences, dates and times for one person.

    In mrkdwn Slack writes dates itself (``<!date^…>``), by the clock and language of each reader;
    where that is not understood, and in plain text, they are written by Babel.
    Source: https://docs.slack.dev/messaging/formatting-message-text#date-formatting
    """

    language: Language
    zone: tzinfo = UTC

    @classmethod
    def of(cls, settings: PersonSettings, text: str = "") -> Reader:
        """Return the person of these settings, who wrote `text`."""
        return cls(settings.reply_language(text), settings.zone)

    def say(self, key: str, **values: object) -> str:
        """Return a sentence of the catalogues. Raises `KeyError` for an unknown key."""
        return say(self.language, key, **values)

    def day(self, moment: datetime) -> str:
        """Return a date as mrkdwn."""
        shown = format_date(moment.astimezone(self.zone).date(), _DAY[self.language], self.language)
        return f"<!date^{int(moment.timestamp())}^{{date_short}}|{shown}>"

    def plain_day(self, day: str) -> str:
        """Return a date in ISO format as one for text that is no mrkdwn; another text as it is."""
        try:
            return format_date(date.fromisoformat(day), _DAY[self.language], self.language)
        except ValueError:
            return day

    def minute(self, moment: datetime) -> str:
        """Return date and time as mrkdwn."""
        shown = self.plain_minute(moment)
        return f"<!date^{int(moment.timestamp())}^{{date_short}} {{time}}|{shown}>"

    def plain_minute(self, moment: datetime) -> str:
        """Return date and time, for text that is no mrkdwn."""
        local = moment.astimezone(self.zone).replace(tzinfo=None)
        return format_datetime(local, _MINUTE[self.language], locale=self.language)
