"""The stored texts of a person's turns, deleted as memories are forgotten."""

from __future__ import annotations

from typing import LiteralString

from psycopg import AsyncConnection
from psycopg.rows import DictRow

from bot.conversation.claimed_message import OPEN
from bot.slack.permalinks import MessageKey
from memory import Gone, Person

_IN_SELECTION: LiteralString = (
    "(%(everything)s OR (%(ranged)s AND (%(channel)s::text IS NULL OR channel_id = %(channel)s)"
    " AND ts::float8 >= %(since)s AND ts::float8 < %(until)s))"
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


async def delete_forgotten_texts(
    connection: AsyncConnection[DictRow], gone: Gone, *, person: Person
) -> list[MessageKey]:
    """Delete the texts of the turns that are sources of what is forgotten, and texts that name it.

    Comments on answers are deleted if they name it or are about a deleted text. Returns the
    messages whose texts were deleted or that wait without a turn.
    """
    selection = gone.selection
    ranged = (selection.channel, selection.since, selection.until) != (None, None, None)
    sources = [*gone.messages, *selection.messages]
    values = {
        **person.ids,
        "everything": selection.everything,
        "ranged": ranged,
        "channel": selection.channel,
        "since": selection.since.timestamp() if selection.since else 0.0,
        "until": selection.until.timestamp() if selection.until else float("inf"),
        "channels": [channel for channel, _ in sources],
        "times": [ts for _, ts in sources],
        "subjects": list(gone.subjects),
    }
    messages: list[MessageKey] = []
    if selection.everything or ranged:
        # First: a turn that begins meanwhile is found by the next statement.
        found = await connection.execute(f"{_NOT_BEGUN} AND {_IN_SELECTION}", values)
        messages += [(row["channel_id"], row["ts"]) for row in await found.fetchall()]
    found = await connection.execute(_DELETE_TEXTS, values)
    for row in await found.fetchall():
        times = [*filter(None, [row["asked"]]), *row["answered"]]
        messages += [(row["channel_id"], ts) for ts in times]
    return messages


async def delete_old_turns(connection: AsyncConnection[DictRow], person: Person, days: int) -> int:
    """Delete the ended turns of a person that are older than `days`; return how many."""
    gone = await connection.execute(
        "DELETE FROM messages WHERE team_id = %s AND user_id = %s"
        f" AND NOT {OPEN} AND begun_at < now() - make_interval(days => %s)",
        (person.team_id, person.user_id, days),
    )
    return gone.rowcount
