"""The stored texts of a person's turns: blanked when memories are forgotten, or off the record."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, LiteralString
from uuid import UUID

from psycopg import AsyncConnection
from psycopg.rows import DictRow

from bot.conversation.callbacks import UpdateNotices
from bot.conversation.periods import Period
from bot.slack.messages import Message, scopes
from bot.types import DIRECT
from memory import DM, Memory, MessageKey, Person, Pool, SubjectTerms, person_transaction


async def has_texts(pool: Pool, person: Person) -> bool:
    """Return whether any text of this person's turns is stored."""
    async with person_transaction(pool, person) as connection:
        found = await connection.execute(
            "SELECT FROM turns WHERE team_id = %s AND user_id = %s"
            " AND (question <> '' OR words <> '' OR reply IS NOT NULL) LIMIT 1",
            (person.team_id, person.user_id),
        )
        return await found.fetchone() is not None


async def has_recalled(connection: AsyncConnection[DictRow], person: Person) -> bool:
    """Return whether any memory of this person was used for a reply to them."""
    found = await connection.execute(
        "SELECT FROM turns WHERE team_id = %s AND user_id = %s AND recalled <> '{}' LIMIT 1",
        (person.team_id, person.user_id),
    )
    return await found.fetchone() is not None


async def blank_texts(
    connection: AsyncConnection[DictRow],
    memories: Sequence[Memory] | None,
    *,
    person: Person,
    period: Period | None = None,
    update_notices: UpdateNotices,
) -> list[dict[str, Any]]:
    """Blank the turns that are sources of these memories, or whose reply used and names one.

    None means every turn of the person; the turns of `period` are blanked in any case. Returns the
    texts for `restore_texts`, with the channel and ts of each message. `update_notices` is awaited
    first.
    """
    await update_notices(connection, person, memories)
    meant: LiteralString = "true"
    if memories is not None:
        meant = f"({_IN_PERIOD})" if period else "false"
    condition: LiteralString = (
        f"({meant} OR (channel_id, question_ts) IN (SELECT * FROM unnest(%(channels)s::text[],"
        " %(times)s::text[])) OR EXISTS (SELECT FROM unnest(recalled) AS seen"
        " WHERE seen = ANY(%(references)s::text[])))"
    )
    messages = {key for memory in memories or () for key in memory.source_messages}
    found = await connection.execute(
        f"SELECT id, channel_id, question_ts, reply_ts, question, words, reply, {meant} AS meant"
        " FROM turns"
        f" WHERE team_id = %(team)s AND user_id = %(user)s AND {condition}"
        " AND (question <> '' OR words <> '' OR reply IS NOT NULL) FOR UPDATE",
        {
            **_of_period(person, period or Period()),
            "channels": [channel for channel, _ in messages],
            "times": [ts for _, ts in messages],
            "references": [memory.reference for memory in memories or ()],
        },
    )
    turns = await found.fetchall()
    taken = await asyncio.to_thread(_taken, turns, memories, messages)
    if taken:
        await connection.execute(
            f"UPDATE turns SET {_BLANKED} FROM unnest(%(ids)s::uuid[], %(question)s::bool[],"
            " %(words)s::bool[], %(reply)s::bool[]) AS gone (id, question, words, reply)"
            " WHERE turns.id = gone.id AND team_id = %(team)s AND user_id = %(user)s",
            {
                **person.ids,
                "ids": [one["id"] for one in taken],
                **{name: [name in one for one in taken] for name in _TEXTS},
            },
        )
    # What people said of an answer may repeat it.
    await connection.execute(
        "UPDATE feedback SET comment = '' WHERE team_id = %s AND user_id = %s AND comment <> ''"
        " AND (%s OR turn_id = ANY(%s::uuid[]))",
        (person.team_id, person.user_id, memories is None, [one["id"] for one in taken]),
    )
    return taken


_IN_PERIOD: LiteralString = (
    "CASE WHEN %(thread)s::text IS NOT NULL THEN thread = %(thread)s ELSE"
    " question_ts::float8 >= %(since)s AND (%(until)s::float8 IS NULL"
    " OR question_ts::float8 < %(until)s) END"
)


def _of_period(person: Person, period: Period) -> dict[str, Any]:
    return {
        **person.ids,
        "since": period.since,
        "until": period.until,
        "thread": period.thread,
    }


