"""The stored texts of a person's turns, deleted as memories are forgotten."""

from __future__ import annotations

from typing import Any, LiteralString

from psycopg import AsyncConnection
from psycopg.rows import DictRow

from bot.conversation.callbacks import UpdateNotices
from bot.conversation.periods import Period
from bot.slack.permalinks import MessageKey
from memory import DM, Gone, Person, Pool, person_transaction

_IN_PERIOD: LiteralString = (
    "CASE WHEN %(thread)s::text IS NOT NULL THEN thread = %(thread)s ELSE"
    " question_ts::float8 >= %(since)s AND (%(until)s::float8 IS NULL"
    " OR question_ts::float8 < %(until)s) END"
)
# Messages of which no attempt has begun. One that has begun has a turn.
_NOT_BEGUN: LiteralString = (
    "SELECT channel_id, ts FROM (SELECT team_id, user_id, channel_id, ts, ts AS question_ts, thread"
    " FROM inbox_events WHERE status = 'waiting') waiting"
    " WHERE team_id = %(team)s AND user_id = %(user)s"
    " AND NOT EXISTS (SELECT FROM turns t WHERE t.team_id = %(team)s AND t.user_id = %(user)s"
    " AND t.channel_id = waiting.channel_id AND t.question_ts = waiting.ts)"
)
_DELETE_TEXTS: LiteralString = (
    "WITH meant AS (SELECT id, {meant} OR (channel_id, question_ts) IN (SELECT * FROM"
    " unnest(%(channels)s::text[], %(times)s::text[])) AS whole FROM turns"
    " WHERE team_id = %(team)s AND user_id = %(user)s"
    " AND (question <> '' OR words <> '' OR reply IS NOT NULL) FOR UPDATE),"
    " gone AS (SELECT id, whole OR says(question, %(subjects)s) AS question,"
    " whole OR says(words, %(subjects)s) AS words,"
    " whole OR says(COALESCE(reply, ''), %(subjects)s) AS reply FROM turns JOIN meant USING (id)),"
    # What people said of an answer may repeat it.
    " comments AS (UPDATE feedback SET comment = '' WHERE team_id = %(team)s AND user_id = %(user)s"
    " AND comment <> '' AND (%(everything)s OR says(comment, %(subjects)s) OR turn_id IN"
    " (SELECT id FROM gone WHERE question OR words OR reply)))"
    " UPDATE turns SET question = CASE WHEN gone.question THEN '' ELSE turns.question END,"
    " words = CASE WHEN gone.words THEN '' ELSE turns.words END,"
    " reply = CASE WHEN gone.reply THEN NULL ELSE turns.reply END"
    " FROM gone WHERE turns.id = gone.id AND (gone.question OR gone.words OR gone.reply)"
    " RETURNING channel_id, CASE WHEN gone.question OR gone.words THEN question_ts END AS asked,"
    " CASE WHEN gone.reply THEN reply_ts ELSE '{{}}' END AS answered"
)


async def has_texts(pool: Pool, person: Person) -> bool:
    """Return whether any text of this person's turns is stored."""
    async with person_transaction(pool, person) as connection:
        found = await connection.execute(
            "SELECT FROM turns WHERE team_id = %s AND user_id = %s"
            " AND (question <> '' OR words <> '' OR reply IS NOT NULL) LIMIT 1",
            (person.team_id, person.user_id),
        )
        return await found.fetchone() is not None


async def delete_texts(
    connection: AsyncConnection[DictRow],
    gone: Gone,
    *,
    person: Person,
    period: Period | None = None,
    update_notices: UpdateNotices,
) -> list[MessageKey]:
    """Delete the texts of the turns that are sources of what is forgotten, and texts that name it.

    Those of a `period` are deleted in any case. Comments on answers are deleted if they name it or
    are about a deleted text. Returns the messages whose texts were deleted or that wait without a
    turn. `update_notices` is awaited first.
    """
    await update_notices(connection, person, gone)
    everything = gone.selection.everything
    meant: LiteralString = "true" if everything else _IN_PERIOD if period else "false"
    parameters = _of_period(person, period or Period())
    messages: list[MessageKey] = []
    if everything or period is not None:
        # First: a turn that begins meanwhile is found by the next statement.
        found = await connection.execute(f"{_NOT_BEGUN} AND {meant}", parameters)
        messages += [(row["channel_id"], row["ts"]) for row in await found.fetchall()]
    found = await connection.execute(
        _DELETE_TEXTS.format(meant=meant),
        {
            **parameters,
            "channels": [channel for channel, _ in gone.messages],
            "times": [ts for _, ts in gone.messages],
            "subjects": list(gone.subjects),
            "everything": everything,
        },
    )
    for row in await found.fetchall():
        times = [*filter(None, [row["asked"]]), *row["answered"]]
        messages += [(row["channel_id"], ts) for ts in times]
    return messages


def _of_period(person: Person, period: Period) -> dict[str, Any]:
    return {
        **person.ids,
        "since": period.since,
        "until": period.until,
        "thread": period.thread,
    }


async def messages_in(
    connection: AsyncConnection[DictRow], person: Person, period: Period
) -> tuple[set[MessageKey], set[MessageKey]]:
    """Return a person's messages of a period, and those of them whose text is stored."""
    found = await connection.execute(
        "SELECT channel_id, question_ts, question <> '' OR words <> '' OR reply IS NOT NULL AS kept"
        f" FROM turns WHERE team_id = %(team)s AND user_id = %(user)s AND {_IN_PERIOD}",
        _of_period(person, period),
    )
    rows = await found.fetchall()
    messages, kept = (
        {(row["channel_id"], row["question_ts"]) for row in those}
        for those in (rows, [row for row in rows if row["kept"]])
    )
    return messages, kept


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


async def delete_old_turns(connection: AsyncConnection[DictRow], person: Person, days: int) -> int:
    """Delete the ended turns of a person that are older than `days`; return how many."""
    gone = await connection.execute(
        "DELETE FROM turns WHERE team_id = %s AND user_id = %s AND status <> 'answering'"
        " AND intended_at < now() - make_interval(days => %s)",
        (person.team_id, person.user_id, days),
    )
    return gone.rowcount
