"""``kioku policy``: what operators allow in one workspace."""

from __future__ import annotations

import argparse
import asyncio
import re
from collections.abc import Mapping
from typing import Any, Literal, TypeAlias

from bot.config import Settings, ids
from bot.runtime.person_commands import operator, operators_pool, tell
from bot.runtime.startup import StartError
from bot.types import Policy
from bot.users.policies import CHOICES, Policies, over, policy_of

Verb: TypeAlias = Literal["show", "set", "clear"]

_DEFAULT, _ALL = "default", "all"
_LONGEST_DAYS = 36_500
_LABELS = {
    "channels": "Channels",
    "people": "People",
    "guests": "Guests",
    "web_search": "Web search",
    "retention_days": "Kept for",
}


def run(settings: Settings, verb: Verb, team: str, given: Mapping[str, str]) -> None:
    """Show, change or clear a workspace's policy, and print what applies then.

    `given` is what was typed, by the names of `bot.users.policies.Policy`. Raises `StartError`.
    """
    if not re.fullmatch(r"[TE][A-Z0-9]{2,}", team):
        raise StartError(
            "--team is the workspace's id, such as T0123ABCD: it stands in the address of Slack in"
            " a browser, after /client/."
        )
    if verb == "set" and not given:
        raise StartError("Say what to set: `kioku policy set --help` shows what there is.")
    changes = {name: _value(name, typed) for name, typed in given.items()}

    async def go() -> None:
        async with operators_pool(settings) as pool:
            policies = Policies(pool, policy_of(settings))
            chosen = await policies.chosen(team)
            if verb != "show":
                chosen = {} if verb == "clear" else changed(chosen, changes)
                await policies.choose(team, chosen, by=operator())
        for line in lines(policies.installation, chosen):
            tell(line)

    asyncio.run(go())


def asked(typed: argparse.Namespace) -> dict[str, str]:
    """Return what was typed of a policy, by name."""
    found = {name: getattr(typed, name, None) for name in CHOICES}
    return {name: value for name, value in found.items() if value is not None}


def changed(chosen: Mapping[str, Any], changes: Mapping[str, Any]) -> dict[str, Any]:
    """Return a workspace's choices with these in place of its own; None takes one back."""
    return {name: value for name, value in {**chosen, **changes}.items() if value is not None}


def lines(installation: Policy, chosen: Mapping[str, Any]) -> list[str]:
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
        begins = "CG" if name == "channels" else "UW"
        found = [] if typed == _ALL else sorted(ids(typed, begins))
    except ValueError:
        raise StartError(_HINTS[name]) from None
    if typed != _ALL and not found:
        raise StartError(_HINTS[name])
    return found


def _days(typed: str) -> int:
    days = int(typed)
    if not 1 <= days <= _LONGEST_DAYS:
        raise ValueError(typed)
    return days


_HINTS = {
    "channels": "--channels takes ids of channels, such as C0123ABCD,C0456EFGH; `all`, `default`.",
    "people": "--people takes ids of people, such as U0123ABCD,U0456EFGH; `all`, `default`.",
    "retention_days": "--retention-days takes a number of days from 1 to 36500, or `default`.",
}
