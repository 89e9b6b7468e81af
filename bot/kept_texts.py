"""The texts kept of a person's turns: taken away with what is forgotten, or put off the record."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, LiteralString
from uuid import UUID

from psycopg import AsyncConnection
from psycopg.rows import DictRow

from bot.messages import Message
from memory import DM, Memory, Person, Pool, named_in, person_transaction


async def anything_said(pool: Pool, person: Person) -> bool:
    """Say whether any text of this person's turns is kept."""
    async with person_transaction(pool, person) as connection:
        found = await connection.execute(
            "SELECT FROM turns WHERE team_id = %s AND user_id = %s"
            " AND (question <> '' OR words <> '' OR reply IS NOT NULL) LIMIT 1",
            (person.team_id, person.user_id),
        )
        return await found.fetchone() is not None


async def take_away(
    connection: AsyncConnection[DictRow], memories: Sequence[Memory] | None, *, person: Person
) -> list[dict[str, Any]]:
    """Blank the turns in which these memories were said, or were in view and are named.

    None means every turn of the person. Returns what was there, for `put_back`, with the places
    of the messages.
    """
    condition, parameters = "true", {"team": person.team_id, "user": person.user_id}
    if memories is not None:
        condition = "((channel_id, question_ts) IN (SELECT * FROM unnest(%(channels)s::text[],"
        condition += " %(times)s::text[])) OR recalled && %(references)s::text[])"
    said_at = {place for memory in memories or () for place in memory.places}
    found = await connection.execute(
        "SELECT id, channel_id, question_ts, reply_ts, question, words, reply FROM turns"
        f" WHERE team_id = %(team)s AND user_id = %(user)s AND {condition}"
        " AND (question <> '' OR words <> '' OR reply IS NOT NULL) FOR UPDATE",
        {
            **parameters,
            "channels": [channel for channel, _ in said_at],
            "times": [ts for _, ts in said_at],
            "references": [memory.reference for memory in memories or ()],
        },
    )
    taken: list[dict[str, Any]] = []
    for row in await found.fetchall():
        gone = {name: row[name] for name in _TEXTS}
        if memories is not None and (row["channel_id"], row["question_ts"]) not in said_at:
            gone = {name: text for name, text in gone.items() if _names(memories, text or "")}
        if not gone:
            continue
        await connection.execute(
            "UPDATE turns SET question = %(question)s, words = %(words)s, reply = %(reply)s"
            " WHERE id = %(id)s",
            {"id": row["id"], **{name: row[name] for name in _TEXTS}}
            | {name: _BLANK[name] for name in gone},
        )
        times = [row["question_ts"], *(row["reply_ts"] if "reply" in gone else [])]
        places = [[row["channel_id"], ts] for ts in times]
        taken.append({"id": str(row["id"]), "places": places, **gone})
    return taken


_BLANK: dict[str, str | None] = {"question": "", "words": "", "reply": None}
_TEXTS = tuple(_BLANK)


def _names(memories: Sequence[Memory], text: str) -> bool:
    return any(named_in(memory, text) for memory in memories)


async def put_back(connection: AsyncConnection[DictRow], texts: Sequence[dict[str, Any]]) -> None:
    """Restore what `take_away` took."""
    for one in texts:
        await connection.execute(
            "UPDATE turns SET question = COALESCE(%(question)s, question),"
            " words = COALESCE(%(words)s, words), reply = COALESCE(%(reply)s, reply)"
            " WHERE id = %(id)s::uuid",
            {**dict.fromkeys(_TEXTS), **one},
        )


# --- off the record -----------------------------------------------------------------------

_OFF_RECORD: LiteralString = (
    "UPDATE turns SET off_record = true, question = '', words = '', reply = NULL,"
    " formed_at = CASE WHEN ended_at IS NOT NULL THEN COALESCE(formed_at, now()) END"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class LastTurn:
    """A turn, and where its message stands: (channel, ts)."""

    id: UUID
    place: tuple[str, str]


async def put_off_record(connection: AsyncConnection[DictRow], turn: UUID) -> None:
    """Keep no text of a turn, and never form a memory of it."""
    await connection.execute(f"{_OFF_RECORD} WHERE id = %s", (turn,))


async def put_thread_off_record(
    connection: AsyncConnection[DictRow], person: Person, thread: str
) -> None:
    """Keep no text of a person's turns in a thread, nor form a memory of them from now on."""
    await connection.execute(
        f"{_OFF_RECORD} WHERE team_id = %s AND user_id = %s AND thread = %s",
        (person.team_id, person.user_id, thread),
    )


async def drop_words(connection: AsyncConnection[DictRow], person: Person) -> None:
    """Let nothing be formed of what a person has said until now."""
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
    return LastTurn(id=row["id"], place=(row["channel_id"], row["question_ts"]))
