"""A person switches memory off and on, and chooses settings; each is one transaction."""

from __future__ import annotations

import logging
from dataclasses import asdict, replace
from datetime import UTC, datetime, timedelta
from typing import Any, LiteralString

from psycopg import AsyncConnection
from psycopg.rows import DictRow

from bot.app import App
from bot.conversation.edits import DELETE_TEXTS
from bot.conversation.inbox import OPEN
from bot.locale import Reader
from bot.people import (
    IS_NOW,
    OF_PERSON,
    Off,
    PersonSettings,
    insert_person,
    read_settings,
    set_columns,
)
from bot.ui.acts import Switch
from bot.ui.messages import off_button, off_done
from bot.ui.panel import Click, Done
from memory import Person
from memory.model import Until, until
from memory.postgres import person_transaction

log = logging.getLogger(__name__)

EVERYWHERE = ""
"""The scope of `turn_off` for all conversations; any other is the id of one."""
MORNING = 8
# Slack's clock and ours may differ: what was written right after a click belongs to it.
_FROM: LiteralString = (
    "LEAST(now(), COALESCE(to_timestamp(%(since)s::float8), now() - interval '2 seconds'))"
)
# What is still to be answered was said before, and nothing of it is kept.
_OLDEST_OPEN: LiteralString = (
    "SELECT to_timestamp(min(ts::float8)) FROM messages WHERE team_id = %(team)s"
    f" AND user_id = %(user)s AND %(scope)s IN (channel_id, '') AND {OPEN}"
)


async def turn_off(
    app: App,
    person: Person,
    scope: str = EVERYWHERE,
    *,
    until: Until | None = None,
    since: str | None = None,
) -> Off:
    """Switch memory off: in the conversation `scope` or everywhere, until a time or `turn_on`.

    It begins now, or with the message of ts `since`. Words said before that are not formed yet are
    discarded. Waits for memory writes that are under way.
    """
    async with person_transaction(app.pool, person, locked=True) as connection:
        begins = await _switch_off(connection, person, scope, until=until, since=since)
        await _discard_words(connection, person, scope, begins)
    log.info("a person switched memory off")
    return Off(until=until, here=scope != EVERYWHERE)


async def turn_on(app: App, person: Person, scope: str | None = None) -> bool:
    """Switch memory on in one conversation, with None in all and everywhere: the person agrees.

    Rows of the last month stay: what was written meanwhile is never remembered. Returns False where
    it was on.
    """
    async with person_transaction(app.pool, person) as connection:
        values = {**person.ids, "scope": scope}
        ended = await connection.execute(
            "UPDATE memory_off o SET until_at = GREATEST(now(), o.from_at)"
            f" WHERE {OF_PERSON} AND {IS_NOW}"
            " AND (%(scope)s::text IS NULL OR o.scope = %(scope)s)",
            values,
        )
        await connection.execute(
            f"DELETE FROM memory_off o WHERE {OF_PERSON}"
            " AND o.until_at < now() - interval '30 days'",
            values,
        )
        if scope is None:
            await set_columns(connection, person, "agreed_at = COALESCE(agreed_at, now())")
        return ended.rowcount > 0


async def switch(app: App, click: Click, act: Switch) -> Done:
    """Switch memory on or off, and say so with the button for the opposite."""
    reader = click.reader
    if act.to == "on":
        await turn_on(app, click.person, act.scope or None)
        line = reader.say("switched_on_here" if act.scope else "switched_on")
        return Done(line=line, buttons=[off_button(reader, act.scope)])
    now = datetime.now(UTC)
    ends = {"hour": now + timedelta(hours=1), "tomorrow": tomorrow(reader, now), "off": None}
    off = await turn_off(app, click.person, act.scope, until=until(ends[act.to]))
    return off_done(reader, off, act.scope)


def tomorrow(reader: Reader, now: datetime) -> datetime:
    """Return eight o'clock of the next morning in the reader's zone."""
    day = (now.astimezone(reader.zone) + timedelta(days=1)).date()
    return datetime(day.year, day.month, day.day, MORNING, tzinfo=reader.zone)


async def change_settings(app: App, person: Person, **chosen: Any) -> PersonSettings:
    """Store these fields of `PersonSettings`; the others stay."""
    async with person_transaction(app.pool, person) as connection:
        settings = replace(await read_settings(connection, person), **chosen)
        await set_columns(
            connection,
            person,
            "notices = %(notices)s, language = %(language)s, eagerness = %(eagerness)s,"
            " retention_days = %(retention_days)s",
            **asdict(settings),
        )
    return settings


async def _switch_off(
    connection: AsyncConnection[DictRow],
    person: Person,
    scope: str = EVERYWHERE,
    *,
    until: Until | None = None,
    since: str | None = None,
) -> float:
    """Switch memory off: until a time or `turn_on`; from now, or from the message of ts `since`.

    Returns when it began, in seconds of the epoch.
    """
    await insert_person(connection, person)
    values = {**person.ids, "scope": scope, "until": until, "since": since}
    await connection.execute(
        "UPDATE memory_off o SET until_at = GREATEST(now(), o.from_at)"
        f" WHERE {OF_PERSON} AND o.scope = %(scope)s AND {IS_NOW}",
        values,
    )
    found = await connection.execute(
        "INSERT INTO memory_off (team_id, user_id, scope, from_at, until_at)"
        f" VALUES (%(team)s, %(user)s, %(scope)s, LEAST({_FROM}, ({_OLDEST_OPEN})),"
        " CASE WHEN %(until)s::timestamptz IS NOT NULL"
        " THEN GREATEST(%(until)s::timestamptz, now()) END)"
        " ON CONFLICT (team_id, user_id, scope, from_at) DO UPDATE SET until_at = excluded.until_at"
        f" RETURNING extract(epoch FROM {_FROM})::float8 AS begins",
        values,
    )
    [row] = await found.fetchall()
    return float(row["begins"])


async def _discard_words(
    connection: AsyncConnection[DictRow], person: Person, scope: str, since: float
) -> None:
    """Blank what was said since memory was switched off, and words that were not formed yet.

    `scope` is a conversation, or '' for all; `since` is in seconds of the epoch.
    """
    in_scope: LiteralString = (
        "team_id = %(team)s AND user_id = %(user)s AND %(scope)s IN (channel_id, '')"
    )
    values = {**person.ids, "scope": scope, "since": since}
    await connection.execute(
        f"{DELETE_TEXTS} WHERE {in_scope} AND ts::float8 >= %(since)s AND begun_at IS NOT NULL",
        values,
    )
    await connection.execute(
        "UPDATE messages SET words = '', formed_at = CASE WHEN ended_at IS NOT NULL THEN now() END"
        f" WHERE {in_scope} AND formed_at IS NULL AND begun_at IS NOT NULL",
        values,
    )
