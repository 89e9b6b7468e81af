"""People: their settings, what Slack says of them, and when their memory is off.

The tables `person_settings` and `memory_off`. Functions with a connection run in the transaction of
their caller, which is one of the person.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Mapping
from dataclasses import asdict, fields
from datetime import UTC, datetime, timedelta
from typing import Any, LiteralString

from psycopg import AsyncConnection, OperationalError
from psycopg.rows import DictRow

from bot.logs import fault
from bot.slack.client import PROFILE, SLACK_FAULTS, Installations, error_code
from bot.slack.messages import API_TEAM
from bot.types import PROFILE_TRUSTED, ConsentMode, MemoryState, Off, PersonSettings
from bot.ui.reader import Reader
from memory import Person, Pool
from memory.postgres import person_transaction, transaction_timeout

log = logging.getLogger(__name__)

EVERYWHERE = ""
"""The scope of `switch_off` for all conversations; any other is the id of one."""

# --- off: the rows of `memory_off` -------------------------------------------------------------

# Slack's clock and ours may differ: what was written right after a click belongs to it.
_FROM: LiteralString = (
    "LEAST(now(), COALESCE(to_timestamp(%(since)s::float8), now() - interval '2 seconds'))"
)
_NOW: LiteralString = "(o.until_at IS NULL OR o.until_at > now())"
_OF_PERSON: LiteralString = "o.team_id = %(team)s AND o.user_id = %(user)s"
# Whether memory was off when a message was written or edited.
_COVERS_MESSAGE: LiteralString = (
    "o.scope IN ('', %(channel)s) AND (tstzrange(o.from_at, o.until_at) @>"
    " to_timestamp(%(ts)s::text::float8) OR tstzrange(o.from_at, o.until_at) @> (SELECT edited_at"
    " FROM messages WHERE team_id = %(team)s AND channel_id = %(channel)s AND ts = %(ts)s))"
)


def off_record(row: LiteralString) -> LiteralString:
    """Return the condition that memory was off when the message `row` was written or edited."""
    return (
        f"EXISTS (SELECT FROM memory_off o WHERE o.team_id = {row}.team_id"
        f" AND o.user_id = {row}.user_id AND o.scope IN ('', {row}.channel_id)"
        f" AND (tstzrange(o.from_at, o.until_at) @> to_timestamp({row}.ts::float8)"
        f" OR tstzrange(o.from_at, o.until_at) @> {row}.edited_at))"
    )


async def switch_off(
    connection: AsyncConnection[DictRow],
    person: Person,
    scope: str = EVERYWHERE,
    *,
    until: datetime | None = None,
    since: str | None = None,
) -> float:
    """Switch memory off: until a time or `switch_on`; from now, or from the message of ts `since`.

    Returns when it began, in seconds of the epoch.
    """
    await _upsert(connection, person)
    values = {**person.ids, "scope": scope, "until": until, "since": since}
    await connection.execute(
        "UPDATE memory_off o SET until_at = GREATEST(now(), o.from_at)"
        f" WHERE {_OF_PERSON} AND o.scope = %(scope)s AND {_NOW}",
        values,
    )
    found = await connection.execute(
        "INSERT INTO memory_off (team_id, user_id, scope, from_at, until_at)"
        f" VALUES (%(team)s, %(user)s, %(scope)s, {_FROM}, CASE WHEN %(until)s::timestamptz IS NOT"
        " NULL THEN GREATEST(%(until)s::timestamptz, now()) END)"
        " ON CONFLICT (team_id, user_id, scope, from_at) DO UPDATE SET until_at = excluded.until_at"
        " RETURNING extract(epoch FROM from_at)::float8 AS begins",
        values,
    )
    [row] = await found.fetchall()
    return float(row["begins"])


async def switch_on(
    connection: AsyncConnection[DictRow], person: Person, scope: str | None = None
) -> bool:
    """Switch memory on in one conversation, with None in all and everywhere: the person agrees.

    Rows of the last month stay: what was written meanwhile is never remembered. Returns False where
    it was on.
    """
    values = {**person.ids, "scope": scope}
    ended = await connection.execute(
        "UPDATE memory_off o SET until_at = GREATEST(now(), o.from_at)"
        f" WHERE {_OF_PERSON} AND {_NOW}"
        " AND (%(scope)s::text IS NULL OR o.scope = %(scope)s)",
        values,
    )
    await connection.execute(
        f"DELETE FROM memory_off o WHERE {_OF_PERSON} AND o.until_at < now() - interval '30 days'",
        values,
    )
    if scope is None:
        await _set(connection, person, "agreed_at = COALESCE(agreed_at, now())")
    return ended.rowcount > 0


async def read_off_conversations(connection: AsyncConnection[DictRow], person: Person) -> list[str]:
    """Return the ids of the conversations in which memory is off now."""
    found = await connection.execute(
        f"SELECT DISTINCT scope FROM memory_off o WHERE {_OF_PERSON} AND {_NOW} AND o.scope <> ''"
        " ORDER BY scope",
        person.ids,
    )
    return [row["scope"] for row in await found.fetchall()]


# --- settings ----------------------------------------------------------------------------------

SETTINGS: LiteralString = (
    "s.team_id IS NOT NULL AS known, everywhere.is_off AS switched_off,"
    " CASE WHEN everywhere.ends THEN everywhere.until_at END AS off_until,"
    " s.agreed_at IS NOT NULL AS agreed, s.notices, s.eagerness, s.language,"
    " s.told_at IS NOT NULL AS informed, s.retention_days, s.locale, s.time_zone, s.profile_at,"
    " s.deactivated_at IS NOT NULL AS deactivated"
)
"""Columns of `SETTINGS_JOIN`, which `settings_of` reads."""
SETTINGS_JOIN: LiteralString = (
    " LEFT JOIN person_settings s ON s.team_id = %(team)s AND s.user_id = %(user)s"
    " CROSS JOIN LATERAL (SELECT count(*) > 0 AS is_off, max(o.until_at) AS until_at,"
    " bool_and(o.until_at IS NOT NULL) AS ends FROM memory_off o"
    f" WHERE {_OF_PERSON} AND o.scope = '' AND {_NOW}) everywhere"
)
_NAMES = tuple(field.name for field in fields(PersonSettings))
_DEFAULTS = PersonSettings()


async def read_settings(connection: AsyncConnection[DictRow], person: Person) -> PersonSettings:
    """Return a person's settings; defaults for a person who never chose any."""
    found = await connection.execute(
        f"SELECT {SETTINGS} FROM (SELECT) always {SETTINGS_JOIN}", person.ids
    )
    [row] = await found.fetchall()
    return settings_of(row)


