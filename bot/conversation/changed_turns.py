"""Turns whose message was edited or deleted in Slack: their texts are those of the message."""

from __future__ import annotations

from uuid import UUID

from psycopg import AsyncConnection
from psycopg.rows import DictRow

from bot.conversation.inbox import THREAD_SETTING
from bot.queue.queue import BACKGROUND, Queue
from bot.slack.messages import split_thread_key
from memory import PUBLIC, Person, Pool
from memory.formation import sources_among
from memory.postgres import execute_statement, person_transaction

UPDATE_FROM_MESSAGE = "follow_message"


async def replace_texts(
    connection: AsyncConnection[DictRow],
    team_id: str,
    channel_id: str,
    ts: str,
    *,
    question: str,
    words: str,
    changed_ts: str,
) -> list[DictRow]:
    """Replace the texts of the turn of a message, within a transaction of its thread.

    Returns its id, user_id, audience and whether it is `formed`; nothing if no text is stored or
    changes, the turn is off the record, or a newer event of the message than `changed_ts` is known.
    """
    changed = await connection.execute(
        "UPDATE messages SET question = %s, words = %s WHERE team_id = %s"
        " AND channel_id = %s AND ts = %s"
        # Slack also says so when it adds a preview to a link.
        " AND (question <> '' OR words <> '') AND (question, words) <> (%s, %s)"
        " AND changed_ts <= %s AND NOT off_record"
        " RETURNING id, user_id, audience, formed_at IS NOT NULL AS formed",
        (question, words, team_id, channel_id, ts, question, words, changed_ts),
    )
    return await changed.fetchall()


async def narrow(connection: AsyncConnection[DictRow], person: Person, turn: UUID) -> str | None:
    """Give a public turn its channel's own audience, and return that; None where it stays public.

    The channel has become private or shared, or Slack has not said again what it is.
    """
    narrowed = await connection.execute(
        "UPDATE messages SET audience = channel_id"
        " WHERE id = %s AND team_id = %s AND user_id = %s AND audience = %s"
        " AND NOT EXISTS (SELECT FROM conversations c WHERE c.team_id = messages.team_id"
        " AND c.channel_id = messages.channel_id AND c.audience = messages.audience)"
        " RETURNING audience",
        (turn, person.team_id, person.user_id, PUBLIC),
    )
    row = await narrowed.fetchone()
    return None if row is None else str(row["audience"])


async def begin_formation_again(
    connection: AsyncConnection[DictRow], person: Person, turn: UUID
) -> bool:
    """Let memories be formed again from a turn's words; return False if none are stored."""
    changed = await connection.execute(
        "UPDATE messages SET formed_at = NULL"
        " WHERE id = %s AND team_id = %s AND user_id = %s AND words <> ''",
        (turn, person.team_id, person.user_id),
    )
    return changed.rowcount > 0


async def delete_withdrawn_texts(
    pool: Pool, person: Person, turn: UUID, thread: str, *, ended: bool
) -> None:
    """Delete the texts of a turn whose message was deleted; the turn ends if it has `ended`."""
    await execute_statement(
        pool,
        "UPDATE messages SET question = '', words = '', reply = NULL, formed_at = now(),"
        " ended_at = CASE WHEN %s THEN now() END WHERE id = %s AND team_id = %s AND user_id = %s",
        (ended, turn, person.team_id, person.user_id),
        scope={THREAD_SETTING: thread},
    )


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
    await queue.defer(
        connection,
        UPDATE_FROM_MESSAGE,
        queue=BACKGROUND,
        lock=f"{UPDATE_FROM_MESSAGE}:{person.team_id}.{channel}.{ts}",
        team=person.team_id,
        user=person.user_id,
        channel=channel,
        ts=ts,
        root=root,
    )
