"""Policies of operators: who is answered, where and how in each workspace, and the refusals."""

from __future__ import annotations

import logging
import time
from collections.abc import Mapping
from dataclasses import fields, replace
from typing import Any

from slack_sdk.errors import SlackApiError

from bot.config import Settings
from bot.locale import say
from bot.slack.client import Installations, error_code
from bot.slack.ephemeral import show_privately
from bot.slack.messages import Message
from bot.types import Policy, Refusal
from bot.users.profiles import Profiles
from bot.views.blocks import ephemeral_payload
from memory import DM, Person, Pool, execute_statement, transaction

log = logging.getLogger(__name__)

# Seconds after which a change by another replica or by `kioku policy` is seen, at most.
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


class AccessControl:
    """The workspace's policy, and what Slack says of the person."""

    def __init__(self, policies: Policies, people: Profiles, slack: Installations) -> None:
        self._policies = policies
        self._people = people
        self._slack = slack

    async def refuses(self, message: Message) -> Refusal | None:
        """Return why a message is not to be answered; None where it is."""
        return await self.refuses_in(message.person, message.channel_id, message.audience)

    async def refuses_in(
        self, person: Person, channel_id: str, audience: str | None
    ) -> Refusal | None:
        """Return why nothing that a person says in a conversation is read; None where it is."""
        policy = await self._policies.applies(person.team_id)
        if refusal := policy.refuses_channel(channel_id, audience):
            return refusal
        return await self.refuses_person(person)

    async def refuses_person(self, person: Person) -> Refusal | None:
        """Return why nothing new is to be remembered of a person anywhere; None where it is.

        Slack is asked whether they are a guest where that decides; while it does not answer they
        are taken for a member.
        """
        policy = await self._policies.applies(person.team_id)
        if policy.guests or policy.people:
            return policy.refuses(person, guest=None)
        return policy.refuses(person, guest=(await self._people.settings(person)).guest)

    async def keeps(self, person: Person, chosen: int | None) -> int | None:
        """Return for how many days memories are kept, given the person's choice; None: no end."""
        return (await self._policies.applies(person.team_id)).retention_days_for(chosen)

    async def tell(self, message: Message, refusal: Refusal) -> None:
        """Tell a message's author why there is no answer, outside of any turn: nothing is kept.

        In the thread of their message where it is a direct one, else in an ephemeral message.
        Raises `SlackApiError` where Slack gives no reason.
        """
        language = await self._people.language(message.person, message.text)
        payload, in_dm = ephemeral_payload(say(language, refusal)), message.audience == DM
        try:
            client = self._slack.client(message.team_id)
            await show_privately(client, message, payload, in_dm=in_dm)
        except SlackApiError as error:
            if not error_code(error):
                raise
            log.info("a refusal could not be shown: %s", error_code(error))
