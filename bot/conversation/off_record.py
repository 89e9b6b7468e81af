"""Turns off the record: their texts are blanked, and no memory is formed of them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, LiteralString
from uuid import UUID

from psycopg import AsyncConnection
from psycopg.rows import DictRow

from bot.slack.messages import Message, scopes
from bot.types import DIRECT
from memory import DM, Person

_OFF_RECORD: LiteralString = (
    "UPDATE turns SET off_record = true, question = '', words = '', reply = NULL,"
    " formed_at = CASE WHEN ended_at IS NOT NULL THEN COALESCE(formed_at, now()) END"
)

_IN_SCOPE: LiteralString = (
    "team_id = %(team)s AND user_id = %(user)s AND question_ts::float8 >= %(since)s"
    " AND NOT off_record AND (thread = %(scope)s"
    " OR (%(scope)s = %(direct)s AND starts_with(channel_id, 'D')))"
)


def _of_scope(person: Person, scope: str, since: float) -> dict[str, Any]:
    return {**person.ids, "scope": scope, "since": since, "direct": DIRECT}


async def put_scope_off_record(
    connection: AsyncConnection[DictRow], person: Person, scope: str, since: float
) -> None:
    """Blank a person's turns in the scope of an incognito switch.

    `scope` is a thread, or `DIRECT` for all direct messages; `since`, in seconds of the epoch, is
    when the first of these turns' messages was sent.
    """
    await connection.execute(f"{_OFF_RECORD} WHERE {_IN_SCOPE}", _of_scope(person, scope, since))


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
        "SELECT question_ts FROM turns WHERE team_id = %s AND user_id = %s"
        " AND channel_id = %s AND question_ts < %s AND (thread = %s OR audience = %s)"
        " ORDER BY question_ts DESC LIMIT 1",
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
    return str(row["question_ts"]) if row else None


async def has_turn(connection: AsyncConnection[DictRow], message: Message, words: str) -> bool:
    """Return whether a message has a turn that is on the record and still has these words.

    It has others after an edit, and none after the message was deleted or forgotten.
    """
    found = await connection.execute(
        "SELECT FROM turns WHERE team_id = %s AND channel_id = %s AND question_ts = %s"
        " AND words = %s AND NOT off_record",
        (message.team_id, message.channel_id, message.ts, words),
    )
    return await found.fetchone() is not None


async def is_off_record(
    connection: AsyncConnection[DictRow], person: Person, channel: str, ts: str, thread: str
) -> bool:
    """Return whether no memory may be formed from a message: pause, incognito, or on request."""
    found = await connection.execute(
        "SELECT EXISTS (SELECT FROM turns WHERE team_id = %(team)s AND channel_id = %(channel)s"
        " AND question_ts = %(ts)s AND user_id = %(user)s AND off_record)"
        " OR EXISTS (SELECT FROM incognito_threads WHERE team_id = %(team)s"
        " AND user_id = %(user)s AND thread = ANY(%(scopes)s)"
        " AND spans @> to_timestamp(%(ts)s::text::float8))"
        " OR EXISTS (SELECT FROM person_settings WHERE team_id = %(team)s AND user_id = %(user)s"
        " AND pauses @> to_timestamp(%(ts)s::text::float8)) AS unkept",
        {
            **person.ids,
            "channel": channel,
            "ts": ts,
            "scopes": scopes(channel, thread),
        },
    )
    row = await found.fetchone()
    return row is not None and bool(row["unkept"])
