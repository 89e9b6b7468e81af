"""Settings of a person's memory: the `person_settings` table."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import fields
from datetime import datetime
from typing import Any, Literal, LiteralString

from psycopg import AsyncConnection
from psycopg.rows import DictRow

from bot.slack.messages import Message, scopes
from bot.types import ConsentMode, MemoryOffReason, MemoryState, PersonSettings
from bot.users.incognito import COVERS_EVENT
from memory import Person

MAX_RETENTION_DAYS = 36_500
# Slack's clock and ours may differ: what was written right after a pause belongs to it.
_FROM_NOW: LiteralString = (
    "tstzmultirange(tstzrange(now() - interval '2 seconds', CASE WHEN %(until)s::timestamptz"
    " IS NOT NULL THEN GREATEST(%(until)s::timestamptz, now()) END))"
)

SETTINGS: LiteralString = (
    "s.team_id IS NOT NULL AS known, COALESCE(s.pauses @> now(), false) AS paused,"
    " CASE WHEN s.pauses @> now() THEN upper(s.pauses) END AS paused_until,"
    " s.notices, s.language, s.consent, s.told_at IS NOT NULL AS informed,"
    " s.retention_days, s.locale, s.time_zone, s.profile_at,"
    " s.deactivated_at IS NOT NULL AS deactivated"
)
"""Columns of `person_settings` as `s`, joined from the left; `settings_of` reads them."""
_NAMES = tuple(field.name for field in fields(PersonSettings))
_DEFAULTS = PersonSettings()


async def read_settings(connection: AsyncConnection[DictRow], person: Person) -> PersonSettings:
    """Return a person's settings; defaults for a person who never chose any."""
    found = await connection.execute(
        f"SELECT {SETTINGS} FROM person_settings s WHERE team_id = %s AND user_id = %s",
        (person.team_id, person.user_id),
    )
    row = await found.fetchone()
    return settings_of(row) if row else _DEFAULTS


MEMORY_STATE: LiteralString = (
    f"SELECT {SETTINGS}, s.pauses @> said.at OR s.pauses @> said.edited_at AS said_paused,"
    " (SELECT i.thread FROM incognito_threads i WHERE i.team_id = %(team)s"
    " AND i.user_id = %(user)s AND i.thread = ANY(%(scopes)s)"
    " AND (i.spans @> said.at OR i.spans @> said.edited_at)"
    " ORDER BY length(i.thread) LIMIT 1) AS incognito"
    " FROM (SELECT to_timestamp(%(ts)s::text::float8) AS at,"
    " (SELECT edited_at FROM inbox_events"
    " WHERE team_id = %(team)s AND channel_id = %(channel)s AND ts = %(ts)s) AS edited_at) said"
    " LEFT JOIN person_settings s ON s.team_id = %(team)s AND s.user_id = %(user)s"
)
"""A query of one row that `memory_state_of` reads; `memory_state_parameters` has its values."""


def memory_state_parameters(message: Message) -> dict[str, Any]:
    """Return the parameters of `MEMORY_STATE`."""
    return {
        "team": message.team_id,
        "user": message.user_id,
        "channel": message.channel_id,
        "scopes": scopes(message.channel_id, message.thread),
        "ts": message.ts,
    }


async def read_memory_state(
    connection: AsyncConnection[DictRow], message: Message, mode: ConsentMode
) -> MemoryState:
    """Return what memory may do for `message`."""
    found = await connection.execute(MEMORY_STATE, memory_state_parameters(message))
    [row] = await found.fetchall()
    return memory_state_of(row, mode)


def settings_of(row: Mapping[str, Any]) -> PersonSettings:
    """Return the settings in a row that has the columns of `SETTINGS`."""
    return PersonSettings(**{name: row[name] for name in _NAMES}) if row["known"] else _DEFAULTS


