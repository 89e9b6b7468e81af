"""Profiles of people in Slack: language and time zone, shared by all replicas."""

from __future__ import annotations

import asyncio
import logging
import time
from collections import OrderedDict
from collections.abc import Mapping
from dataclasses import replace
from datetime import tzinfo
from typing import Any

from psycopg import OperationalError

from bot.locale import Language
from bot.logs import fault
from bot.slack.client import PROFILE, SLACK_FAULTS, Installations, error_code
from bot.slack.messages import API_TEAM, Message, scopes
from bot.types import PersonSettings
from bot.users.incognito import is_on
from bot.users.settings import (
    doubt_profile,
    note_presence,
    note_profile,
    read_settings,
)
from memory import (
    Person,
    Pool,
    person_transaction,
    transaction_timeout,
)

log = logging.getLogger(__name__)

# Seconds after which a change by another replica is seen, at most.
_TRUSTED_SECONDS = 30.0
# After a failure Slack is asked again soon, but not for each message.
_FAILED_SECONDS = 20.0
_PATIENCE_SECONDS = 3.0
_KEPT = 5_000


class Profiles:
    """``users.info``, kept in `person_settings` until it changes; here for half a minute.

    Slack is waited for only where nothing is known of a person, and not asked while it refuses:
    they are then answered in the language they write.
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
        if settings.profile_at is not None:
            # Slack tells of changes by itself: what is old will do until it has answered.
            if not asked_recently:
                self._ask(person, settings)
            return self._keep(person, settings, _TRUSTED_SECONDS)
        if known is not None and asked_recently:
            # Slack was asked a moment ago; what the person chose is as it was just read.
            said = known[1]
            return replace(settings, locale=said.locale, time_zone=said.time_zone)
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
                zone = str(user.get("tz") or "") or None
                await note_profile(connection, person, locale=str(user["locale"]), time_zone=zone)
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
        locale, zone = user.get("locale"), user.get("tz")
        try:
            with transaction_timeout(_PATIENCE_SECONDS):
                async with person_transaction(self._pool, person) as connection:
                    await note_profile(connection, person, locale=locale, time_zone=zone, add=True)
                    await note_presence(connection, person, gone=bool(user.get("deleted")))
                    settings = await read_settings(connection, person)
        except OperationalError as error:
            log.warning("a person's profile could not be kept: %s", fault(error))
            settings = replace(settings, locale=locale, time_zone=zone)
        return self._keep(person, settings, _TRUSTED_SECONDS)