def settings_of(row: Mapping[str, Any]) -> PersonSettings:
    """Return the settings in a row that has the columns of `SETTINGS`."""
    return PersonSettings(**{name: row[name] for name in _NAMES}) if row["known"] else _DEFAULTS


MEMORY_STATE: LiteralString = (
    f"SELECT {SETTINGS},"
    f" EXISTS (SELECT FROM memory_off o WHERE {_OF_PERSON} AND {_COVERS_MESSAGE}) AS said_off,"
    f" EXISTS (SELECT FROM memory_off o WHERE {_OF_PERSON} AND {_NOW}"
    " AND o.scope = %(channel)s) AS off_here"
    f" FROM (SELECT) always {SETTINGS_JOIN}"
)
"""A query of one row that `memory_state_of` reads: of a message, by its channel and ts."""


async def read_memory_state(
    connection: AsyncConnection[DictRow], person: Person, channel: str, ts: str, mode: ConsentMode
) -> MemoryState:
    """Return what memory may do for a message of the person."""
    values = {**person.ids, "channel": channel, "ts": ts}
    [row] = await (await connection.execute(MEMORY_STATE, values)).fetchall()
    return memory_state_of(row, mode)


def memory_state_of(row: DictRow, mode: ConsentMode) -> MemoryState:
    """Return what memory may do for a message."""
    settings = settings_of(row)
    off = settings.off(mode) or (Off(here=True) if row["off_here"] else None)
    return MemoryState(
        settings=settings,
        off=off,
        on_record=off is None and not row["said_off"],
        asks=mode == "ask" and not settings.agreed and not settings.switched_off,
    )


async def choose(
    connection: AsyncConnection[DictRow], person: Person, chosen: PersonSettings
) -> None:
    """Store whether there are notices, the language, how eagerly is remembered, how long kept."""
    await _set(
        connection,
        person,
        "notices = %(notices)s, language = %(language)s, eagerness = %(eagerness)s,"
        " retention_days = %(retention_days)s",
        **asdict(chosen),
    )


async def note_informed(connection: AsyncConnection[DictRow], person: Person) -> None:
    """Record that the person was informed of memory, or asked whether they agree to it."""
    await _set(connection, person, "told_at = now()")


