"""How much of what makes Kioku ask a model a person may ask for in an hour."""

from __future__ import annotations

import time
from datetime import UTC, datetime

from bot.config import Settings
from bot.locale import Localizer
from memory import Person, Pool
from memory.store import Asked, ask

_HOUR_SECONDS = 3_600.0


class QuotaExceeded(Exception):
    """The person has used up the `limit` requests of an hour, which began at `since`.

    `since` is in seconds since 1970.
    """

    def __init__(self, limit: int, since: float) -> None:
        super().__init__("A person's requests of an hour are used up.")
        self.limit = limit
        self.since = since

    @property
    def seconds_left(self) -> float:
        """How long the hour still lasts."""
        return max(0.0, self.since + _HOUR_SECONDS - time.time())

    def until(self, localizer: Localizer) -> str:
        """Return when the person may ask again, on their clock.

        Seconds are not shown, so this is the minute after the one in which they may.
        """
        again = datetime.fromtimestamp(self.since + _HOUR_SECONDS + 60, UTC)
        return localizer.minute(again)


def check_quota(settings: Settings, asked: Asked) -> None:
    """Raise `QuotaExceeded` if the last request was one too many."""
    limit = settings.person_messages_per_hour
    if limit and asked.asked > limit:
        raise QuotaExceeded(limit, asked.asked_from)


async def admit(pool: Pool, settings: Settings, person: Person) -> int:
    """Count a request of a person for which a model is asked next; return their epoch.

    Raises `QuotaExceeded`.
    """
    asked = await ask(pool, person)
    check_quota(settings, asked)
    return asked.epoch