async def messages_in(
    connection: AsyncConnection[DictRow], person: Person, period: Period
) -> tuple[set[MessageKey], int]:
    """Return a person's messages of a period, and the number of those whose text is stored."""
    found = await connection.execute(
        "SELECT channel_id, question_ts, question <> '' OR words <> '' OR reply IS NOT NULL AS kept"
        f" FROM turns WHERE team_id = %(team)s AND user_id = %(user)s AND {_IN_PERIOD}",
        _of_period(person, period),
    )
    rows = await found.fetchall()
    messages = {(row["channel_id"], row["question_ts"]) for row in rows}
    return messages, sum(row["kept"] for row in rows)


async def latest_thread(
    connection: AsyncConnection[DictRow], person: Person, channel: str
) -> str | None:
    """Return the thread of a person's newest direct message in `channel`."""
    found = await connection.execute(
        "SELECT thread FROM turns WHERE team_id = %s AND user_id = %s AND channel_id = %s"
        " AND audience = %s ORDER BY question_ts DESC LIMIT 1",
        (person.team_id, person.user_id, channel, DM),
    )
    row = await found.fetchone()
    return str(row["thread"]) if row else None


_TEXTS = ("question", "words", "reply")


_BLANKED: LiteralString = (
    "question = CASE WHEN gone.question THEN '' ELSE turns.question END,"
    " words = CASE WHEN gone.words THEN '' ELSE turns.words END,"
    " reply = CASE WHEN gone.reply THEN NULL ELSE turns.reply END"
)


def _taken(
    turns: Sequence[DictRow],
    memories: Sequence[Memory] | None,
    messages: set[MessageKey],
) -> list[dict[str, Any]]:
    """Return the texts of each turn that are to be blanked, with the keys of their messages."""
    names = SubjectTerms(memories or ())
    taken: list[dict[str, Any]] = []
    for row in turns:
        gone = {name: row[name] for name in _TEXTS}
        if not (row["meant"] or (row["channel_id"], row["question_ts"]) in messages):
            gone = {name: text for name, text in gone.items() if names.found_in(text or "")}
        if gone:
            times = [row["question_ts"], *(row["reply_ts"] if "reply" in gone else [])]
            places = [[row["channel_id"], ts] for ts in times]
            taken.append({"id": str(row["id"]), "places": places, **gone})
    return taken


async def restore_texts(
    connection: AsyncConnection[DictRow], texts: Sequence[dict[str, Any]]
) -> None:
    """Restore the texts that `blank_texts` returned."""
    if not texts:
        return
    await connection.execute(
        "UPDATE turns SET question = COALESCE(kept.question, turns.question),"
        " words = COALESCE(kept.words, turns.words), reply = COALESCE(kept.reply, turns.reply)"
        " FROM unnest(%(ids)s::uuid[], %(question)s::text[], %(words)s::text[], %(reply)s::text[])"
        " AS kept (id, question, words, reply) WHERE turns.id = kept.id AND NOT off_record",
        {
            "ids": [one["id"] for one in texts],
            **{name: [one.get(name) for one in texts] for name in _TEXTS},
        },
    )


# --- off the record -----------------------------------------------------------------------

