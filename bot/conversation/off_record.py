"""Turns off the record: their texts are blanked, and no memory is formed of them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import LiteralString
from uuid import UUID

from psycopg import AsyncConnection
from psycopg.rows import DictRow

from bot.people import was_off
from bot.slack.messages import Message
from memory import DM, Person

_OFF_RECORD: LiteralString = (
    "UPDATE messages SET off_record = true, question = '', words = '', reply = NULL,"
    " formed_at = CASE WHEN ended_at IS NOT NULL THEN COALESCE(formed_at, now()) END"
)


async def discard_words(
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
        f"{_OFF_RECORD} WHERE {in_scope} AND ts::float8 >= %(since)s AND NOT off_record"
        " AND begun_at IS NOT NULL",
        values,
    )
    await connection.execute(
        "UPDATE messages SET words = '', formed_at = CASE WHEN ended_at IS NOT NULL THEN now() END"
        f" WHERE {in_scope} AND formed_at IS NULL AND begun_at IS NOT NULL",
        values,
    )


async def delete_texts(
    connection: AsyncConnection[DictRow], person: Person, turns: Sequence[UUID]
) -> None:
    """Blank the texts of a person's turns; no memory is formed from them."""
    await connection.execute(
        f"{_OFF_RECORD} WHERE id = ANY(%s) AND team_id = %s AND user_id = %s",
        (list(turns), person.team_id, person.user_id),
    )


async def message_before(connection: AsyncConnection[DictRow], message: Message) -> str | None:
    """Return the ts of the author's message before this one: in its thread, in a DM in any."""
    found = await connection.execute(
        "SELECT ts FROM messages WHERE team_id = %s AND user_id = %s AND begun_at IS NOT NULL"
        " AND channel_id = %s AND ts < %s AND (thread = %s OR audience = %s)"
        " ORDER BY ts DESC LIMIT 1",
        (
            message.team_id,
            message.user_id,
            message.channel_id,
            message.ts,
            message.thread,
            DM,
        ),
    )
    row = await found.fetchone()
    return str(row["ts"]) if row else None


async def has_turn(connection: AsyncConnection[DictRow], message: Message, words: str) -> bool:
    """Return whether a message has a turn that is on the record and still has these words.

    It has others after an edit, and none after the message was deleted or forgotten.
    """
    found = await connection.execute(
        "SELECT FROM messages WHERE team_id = %s AND channel_id = %s AND ts = %s"
        " AND begun_at IS NOT NULL AND words = %s AND NOT off_record",
        (message.team_id, message.channel_id, message.ts, words),
    )
    return await found.fetchone() is not None


async def is_off_record(
    connection: AsyncConnection[DictRow], person: Person, channel: str, ts: str
) -> bool:
    """Return whether no memory may be formed from a message: memory was off, or on request."""
    found = await connection.execute(
        "SELECT FROM messages WHERE team_id = %(team)s AND channel_id = %(channel)s"
        " AND ts = %(ts)s AND user_id = %(user)s AND off_record",
        {**person.ids, "channel": channel, "ts": ts},
    )
    return await found.fetchone() is not None or await was_off(connection, person, channel, ts)
