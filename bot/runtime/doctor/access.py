"""Checks of access: apps with agent features exclude guests, and some need a paid plan.

Sources: https://docs.slack.dev/ai/developing-agents#members-only and
https://docs.slack.dev/tools/bolt-python/concepts/using-the-assistant-class
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from bot.config import Settings
from bot.runtime.finding import Finding, note, ok
from bot.runtime.manifest import optional_scopes
from bot.users.profiles import is_guest

_WITHOUT = {
    "files:read": "no file is read in messages or chosen in /memories import",
    "files:write": "no file is sent by /memories export",
}
_NO_GUESTS = "Slack does not let guests use apps with agent features"


def examine_access(settings: Settings) -> Iterator[Finding]:
    """Say what no scope of Kioku's lets it read and therefore has to be looked at by hand."""
    yield note(
        "Plan",
        "Slack does not tell Kioku the workspace's plan: check that it is a paid one, which some"
        f" agent features need. {_NO_GUESTS}.",
    )
    if settings.allow_guests:
        yield note(
            "Guests", f"KIOKU_ALLOW_GUESTS is on, but {_NO_GUESTS}: expect no messages of theirs."
        )


def judge_person(user: Mapping[str, Any]) -> Finding:
    """Return whether a user object of ``users.info`` is that of a member or of a guest."""
    if is_guest(user):
        return note("Person", f"is a guest: {_NO_GUESTS}, so what follows may fail.")
    return ok("Person", "is a member.")


def judge_optional(granted: frozenset[str] | None) -> Finding:
    """Return which optional scopes the person who installed the app has granted."""
    if granted is None:
        return note(
            "Optional scopes", "Slack did not say which it granted; a proxy may drop its headers."
        )
    wanted = optional_scopes()
    if lacking := sorted(wanted - granted):
        lost = "; ".join(_WITHOUT[scope] for scope in lacking)
        return note("Optional scopes", f"{', '.join(lacking)} not granted: {lost}.")
    return ok("Optional scopes", f"{', '.join(sorted(wanted))} granted.")
