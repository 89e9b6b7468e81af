"""The stored texts of turns: replaced after an edit, deleted as memory is off or forgets."""

from __future__ import annotations

from collections.abc import Sequence
from typing import LiteralString
from uuid import UUID

from psycopg import AsyncConnection
from psycopg.rows import DictRow

from bot.queue.queue import BACKGROUND, Queue
from bot.slack.messages import Message, MessageKey, split_thread_key
from memory import DM, Gone, Person, Pool
from memory.formation import sources_among
from memory.postgres import person_transaction

UPDATE_FROM_MESSAGE = "follow_message"
_IN_SELECTION: LiteralString = (
    "(%(everything)s OR (%(ranged)s AND ts::float8 >= %(since)s AND ts::float8 < %(until)s))"
)
# Messages of which no attempt has begun.
_NOT_BEGUN: LiteralString = (
    "SELECT channel_id, ts FROM messages WHERE team_id = %(team)s AND user_id = %(user)s"
    " AND status = 'waiting' AND begun_at IS NULL"
)
_DELETE_TEXTS: LiteralString = (
    f"WITH meant AS (SELECT id, {_IN_SELECTION} OR (channel_id, ts) IN (SELECT * FROM"
    " unnest(%(channels)s::text[], %(times)s::text[])) AS whole FROM messages"
    " WHERE team_id = %(team)s AND user_id = %(user)s"
    " AND (question <> '' OR words <> '' OR reply IS NOT NULL) FOR UPDATE),"
    " gone AS (SELECT id, whole OR says(question, %(subjects)s) AS question,"
    " whole OR says(words, %(subjects)s) AS words,"
    " whole OR says(COALESCE(reply, ''), %(subjects)s) AS reply"
    " FROM messages JOIN meant USING (id)),"
    # What people said of an answer may repeat it.
    " comments AS (UPDATE feedback SET comment = '' WHERE team_id = %(team)s AND user_id = %(user)s"
    " AND comment <> '' AND (%(everything)s OR says(comment, %(subjects)s) OR turn_id IN"
    " (SELECT id FROM gone WHERE question OR words OR reply)))"
    " UPDATE messages SET question = CASE WHEN gone.question THEN '' ELSE messages.question END,"
    " words = CASE WHEN gone.words THEN '' ELSE messages.words END,"
    " reply = CASE WHEN gone.reply THEN NULL ELSE messages.reply END"
    " FROM gone WHERE messages.id = gone.id AND (gone.question OR gone.words OR gone.reply)"
    " RETURNING channel_id, CASE WHEN gone.question OR gone.words THEN ts END AS asked,"
    " CASE WHEN gone.reply THEN reply_ts ELSE '{}' END AS answered"
)
_DELETE: LiteralString = (
    "UPDATE messages SET question = '', words = '', reply = NULL,"
    " formed_at = CASE WHEN ended_at IS NOT NULL THEN COALESCE(formed_at, now()) END"
)


# --- a message was edited or deleted -----------------------------------------------------------
async def check_changed_sources(pool: Pool, queue: Queue, person: Person) -> None:
    """Schedule an update from each edited or deleted message that a memory comes from.

    For an Undo that has restored memories: while they were gone, an edit or a deletion of their
    messages found nothing to update.
    """
    async with person_transaction(pool, person) as connection:
        found = await connection.execute(
            "SELECT channel_id, ts, thread FROM messages"
            " WHERE team_id = %(team)s AND user_id = %(user)s AND changed_ts <> ''",
            person.ids,
        )
        rows = await found.fetchall()
        threads = {(row["channel_id"], row["ts"]): row["thread"] for row in rows}
        for channel, ts in await sources_among(connection, person, threads):
            _, _, root = split_thread_key(threads[channel, ts])
            await read_message_later(connection, queue, person, channel, ts, root)


async def read_message_later(
    connection: AsyncConnection[DictRow],
    queue: Queue,
    person: Person,
    channel: str,
    ts: str,
    root: str,
) -> None:
    """Add the job that updates memories from what a message says in Slack then."""
    lock = f"{UPDATE_FROM_MESSAGE}:{person.team_id}.{channel}.{ts}"
    jobs = {lock: {**person.ids, "channel": channel, "ts": ts, "root": root}}
    await queue.defer(connection, UPDATE_FROM_MESSAGE, jobs, queue=BACKGROUND)


# --- memory is off, or something is forgotten ---------------------------------------------------


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
        f"{_DELETE} WHERE {in_scope} AND ts::float8 >= %(since)s AND begun_at IS NOT NULL",
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
        f"{_DELETE} WHERE id = ANY(%s) AND team_id = %s AND user_id = %s",
        (list(turns), person.team_id, person.user_id),
    )


async def message_before(connection: AsyncConnection[DictRow], message: Message) -> str | None:
    """Return the ts of the author's message before this one: in its thread, in a DM in any."""
    found = await connection.execute(
        "SELECT ts FROM messages WHERE team_id = %s AND user_id = %s AND begun_at IS NOT NULL"
        f" AND channel_id = %s AND ts < %s AND (thread = %s OR audience = '{DM}')"
        " ORDER BY ts DESC LIMIT 1",
        (message.team_id, message.user_id, message.channel_id, message.ts, message.thread),
    )
    row = await found.fetchone()
    return str(row["ts"]) if row else None


async def delete_forgotten_texts(
    connection: AsyncConnection[DictRow], gone: Gone, *, person: Person
) -> list[MessageKey]:
    """Delete the texts of the turns that are sources of what is forgotten, and texts that name it.

    Comments on answers are deleted if they name it or are about a deleted text. Returns the
    messages whose texts were deleted or that wait without a turn.
    """
    selection = gone.selection
    sources = [*gone.messages, *selection.messages]
    values = {
        **person.ids,
        "everything": selection.everything,
        "ranged": selection.is_ranged,
        "since": selection.since.timestamp() if selection.since else 0.0,
        "until": selection.until.timestamp() if selection.until else float("inf"),
        "channels": [channel for channel, _ in sources],
        "times": [ts for _, ts in sources],
        "subjects": list(gone.subjects),
    }
    messages: list[MessageKey] = []
    if selection.everything or selection.is_ranged:
        # First: a turn that begins meanwhile is found by the next statement.
        found = await connection.execute(f"{_NOT_BEGUN} AND {_IN_SELECTION}", values)
        messages += [(row["channel_id"], row["ts"]) for row in await found.fetchall()]
    found = await connection.execute(_DELETE_TEXTS, values)
    for row in await found.fetchall():
        times = [*filter(None, [row["asked"]]), *row["answered"]]
        messages += [(row["channel_id"], ts) for ts in times]
    return messages
