"""Names of people that Slack has said to this process, kept for a day; nobody is looked up."""

from __future__ import annotations

import time
from collections import OrderedDict
from collections.abc import Mapping
from typing import Any

_TRUSTED_SECONDS = 86_400.0
_MOST_KEPT = 5_000  # names of one workspace


class Names:
    """The names that this process knows, by workspace; of too many the oldest ones go."""

    def __init__(self) -> None:
        self._kept: dict[str, OrderedDict[str, tuple[str, float]]] = {}

    def note_user(self, team_id: str, user: Mapping[str, Any]) -> None:
        """Keep the name in one of Slack's user objects, the one that Slack shows."""
        user_id = str(user.get("id") or "")
        kept = self._kept.setdefault(team_id, OrderedDict())
        kept.pop(user_id, None)
        profile = user.get("profile") or {}
        name = profile.get("display_name") or user.get("real_name") or user.get("name")
        if not name or user.get("deleted"):
            return
        kept[user_id] = (str(name), time.monotonic() + _TRUSTED_SECONDS)
        if len(kept) > _MOST_KEPT:
            kept.popitem(last=False)

    def people_of(self, team_id: str) -> dict[str, str]:
        """Return the name of each user whose name is known, by id."""
        now = time.monotonic()
        kept = self._kept.get(team_id, OrderedDict())
        return {user: name for user, (name, until) in kept.items() if until > now}
