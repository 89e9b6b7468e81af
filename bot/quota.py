"""How many messages of a person are answered in an hour."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import UTC, datetime

from psycopg.rows import DictRow

from bot.config import Settings
from bot.locale import Localizer
from bot.slack.messages import Message
from memory.postgres import Query, load_statements

_SQL = load_statements("bot", "quota")


class QuotaExceeded(Exception):
    """The person has used up the `limit` messages of an hour, and may ask again at `at`.

    `at` is in seconds since 1970.
    """

    def __init__(self, limit: int, at: float) -> None:
        super().__init__("A person's messages of an hour are used up.")
        self.limit = limit
        self.at = at

    def until(self, localizer: Localizer) -> str:
        """Return when the person may ask again, on their clock.

        Seconds are not shown, so this is the minute after the one in which they may.
        """
        return localizer.minute(datetime.fromtimestamp(self.at + 60, UTC))


def quota_queries(settings: Settings, message: Message) -> list[Query]:
    """Return the query for what `check_quota` reads for a message; none without a limit."""
    limit = settings.person_messages_per_hour
    if not limit:
        return []
    values = {**message.person.ids, "ts": message.ts, "limit": limit}
    return [Query(_SQL["may_ask_again"], values)]


def check_quota(settings: Settings, found: Iterable[Sequence[DictRow]]) -> None:
    """Raise `QuotaExceeded` if the hour before a message was used up.

    `found` has the rows of `quota_queries`.
    """
    for rows in found:
        if rows:
            raise QuotaExceeded(settings.person_messages_per_hour, rows[0]["at"])
