"""Who may use Kioku, in which conversations, and how much in an hour."""

from __future__ import annotations

import time
from datetime import UTC, datetime
from typing import Literal, TypeAlias

from bot.config import Settings
from bot.locale import Localizer
from memory import DM, Person, Pool
from memory.store import Asked, ask

PolicyRefusal: TypeAlias = Literal["policy_person", "policy_place"]
"""A sentence about what the operator has set."""
AccessRefusal: TypeAlias = PolicyRefusal | Literal["shared_channel"]
"""A sentence that says why messages are not read: `PolicyRefusal`, or others read them, too."""
_HOUR_SECONDS = 3_600.0


def person_refusal(settings: Settings, person: Person) -> PolicyRefusal | None:
    """Return why a person may not use Kioku, or None; without a list everyone may."""
    allowed = settings.allowed_users
    if allowed and person.user_id not in allowed:
        return "policy_person"
    return None


def refusal_in(
    settings: Settings, person: Person, channel_id: str, audience: str | None
) -> PolicyRefusal | None:
    """Return why a person's messages in a conversation are not read, or None if they are.

    A list of conversations never excludes direct messages.
    """
    allowed = settings.allowed_channels
    if audience != DM and allowed and channel_id not in allowed:
        return "policy_place"
    return person_refusal(settings, person)


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
