"""``kioku policy``: what operators allow in one workspace."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from bot.config import CHANNEL_ID, USER_ID, Settings, ids
from bot.runtime.operators import in_database, operator, record, require_workspace
from bot.runtime.output import tell
from bot.runtime.problem import ArgumentProblem
from bot.types import Policy
from bot.users.profiles import CHOICES, Policies, over, policy_of
from bot.users.settings import MAX_RETENTION_DAYS
from memory import Pool

_DEFAULT, _ALL = "default", "all"
_LABELS = {
    "channels": "Channels",
    "people": "People",
    "guests": "Guests",
    "web_search": "Web search",
    "retention_days": "Kept for",
}


def show(settings: Settings, *, team: str) -> None:
    """Print what applies in a workspace, and what is only its own. Raises `Problem`."""
    _apply(settings, team, None)


def clear(settings: Settings, *, team: str) -> None:
    """Drop a workspace's choices; print what applies then. Raises `Problem`."""
    _apply(settings, team, lambda _: {})


def choose(settings: Settings, *, team: str, **given: str | None) -> None:
    """Change what is given of a workspace's choices; print what applies then.

    `given` is what was typed, by the names of `bot.types.Policy`. Raises `Problem`.
    """
    changes = {name: _value(name, typed) for name, typed in given.items() if typed is not None}
    if not changes:
        raise ArgumentProblem("Say what to set: `kioku policy set --help` shows what there is.")
    _apply(settings, team, lambda chosen: {**chosen, **changes})


def _apply(
    settings: Settings, team: str, change: Callable[[dict[str, Any]], dict[str, Any]] | None
) -> None:
    require_workspace(team)

    async def apply(pool: Pool) -> list[str]:
        policies = Policies(pool, policy_of(settings))
        chosen = await policies.chosen(team)
        if change is not None:
            changed = change(chosen)
            chosen = {name: value for name, value in changed.items() if value is not None}
            await policies.choose(team, chosen, by=operator())
            await record(pool, "policy", len(chosen), team)
        return _lines(policies.installation, chosen)

    action = "policy" if change is not None else ""
    for line in in_database(settings, apply, action=action, team=team):
        tell(line)


def _lines(installation: Policy, chosen: Mapping[str, Any]) -> list[str]:
    """Return what applies, a line for each choice, with where it comes from."""
    applies = over(installation, chosen)
    return [
        f"{_LABELS[name] + ':':12} {_words(name, getattr(applies, name))}"
        f" ({'this workspace' if name in chosen else 'the settings'})"
        for name in CHOICES
    ]


def _words(name: str, value: Any) -> str:
    match name:
        case "channels":
            named = ", ".join(sorted(value))
            return f"direct messages and {named or 'every channel'}"
        case "people":
            return ", ".join(sorted(value)) or "everybody"
        case "retention_days":
            return f"{value} days at most" if value else "as long as people keep it"
    return "on" if value else "off"


def _value(name: str, typed: str) -> Any:
    if typed == _DEFAULT:
        return None
    if name in ("guests", "web_search"):
        return typed == "on"
    try:
        if name == "retention_days":
            return _days(typed)
        form = CHANNEL_ID if name == "channels" else USER_ID
        found = [] if typed == _ALL else sorted(ids(typed, form))
    except ValueError:
        raise ArgumentProblem(_HINTS[name]) from None
    if typed != _ALL and not found:
        raise ArgumentProblem(_HINTS[name])
    return found


def _days(typed: str) -> int:
    days = int(typed)
    if not 1 <= days <= MAX_RETENTION_DAYS:
        raise ValueError(typed)
    return days


_HINTS = {
    "channels": "--channels takes ids of channels, such as C0123ABCD,C0456EFGH; `all`, `default`.",
    "people": "--people takes ids of people, such as U0123ABCD,U0456EFGH; `all`, `default`.",
    "retention_days": "--retention-days takes a number of days from 1 to 36500, or `default`.",
}