async def _set(
    connection: AsyncConnection[DictRow],
    person: Person,
    assignments: LiteralString,
    **values: object,
) -> None:
    await _upsert(connection, person)
    await connection.execute(
        f"UPDATE person_settings SET {assignments} WHERE team_id = %(team)s AND user_id = %(user)s",
        {**person.ids, **values},
    )


async def _upsert(connection: AsyncConnection[DictRow], person: Person) -> None:
    await connection.execute(
        "INSERT INTO person_settings (team_id, user_id) VALUES (%(team)s, %(user)s)"
        " ON CONFLICT DO NOTHING",
        person.ids,
    )


# --- what Slack says of people -----------------------------------------------------------------

_PATIENCE_SECONDS = 3.0
_FAILED = timedelta(seconds=20)


class People:
    """``users.info``, kept in `person_settings` until it changes.

    Slack is not asked while it refuses: people are then answered in the language they write.
    """

    def __init__(self, pool: Pool, slack: Installations) -> None:
        self._pool = pool
        self._slack = slack

    async def reader(
        self, person: Person, text: str = "", *, settings: PersonSettings | None = None
    ) -> Reader:
        """Return the language to answer a person in, and their time zone.

        It is the language they chose, else their Slack's, which Slack does not tell of people of
        other workspaces: then that of `text`. `settings` are theirs, if just read.
        """
        return Reader.of(await self.settings(person, settings=settings), text)

    async def settings(
        self, person: Person, *, settings: PersonSettings | None = None
    ) -> PersonSettings:
        """Return a person's settings with what Slack says of them; `settings` if just read."""
        try:
            if settings is None:
                with transaction_timeout(_PATIENCE_SECONDS):
                    async with person_transaction(self._pool, person) as connection:
                        settings = await read_settings(connection, person)
            if settings.profile_is_fresh or person.team_id == API_TEAM:
                return settings
            user, now = await self._user(person), datetime.now(UTC)
            with transaction_timeout(_PATIENCE_SECONDS):
                async with person_transaction(self._pool, person) as connection:
                    # After a failure Slack is asked again soon, but not for each message.
                    at = now if user else now - PROFILE_TRUSTED + _FAILED
                    await _set(connection, person, "profile_at = %(at)s", at=at)
                    if user:
                        await _note_profile(connection, person, user, at)
                    return await read_settings(connection, person)
        except OperationalError as error:
            log.warning("a person's settings could not be read or kept: %s", fault(error))
            return settings or PersonSettings()

    async def changed(self, person: Person, user: Mapping[str, Any]) -> None:
        """Take note of a ``user_change``; what it does not say is asked of Slack next time."""
        async with person_transaction(self._pool, person) as connection:
            at = datetime.now(UTC) if user.get("locale") else None
            await _note_profile(connection, person, user, at)

    async def is_active(self, person: Person) -> bool | None:
        """Ask Slack whether a person's account is active, and store it; None: it did not answer.

        An account that Slack does not know is not active.
        """
        user = await self._user(person)
        if user is None:
            return None
        active = bool(user) and not user.get("deleted")
        if active:
            await self.changed(person, user)
        return active

    async def _user(self, person: Person) -> Mapping[str, Any] | None:
        """Return Slack's user object, empty for an unknown person; None: the answer has none."""
        if self._slack.limits.wait(person.team_id, PROFILE):
            return None
        try:
            async with asyncio.timeout(_PATIENCE_SECONDS):
                client = self._slack.client(person.team_id)
                answer = await client.users_info(user=person.user_id, include_locale=True)
        except SLACK_FAULTS as error:
            if error_code(error) == "user_not_found":
                return {}
            log.info("a person could not be looked up: %s", error_code(error) or fault(error))
            return None
        return answer.get("user")


async def _note_profile(
    connection: AsyncConnection[DictRow],
    person: Person,
    user: Mapping[str, Any],
    at: datetime | None,
) -> None:
    """Keep Slack's user object of a person who is known here, as Slack said it `at` a time.

    Its locale, its zone, and whether it is deactivated. None: Slack is asked again next time.
    """
    await connection.execute(
        "UPDATE person_settings SET locale = COALESCE(%(locale)s, locale),"
        " time_zone = COALESCE(%(zone)s, time_zone), profile_at = %(at)s,"
        " deactivated_at = CASE WHEN %(gone)s THEN COALESCE(deactivated_at, now()) END"
        " WHERE team_id = %(team)s AND user_id = %(user)s",
        {
            **person.ids,
            "locale": user.get("locale") or None,
            "zone": user.get("tz") or None,
            "at": at,
            "gone": bool(user.get("deleted")),
        },
    )
