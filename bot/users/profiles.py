"""Profiles of people in Slack, and whether an operator's policy lets the app answer them.

Both are shared by all replicas.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections import OrderedDict
from collections.abc import Mapping
from dataclasses import fields, replace
from datetime import tzinfo
from typing import Any

from psycopg import OperationalError
from slack_sdk.errors import SlackApiError

from bot.config import Settings
from bot.locale import Language, say
from bot.logs import fault
from bot.slack.client import PROFILE, SLACK_FAULTS, Installations, error_code
from bot.slack.ephemeral import show_privately
from bot.slack.messages import API_TEAM, Message, scopes
from bot.types import PersonSettings, Policy, Refusal
from bot.users.incognito import is_on
from bot.users.settings import (
    doubt_profile,
    note_presence,
    note_profile,
    read_settings,
)
from bot.views.blocks import ephemeral_payload
from memory import (
    DM,
    Person,
    Pool,
    execute_statement,
    person_transaction,
    transaction,
    transaction_timeout,
)

log = logging.getLogger(__name__)

# Seconds after which a change by another replica or by `kioku policy` is seen, at most.
_TRUSTED_SECONDS = 30.0
# After a failure Slack is asked again soon, but not for each message.
_FAILED_SECONDS = 20.0
_PATIENCE_SECONDS = 3.0
_KEPT = 5_000


def is_guest(user: Mapping[str, Any]) -> bool:
    """Say whether a user object of Slack's is that of a guest, of one channel or of several.

    Source: https://docs.slack.dev/reference/objects/user-object
    """
    return bool(user.get("is_restricted") or user.get("is_ultra_restricted"))


class Profiles:
    """``users.info``, kept in `person_settings` until it changes; here for half a minute.

    Slack is waited for only where nothing is known of a person, and not asked while it refuses:
    they are then taken for a member who reads the language they write.
    """

    def __init__(self, pool: Pool, slack: Installations) -> None:
        self._pool = pool
        self._slack = slack
        self._limits = slack.limits
        self._known: OrderedDict[Person, tuple[float, PersonSettings]] = OrderedDict()
        self._asking: dict[Person, asyncio.Task[PersonSettings]] = {}

    async def language(
        self, person: Person, text: str = "", *, settings: PersonSettings | None = None
    ) -> Language:
        """Return the language to answer a person in; where unknown, that of `text`.

        It is the one they chose, else their Slack's, which Slack does not tell of people of other
        workspaces. Without `text` their last message counts. `settings` are theirs, if just read.
        """
        settings = await self.settings(person, settings=settings)
        if not (text or settings.language or settings.locale):
            text = await self._last_words(person)
        return settings.reply_language(text)

    async def settings(
        self, person: Person, *, settings: PersonSettings | None = None
    ) -> PersonSettings:
        """Return a person's settings with what Slack says of them, as known here.

        May be half a minute old: what decides about reading and writing is read where it counts.
        """
        if settings is None:
            known = self._known.get(person)
            if known is not None and time.monotonic() < known[0]:
                return known[1]
            settings = await self._stored(person)
        if settings.profile_is_fresh:
            return self._keep(person, settings, _TRUSTED_SECONDS)
        known = self._known.get(person)
        asked_recently = known is not None and time.monotonic() < known[0]
        if settings.profile_at is not None and settings.guest is not None:
            # Slack tells of changes by itself: what is old will do until it has answered.
            if not asked_recently:
                self._ask(person, settings)
            return self._keep(person, settings, _TRUSTED_SECONDS)
        if known is not None and asked_recently:
            # Slack was asked a moment ago; what the person chose is as it was just read.
            said = known[1]
            return replace(settings, locale=said.locale, time_zone=said.time_zone, guest=said.guest)
        return await asyncio.shield(self._ask(person, settings))

    async def zone(self, person: Person) -> tzinfo:
        """Return a person's time zone."""
        return (await self.settings(person)).zone

    def _ask(self, person: Person, settings: PersonSettings) -> asyncio.Task[PersonSettings]:
        """Ask Slack, once for all who want to know at the same time."""
        if person not in self._asking:
            task = asyncio.create_task(self._ask_slack(person, settings))
            self._asking[person] = task
            task.add_done_callback(lambda _: self._asking.pop(person, None))
        return self._asking[person]

    async def is_incognito(self, message: Message) -> bool:
        """Say whether incognito is on now where the message was written."""
        where = scopes(message.channel_id, message.thread)
        async with person_transaction(self._pool, message.person) as connection:
            return await is_on(connection, message.person, where)

    def invalidate(self, person: Person) -> None:
        """Read the row again next time: the person has changed something."""
        self._known.pop(person, None)

    async def changed(self, person: Person, user: Mapping[str, Any]) -> None:
        """Take note of a ``user_change``; what it does not say is asked of Slack next time."""
        self.invalidate(person)
        async with person_transaction(self._pool, person) as connection:
            await note_presence(connection, person, gone=bool(user.get("deleted")))
            if user.get("locale"):
                await note_profile(
                    connection,
                    person,
                    locale=str(user["locale"]),
                    time_zone=str(user.get("tz") or "") or None,
                    guest=is_guest(user),
                )
            else:
                await doubt_profile(connection, person)

    async def is_active(self, person: Person) -> bool | None:
        """Ask Slack whether a person's account is active, and store it; None: it did not answer.

        An account that Slack does not know is not active.
        """
        user = await self._user(person)
        if user is None:
            return None
        active = bool(user) and not user.get("deleted")
        if active:
            self.invalidate(person)
            async with person_transaction(self._pool, person) as connection:
                await note_presence(connection, person, gone=False)
        return active

    def _keep(self, person: Person, settings: PersonSettings, seconds: float) -> PersonSettings:
        self._known[person] = (time.monotonic() + seconds, settings)
        while len(self._known) > _KEPT:
            self._known.popitem(last=False)
        return settings

    async def _stored(self, person: Person) -> PersonSettings:
        try:
            with transaction_timeout(_PATIENCE_SECONDS):
                async with person_transaction(self._pool, person) as connection:
                    return await read_settings(connection, person)
        except OperationalError as error:
            log.warning("a person's settings could not be read: %s", fault(error))
            return PersonSettings()

    async def _last_words(self, person: Person) -> str:
        try:
            with transaction_timeout(_PATIENCE_SECONDS):
                async with person_transaction(self._pool, person) as connection:
                    found = await connection.execute(
                        "SELECT words FROM turns WHERE team_id = %(team)s AND user_id = %(user)s"
                        " AND words <> '' ORDER BY question_ts DESC LIMIT 1",
                        person.ids,
                    )
                    row = await found.fetchone()
        except OperationalError as error:
            log.warning("a person's last message could not be read: %s", fault(error))
            return ""
        return row["words"] if row else ""

    async def _user(self, person: Person) -> Mapping[str, Any] | None:
        """Return Slack's user object, empty for an unknown person; None: the answer has none."""
        if self._limits.wait(person.team_id, PROFILE):
            return None
        try:
            async with asyncio.timeout(_PATIENCE_SECONDS):
                client = self._slack.client(person.team_id)
                answer = await client.users_info(user=person.user_id, include_locale=True)
        except SLACK_FAULTS as error:
            if error_code(error) == "user_not_found":
                return {}
            self._limits.note(person.team_id, PROFILE, error)
            log.info("a person could not be looked up: %s", error_code(error) or fault(error))
            return None
        return answer.get("user")

    async def _ask_slack(self, person: Person, settings: PersonSettings) -> PersonSettings:
        if person.team_id == API_TEAM:
            return self._keep(person, settings, _TRUSTED_SECONDS)
        user = await self._user(person)
        if not user:
            return self._keep(person, settings, _FAILED_SECONDS)
        locale, zone, guest = user.get("locale"), user.get("tz"), is_guest(user)
        try:
            with transaction_timeout(_PATIENCE_SECONDS):
                async with person_transaction(self._pool, person) as connection:
                    await note_profile(
                        connection, person, locale=locale, time_zone=zone, guest=guest, add=True
                    )
                    await note_presence(connection, person, gone=bool(user.get("deleted")))
                    settings = await read_settings(connection, person)
        except OperationalError as error:
            log.warning("a person's profile could not be kept: %s", fault(error))
            settings = replace(settings, locale=locale, time_zone=zone, guest=guest)
        return self._keep(person, settings, _TRUSTED_SECONDS)


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
