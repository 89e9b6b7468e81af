"""Policies of operators: who is answered, where, and how, in each workspace."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import fields, replace
from typing import Any

from bot.config import Settings
from bot.types import Policy
from memory import Pool, execute_statement, transaction

# Other replicas, and `kioku policy`, are heard of this much later at the most.
_TRUSTED_SECONDS = 30.0


def policy_of(settings: Settings) -> Policy:
    """Return what applies where a workspace has chosen nothing for itself."""
    return Policy(
        channels=settings.allowed_channels,
        people=settings.allowed_users,
        guests=settings.allow_guests,
        web_search=settings.web_search,
        retention_days=settings.retention_days,
    )


CHOICES: tuple[str, ...] = tuple(one.name for one in fields(Policy))


class Policies:
    """The table `workspace_policies` over the installation's own; kept here for half a minute."""

    def __init__(self, pool: Pool, installation: Policy) -> None:
        self._pool = pool
        self.installation = installation
        self._known: dict[str, tuple[float, Policy]] = {}

    async def applies(self, team_id: str) -> Policy:
        """Return what applies in a workspace; raises `psycopg.OperationalError`."""
        known = self._known.get(team_id)
        if known is not None and time.monotonic() < known[0]:
            return known[1]
        policy = over(self.installation, await self.chosen(team_id))
        self._known[team_id] = (time.monotonic() + _TRUSTED_SECONDS, policy)
        return policy

    async def web_search(self, team_id: str) -> bool:
        """Say whether the model may search the web for people of a workspace."""
        return (await self.applies(team_id)).web_search

    async def chosen(self, team_id: str) -> dict[str, Any]:
        """Return what a workspace has chosen for itself, by the names of `Policy`."""
        found = await execute_statement(
            self._pool,
            "SELECT channels, people, guests, web_search, retention_days"
            " FROM workspace_policies WHERE team_id = %s",
            (team_id,),
        )
        return {name: value for row in found for name, value in row.items() if value is not None}

    async def choose(self, team_id: str, chosen: Mapping[str, Any], *, by: str) -> None:
        """Store what a workspace chooses, in place of what it chose; nothing: as all others.

        Lists are lists of ids; `by` is the operator.
        """
        self._known.pop(team_id, None)
        async with transaction(self._pool) as connection:
            await connection.execute(
                "DELETE FROM workspace_policies WHERE team_id = %s", (team_id,)
            )
            if chosen:
                await connection.execute(
                    "INSERT INTO workspace_policies (team_id, channels, people, guests,"
                    " web_search, retention_days, changed_by) VALUES (%s, %s, %s, %s, %s, %s, %s)",
                    (team_id, *(chosen.get(name) for name in CHOICES), by),
                )


def over(installation: Policy, chosen: Mapping[str, Any]) -> Policy:
    """Return the installation's policy with what a workspace has chosen in its place."""
    lists = {name: frozenset(chosen[name]) for name in ("channels", "people") if name in chosen}
    return replace(installation, **{**chosen, **lists})
