"""The stored texts of a person's turns: blanked as memories are forgotten, restored by Undo."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Collection, Sequence
from datetime import datetime
from functools import partial
from typing import Any, LiteralString
from uuid import UUID

from psycopg import AsyncConnection
from psycopg.rows import DictRow

from bot.conversation.periods import Period, is_from_period
from bot.slack.permalinks import MessageKey
from memory import DM, Memory, Person, Pool, SubjectTerms, person_transaction

_TEXTS = ("question", "words", "reply")
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
_BLANKED: LiteralString = (
    "question = CASE WHEN gone.question THEN '' ELSE turns.question END,"
    " words = CASE WHEN gone.words THEN '' ELSE turns.words END,"
    " reply = CASE WHEN gone.reply THEN NULL ELSE turns.reply END"
)
# The ts of the newest edit or deletion of a turn's message.
_CHANGED: LiteralString = (
    "(SELECT e.changed_ts FROM inbox_events e WHERE e.team_id = turns.team_id"
    " AND e.channel_id = turns.channel_id AND e.ts = turns.question_ts)"
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


async def blank_texts(
    connection: AsyncConnection[DictRow],
    memories: Sequence[Memory] | None,
    besides: Collection[UUID] = (),
    *,
    person: Person,
    period: Period | None = None,
) -> list[dict[str, Any]]:
    """Blank the turns that are sources of these memories, and the texts that name one of them.

    Such texts are looked for in turns that used one, under any audience, in those from its first
    message until it was formed, and in those that are being answered. None means every turn of the
    person; the turns of `period` are blanked in any case. Returns the texts for `restore_texts`,
    with the channel and ts of each message. If messages of the person wait without a turn,
    the last one names them and has no texts. Comments on answers are blanked if they name one of
    the memories or are about a text that is blanked; they are not returned. `update_notices` is
    awaited first, with `besides`: the ids of further changes and questions that are deleted.
    """
    meant: LiteralString = "true"
    if memories is not None:
        meant = f"({_IN_PERIOD})" if period else "false"
    condition: LiteralString = (
        f"({meant} OR (channel_id, question_ts) IN (SELECT * FROM unnest(%(channels)s::text[],"
        " %(times)s::text[])) OR EXISTS (SELECT FROM unnest(recalled) AS seen"
        " WHERE regexp_replace(seen, '^.*/', '') = ANY(%(keys)s::text[])) OR status = 'answering'"
        " OR (SELECT range_agg(numrange(since::numeric, until::numeric, '[]'))"
        " FROM unnest(%(first)s::float8[], %(formed)s::float8[]) AS unformed (since, until))"
        " @> question_ts::numeric)"
    )
    parameters = _of_period(person, period or Period())
    waiting = []
    if memories is None or period is not None:
        # First: a turn that begins meanwhile is found by the next statement.
        found = await connection.execute(f"{_NOT_BEGUN} AND {meant}", parameters)
        waiting = [[row["channel_id"], row["ts"]] for row in await found.fetchall()]
    messages = {key for memory in memories or () for key in memory.source_messages}
    unformed = _until_formed(memories or ())
    found = await connection.execute(
        f"SELECT id, channel_id, question_ts, reply_ts, question, words, reply, {meant} AS meant,"
        f" {_CHANGED} AS changed FROM turns"
        f" WHERE team_id = %(team)s AND user_id = %(user)s AND {condition}"
        " AND (question <> '' OR words <> '' OR reply IS NOT NULL) FOR UPDATE",
        {
            **parameters,
            "channels": [channel for channel, _ in messages],
            "times": [ts for _, ts in messages],
            "keys": [memory.key for memory in memories or ()],
            "first": [first for first, _ in unformed],
            "formed": [formed for _, formed in unformed],
        },
    )
    turns = await found.fetchall()
    found = await connection.execute(
        "SELECT turn_id, comment FROM feedback"
        " WHERE team_id = %(team)s AND user_id = %(user)s AND comment <> ''",
        person.ids,
    )
    comments = await found.fetchall()
    taken, rated = await asyncio.to_thread(_taken, turns, comments, memories, messages)
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
    if rated:
        await connection.execute(
            "UPDATE feedback SET comment = '' WHERE team_id = %s AND user_id = %s"
            " AND turn_id = ANY(%s::uuid[])",
            (person.team_id, person.user_id, rated),
        )
    return [*taken, {"id": None, "places": waiting}] if waiting else taken


def _until_formed(memories: Sequence[Memory]) -> list[tuple[float, float]]:
    """Return when each memory was first said and when it was formed, in seconds of the epoch.

    Between the two, replies have used its words, which no `recalled` names.
    """
    spans: dict[str, tuple[float, float]] = {}
    for memory in memories:
        if said := [float(ts) for _, ts in memory.source_messages]:
            span = min(said), memory.created_at.timestamp()
            first, formed = spans.get(memory.key, span)
            spans[memory.key] = min(first, span[0]), min(formed, span[1])
    return [(first, formed) for first, formed in spans.values() if first <= formed]


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


async def origin_in(
    connection: AsyncConnection[DictRow], *, person: Person, period: Period
) -> Callable[[Collection[MessageKey], datetime], bool]:
    """Return what says whether something that is stored of a person comes from a period."""
    messages, _ = await messages_in(connection, person, period)
    return partial(is_from_period, period=period, messages=messages)


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


def _taken(
    turns: Sequence[DictRow],
    comments: Sequence[DictRow],
    memories: Sequence[Memory] | None,
    messages: set[MessageKey],
) -> tuple[list[dict[str, Any]], list[UUID]]:
    """Return the texts of each turn that are to be blanked, with the keys of their messages.

    The ids are those of turns whose comment is to be blanked.
    """
    names = SubjectTerms(memories or ())
    taken: list[dict[str, Any]] = []
    for row in turns:
        gone = {name: row[name] for name in _TEXTS}
        if not (row["meant"] or (row["channel_id"], row["question_ts"]) in messages):
            gone = {name: text for name, text in gone.items() if names.found_in(text or "")}
        if gone:
            times = [row["question_ts"], *(row["reply_ts"] if "reply" in gone else [])]
            places = [[row["channel_id"], ts] for ts in times]
            taken.append(
                {"id": str(row["id"]), "places": places, "changed": row["changed"], **gone}
            )
    blanked = {one["id"] for one in taken}
    return taken, [
        one["turn_id"]
        for one in comments
        # What people said of an answer may repeat it.
        if memories is None or str(one["turn_id"]) in blanked or names.found_in(one["comment"])
    ]


async def restore_texts(
    connection: AsyncConnection[DictRow], texts: Sequence[dict[str, Any]]
) -> None:
    """Restore the texts that `blank_texts` returned, but not of messages changed in Slack since."""
    if not texts:
        return
    await connection.execute(
        "UPDATE turns SET question = COALESCE(kept.question, turns.question),"
        " words = COALESCE(kept.words, turns.words), reply = COALESCE(kept.reply, turns.reply)"
        " FROM unnest(%(ids)s::uuid[], %(question)s::text[], %(words)s::text[], %(reply)s::text[],"
        " %(changed)s::text[]) AS kept (id, question, words, reply, changed)"
        " WHERE turns.id = kept.id AND NOT off_record"
        # What a message said before it was edited or deleted meanwhile is not restored.
        f" AND COALESCE({_CHANGED}, '') <= COALESCE(kept.changed, {_CHANGED}, '')",
        {
            "ids": [one["id"] for one in texts],
            **{name: [one.get(name) for one in texts] for name in (*_TEXTS, "changed")},
        },
    )


async def delete_old_turns(connection: AsyncConnection[DictRow], person: Person, days: int) -> int:
    """Delete the ended turns of a person that are older than `days`; return how many."""
    gone = await connection.execute(
        "DELETE FROM turns WHERE team_id = %s AND user_id = %s AND status <> 'answering'"
        " AND intended_at < now() - make_interval(days => %s)",
        (person.team_id, person.user_id, days),
    )
    return gone.rowcount


async def delete_forgotten_texts(connection, gone, *, person):  # TEMPORARY
    period = None
    selection = gone.selection
    if selection.since or selection.until:
        period = Period.between(selection.since, selection.until)
    if selection.messages:
        said = float(selection.messages[0][1])
        period = Period(since=said, until=said + 0.000001)
    return await blank_texts(connection, gone.memories, gone.besides, person=person, period=period)
