"""Who may use Kioku, and in which conversations."""

from __future__ import annotations

from typing import Literal, TypeAlias

from bot.config import Settings
from memory import DM, Person

PolicyRefusal: TypeAlias = Literal["policy_person", "policy_place"]
"""A sentence about what the operator has set."""
AccessRefusal: TypeAlias = PolicyRefusal | Literal["shared_channel"]
"""A sentence that says why messages are not read: `PolicyRefusal`, or others read them, too."""


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
