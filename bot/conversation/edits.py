"""Edits and deletions of stored messages, the job that follows, and the message before one."""

from __future__ import annotations

from dataclasses import dataclass
from typing import LiteralString
from uuid import UUID

from psycopg import AsyncConnection
from psycopg.rows import DictRow

from bot.conversation.inbox import OPEN, values_of
from bot.queue.queue import BACKGROUND, Queue
from bot.slack.messages import Message, split_thread_key
from memory import DM, PUBLIC, Person, Pool
from memory.postgres import execute_statement

UPDATE_FROM_MESSAGE = "update_from_message"
DELETE_TEXTS: LiteralString = (
    "UPDATE messages SET question = '', words = '', reply = NULL,"
    " formed_at = CASE WHEN ended_at IS NOT NULL THEN COALESCE(formed_at, now()) END"
)
"""Blanks texts, at the beginning of a statement; no memory is formed from them."""
_MESSAGE: LiteralString = "team_id = %(team)s AND channel_id = %(channel)s AND ts = %(ts)s"
# Of a message that waits, of one that is `again` to be answered, and of one with stored texts.
_EDIT: LiteralString = (
    f"WITH old AS (SELECT id, {OPEN} AS open, formed_at IS NOT NULL AS formed,"
    f" COALESCE({OPEN} AND message->>'text' <> %(text)s, false) AS waits,"
    " %(message)s::jsonb IS NOT NULL AND event_id <> %(event)s AND reply_ts <> '{}'"
    " AND status IN ('answered', 'stopped', 'failed')"
    " AND received_at > now() - interval '1 day' AS again,"
    " (question <> '' OR words <> '') AND (question, words) <> (%(question)s, %(words)s)"
    " AS reworded,"
    " audience = %(public)s AND NOT EXISTS (SELECT FROM conversations c WHERE c.team_id ="
    " messages.team_id AND c.channel_id = messages.channel_id AND c.audience = messages.audience)"
    f" AS narrower FROM messages WHERE {_MESSAGE} AND changed_ts <= %(changed)s FOR UPDATE)"
    " UPDATE messages SET changed_ts = %(changed)s,"
    " event_id = CASE WHEN open OR again THEN %(event)s ELSE event_id END,"
    " message = CASE WHEN again THEN %(message)s::jsonb"
    " ELSE jsonb_set(message, '{text}', to_jsonb(%(text)s::text)) END,"
    " status = CASE WHEN again THEN 'waiting' ELSE status END,"
    " revision = revision + (waits OR again)::int,"
    " interrupted = interrupted AND NOT (waits OR again),"
    " on_record = on_record AND (NOT (waits OR again OR reworded)"
    " OR on_record(%(team)s, user_id, %(channel)s, %(must_agree)s)),"
    " edited_at = CASE WHEN waits OR again OR reworded THEN now() ELSE edited_at END,"
    " due_at = CASE WHEN again THEN now() ELSE due_at END,"
    " failures = CASE WHEN again THEN 0 ELSE failures END,"
    " crashes = CASE WHEN again THEN 0 ELSE crashes END,"
    " question = CASE WHEN reworded THEN %(question)s ELSE question END,"
    " words = CASE WHEN reworded THEN %(words)s ELSE words END,"
    " formed_at = CASE WHEN NOT reworded THEN formed_at END,"
    # What was said in public belongs to its channel alone if that is not known to be public now.
    " audience = CASE WHEN reworded AND narrower THEN channel_id ELSE audience END"
    " FROM old WHERE messages.id = old.id"
    " RETURNING messages.id, user_id, audience, formed, reworded, on_record,"
    " waits OR again AS to_answer"
)
_WITHDRAW: LiteralString = (
    f"WITH old AS (SELECT id, formed_at IS NOT NULL AS formed, question <> '' OR words <> ''"
    f" AS reworded FROM messages WHERE {_MESSAGE} FOR UPDATE)"
    " UPDATE messages SET changed_ts = GREATEST(changed_ts, %(changed)s), question = '',"
    " words = '', reply = NULL,"
    f" status = CASE WHEN {OPEN} THEN 'gone' ELSE status END,"
    " message = NULL, interrupted = true, due_at = now(), ended_at = CASE status"
    " WHEN 'answering' THEN NULL WHEN 'waiting' THEN now() ELSE ended_at END"
    " FROM old WHERE messages.id = old.id"
    " RETURNING messages.id, user_id, audience, formed, reworded, on_record, false AS to_answer"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class MessageChange:
    """An edit of a message, or with `text` None its deletion, as Slack's event tells it.

    `author` wrote the message; "" where Slack does not say who. `event_id` and `changed_ts` are the
    id and the ts of the event. `again` is the edited message, if it is one to answer.
    """

    team_id: str
    channel_id: str
    ts: str
    thread: str
    author: str
    text: str | None
    event_id: str
    changed_ts: str
    again: Message | None = None


async def change_message(
    connection: AsyncConnection[DictRow],
    change: MessageChange,
    question: str,
    words: str,
    *,
    must_agree: bool = False,
) -> DictRow | None:
    """Edit or withdraw a message, in one statement in a transaction of its thread.

    One that waits or is being answered gets the edited text; one that was received in the last
    day and answered is answered `again`. Stored texts become `question` and `words`. A deleted
    one is not answered, or its answer ends and is deleted; its texts are blanked. An event that
    is older than the newest one of its message, or comes again, changes nothing.

    Returns the row's id, user_id, audience and `on_record`, whether memories were `formed` from it,
    whether its texts were `reworded`, and whether the new text is `to_answer`; None where nothing
    is to be changed.
    """
    values = {"message": None, **(values_of(change.again) if change.again else {})}
    found = await connection.execute(
        _WITHDRAW if change.text is None else _EDIT,
        {
            **values,
            "team": change.team_id,
            "channel": change.channel_id,
            "ts": change.ts,
            "event": change.event_id,
            "changed": change.changed_ts,
            "text": change.text,
            "question": question,
            "words": words,
            "public": PUBLIC,
            "must_agree": must_agree,
        },
    )
    return await found.fetchone()


async def root_of(pool: Pool, team: str, channel: str, ts: str) -> str | None:
    """Return the ts of the thread of a stored message; None of one that is not stored."""
    found = await execute_statement(
        pool, "SELECT thread_of_message(%s, %s, %s) AS thread", (team, channel, ts)
    )
    return split_thread_key(found[0]["thread"])[2] if found[0]["thread"] else None


async def update_from_message_later(
    connection: AsyncConnection[DictRow],
    queue: Queue,
    person: Person,
    channel: str,
    ts: str,
    root: str,
) -> None:
    """Add the job `update_from_message`, which updates memories from what a message then says."""
    lock = f"{UPDATE_FROM_MESSAGE}:{person.team_id}.{channel}.{ts}"
    jobs = {lock: {**person.ids, "channel": channel, "ts": ts, "root": root}}
    await queue.defer(connection, UPDATE_FROM_MESSAGE, jobs, queue=BACKGROUND)


async def delete_texts(connection: AsyncConnection[DictRow], person: Person, turn: UUID) -> None:
    """Blank the texts of a person's turn; no memory is formed from them."""
    await connection.execute(
        f"{DELETE_TEXTS} WHERE id = %s AND team_id = %s AND user_id = %s",
        (turn, person.team_id, person.user_id),
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