def memory_state_of(row: DictRow, mode: ConsentMode) -> MemoryState:
    """Return what memory may do for a message."""
    settings = settings_of(row)
    off: MemoryOffReason | None = "incognito" if row["incognito"] else settings.off_reason(mode)
    return MemoryState(
        settings=settings,
        off=off,
        on_record=off in (None, "paused") and not row["said_paused"],
        incognito=row["incognito"],
    )


# Whether a message `e` of the inbox is not to be remembered, as far as is known before its turn.
OFF_RECORD: LiteralString = (
    f"EXISTS (SELECT FROM incognito_threads i WHERE {COVERS_EVENT})"
    " OR EXISTS (SELECT FROM person_settings s WHERE s.team_id = e.team_id"
    " AND s.user_id = e.user_id"
    " AND (s.pauses @> to_timestamp(e.ts::float8) OR s.pauses @> e.edited_at))"
    " OR EXISTS (SELECT FROM turns t WHERE t.team_id = e.team_id AND t.channel_id = e.channel_id"
    " AND t.question_ts = e.ts AND t.off_record)"
)


# --- what changes them; each in the transaction of the caller, as the person ------------------


async def pause(
    connection: AsyncConnection[DictRow],
    person: Person,
    until: datetime | None,
    *,
    may_shorten: bool = True,
) -> None:
    """Pause memory from now until a moment, or until `resume`.

    Unless it `may_shorten` an earlier pause, that lasts as long as before.
    """
    if may_shorten:
        await resume(connection, person)
    await _set(connection, person, f"pauses = pauses + {_FROM_NOW}", until=until)


async def resume(connection: AsyncConnection[DictRow], person: Person) -> None:
    """End a pause. Pauses of the last month stay recorded: no message waits longer."""
    month: LiteralString = "tstzmultirange(tstzrange(now() - interval '30 days', now()))"
    await _set(connection, person, f"pauses = pauses * {month}")


async def choose(
    connection: AsyncConnection[DictRow], person: Person, chosen: PersonSettings
) -> None:
    """Store whether there are notices, the language, and for how many days memories are kept."""
    await _set(
        connection,
        person,
        "notices = %(notices)s, language = %(language)s, retention_days = %(retention_days)s",
        notices=chosen.notices,
        language=chosen.language,
        retention_days=chosen.retention_days,
    )


async def decide(
    connection: AsyncConnection[DictRow], person: Person, consent: Literal["agreed", "refused"]
) -> None:
    """Store whether the person agrees to being remembered, and when they said so."""
    await _set(connection, person, "consent = %(consent)s, consent_at = now()", consent=consent)


async def note_informed(connection: AsyncConnection[DictRow], person: Person) -> None:
    """Record that the person was informed of memory, or asked whether they agree to it."""
    await _set(connection, person, "told_at = now()")


async def note_profile(
    connection: AsyncConnection[DictRow],
    person: Person,
    *,
    locale: str | None,
    time_zone: str | None,
    add: bool = False,
) -> None:
    """Keep what Slack says of a person who is known here, or with `add` of anyone."""
    if add:
        await _upsert(connection, person)
    await connection.execute(
        "UPDATE person_settings SET locale = %s, time_zone = COALESCE(%s, time_zone),"
        " profile_at = now() WHERE team_id = %s AND user_id = %s",
        (locale, time_zone, person.team_id, person.user_id),
    )


async def note_presence(
    connection: AsyncConnection[DictRow], person: Person, *, gone: bool
) -> None:
    """Note that the account of a person who is known here was deactivated, or is active again."""
    await connection.execute(
        "UPDATE person_settings SET deactivated_at = CASE WHEN %s THEN"
        " COALESCE(deactivated_at, now()) END WHERE team_id = %s AND user_id = %s"
        " AND (deactivated_at IS NOT NULL) <> %s",
        (gone, person.team_id, person.user_id, gone),
    )


async def doubt_profile(connection: AsyncConnection[DictRow], person: Person) -> None:
    """Ask Slack again next time: the person's profile has changed."""
    await connection.execute(
        "UPDATE person_settings SET profile_at = NULL WHERE team_id = %s AND user_id = %s",
        (person.team_id, person.user_id),
    )


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