_OFF_RECORD: LiteralString = (
    "UPDATE turns SET off_record = true, question = '', words = '', reply = NULL,"
    " withheld_at = NULL,"
    " formed_at = CASE WHEN ended_at IS NOT NULL THEN COALESCE(formed_at, now()) END"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class LastTurn:
    """The id of a turn, and its message."""

    id: UUID
    message: MessageKey


async def put_off_record(connection: AsyncConnection[DictRow], turn: UUID) -> None:
    """Blank the texts of a turn, and never form a memory from it."""
    await connection.execute(f"{_OFF_RECORD} WHERE id = %s", (turn,))


_IN_SCOPE: LiteralString = (
    "team_id = %(team)s AND user_id = %(user)s AND question_ts::float8 >= %(since)s"
    " AND NOT off_record AND (thread = %(scope)s"
    " OR (%(scope)s = %(direct)s AND starts_with(channel_id, 'D')))"
)


def _of_scope(person: Person, scope: str, since: float) -> dict[str, Any]:
    return {
        **person.ids,
        "scope": scope,
        "since": since,
        "direct": DIRECT,
    }


async def put_scope_off_record(
    connection: AsyncConnection[DictRow], person: Person, scope: str, since: float
) -> None:
    """Blank a person's turns in the scope of an incognito switch.

    `scope` is a thread, or `DIRECT` for all direct messages; `since`, in seconds of the epoch, is
    when the first of these turns' messages was sent.
    """
    await connection.execute(f"{_OFF_RECORD} WHERE {_IN_SCOPE}", _of_scope(person, scope, since))


async def withhold_scope(
    connection: AsyncConnection[DictRow], person: Person, scope: str, since: float
) -> list[UUID]:
    """Withhold the turns that `put_scope_off_record` blanks; return their ids."""
    changed = await connection.execute(
        f"UPDATE turns SET withheld_at = now() WHERE {_IN_SCOPE} AND withheld_at IS NULL"
        " RETURNING id",
        _of_scope(person, scope, since),
    )
    return [row["id"] for row in await changed.fetchall()]


async def withhold(connection: AsyncConnection[DictRow], turns: Sequence[UUID]) -> list[UUID]:
    """Withhold turns: their texts are not read, and no memory is formed. Return their ids."""
    changed = await connection.execute(
        "UPDATE turns SET withheld_at = now() WHERE id = ANY(%s) AND withheld_at IS NULL"
        " AND NOT off_record RETURNING id",
        (list(turns),),
    )
    return [row["id"] for row in await changed.fetchall()]


async def end_withholding(
    connection: AsyncConnection[DictRow], person: Person, turns: Sequence[UUID]
) -> int:
    """End the withholding of a person's turns; return how many there were."""
    changed = await connection.execute(
        "UPDATE turns SET withheld_at = NULL WHERE id = ANY(%s) AND team_id = %s AND user_id = %s"
        " AND withheld_at IS NOT NULL",
        (list(turns), person.team_id, person.user_id),
    )
    return changed.rowcount


async def delete_texts(
    connection: AsyncConnection[DictRow], person: Person, turns: Sequence[UUID]
) -> None:
    """Blank the texts of a person's turns, withheld or not."""
    await connection.execute(
        f"{_OFF_RECORD} WHERE id = ANY(%s) AND team_id = %s AND user_id = %s",
        (list(turns), person.team_id, person.user_id),
    )


async def discard_unformed_words(connection: AsyncConnection[DictRow], person: Person) -> None:
    """Blank a person's words that are not formed yet, so that no memory is formed from them."""
    await connection.execute(
        "UPDATE turns SET words = '', formed_at = CASE WHEN ended_at IS NOT NULL THEN now() END"
        " WHERE team_id = %s AND user_id = %s AND formed_at IS NULL",
        (person.team_id, person.user_id),
    )


async def last_turn(connection: AsyncConnection[DictRow], message: Message) -> LastTurn | None:
    """Return the author's turn before `message`: in its thread, in a direct message in any."""
    found = await connection.execute(
        "SELECT id, channel_id, question_ts FROM turns WHERE team_id = %s AND user_id = %s"
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
    if row is None:
        return None
    return LastTurn(id=row["id"], message=(row["channel_id"], row["question_ts"]))


async def has_turn(connection: AsyncConnection[DictRow], message: Message) -> bool:
    """Return whether a message has a turn that is on the record."""
    found = await connection.execute(
        "SELECT FROM turns WHERE team_id = %s AND channel_id = %s AND question_ts = %s"
        " AND NOT off_record AND withheld_at IS NULL",
        (message.team_id, message.channel_id, message.ts),
    )
    return await found.fetchone() is not None


async def is_off_record(
    connection: AsyncConnection[DictRow], person: Person, channel: str, ts: str, thread: str
) -> bool:
    """Return whether no memory may be formed from a message: pause, incognito, or on request."""
    found = await connection.execute(
        "SELECT EXISTS (SELECT FROM turns WHERE team_id = %(team)s AND channel_id = %(channel)s"
        " AND question_ts = %(ts)s AND user_id = %(user)s"
        " AND (off_record OR withheld_at IS NOT NULL))"
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


async def mark_message_formed(
    connection: AsyncConnection[DictRow], person: Person, channel: str, ts: str
) -> None:
    """Record that memories were formed from a message, so that formation skips it."""
    await connection.execute(
        "UPDATE turns SET formed_at = now() WHERE team_id = %s AND user_id = %s"
        " AND channel_id = %s AND question_ts = %s AND ended_at IS NOT NULL AND formed_at IS NULL",
        (person.team_id, person.user_id, channel, ts),
    )
