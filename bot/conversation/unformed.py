"""Words of ended turns from which no memories have been formed yet."""

from __future__ import annotations

import re
from collections.abc import Sequence
from itertools import accumulate
from uuid import UUID

from psycopg import AsyncConnection
from psycopg.rows import DictRow

from bot.config import Settings
from bot.people import SETTINGS, SETTINGS_JOIN, settings_of
from bot.queue.queue import BACKGROUND, Queue
from bot.types import PersonSettings
from memory import DM, Namespace, Person, PersonMessage, Pool
from memory.postgres import person_statement

FORM_MEMORIES = "form_memories"
MAX_DELAY_FACTOR = 15
"""The longest wait for formation, as a multiple of the seconds of quiet."""
MAX_CHARACTERS = 12_000  # of the words that are formed at once
_MAX_QUESTION = 300  # characters
_SENTENCES = re.compile(r"(?<=[.!?؟])\s+|(?<=[。！？])\s*|\n+")


async def read_unformed(
    pool: Pool, namespace: Namespace, limit: int
) -> tuple[PersonSettings, list[UUID], list[PersonMessage]]:
    """Return a person's settings, and the ids and words of their oldest unformed turns.

    Only ended turns of the namespace's audience; at most `limit` of them, in order, and none after
    the one whose words reach `MAX_CHARACTERS`: a model's context is limited.
    """
    [row] = await person_statement(
        pool,
        namespace.person,
        f"SELECT {SETTINGS}, (SELECT json_agg(found) FROM ("
        "SELECT id, channel_id, ts, words, removal_proposed,"
        # What we had said before: in a direct message, in whichever of its threads.
        " (SELECT reply FROM messages earlier WHERE earlier.team_id = %(team)s"
        " AND earlier.user_id = %(user)s AND earlier.channel_id = messages.channel_id"
        " AND (earlier.thread = messages.thread OR messages.audience = %(dm)s)"
        " AND earlier.ts < messages.ts AND earlier.begun_at IS NOT NULL"
        " AND earlier.ended_at > messages.begun_at - interval '1 day'"
        " ORDER BY earlier.ts DESC LIMIT 1) AS before FROM messages"
        " WHERE team_id = %(team)s AND user_id = %(user)s AND audience = %(audience)s"
        " AND formed_at IS NULL"
        " AND ended_at IS NOT NULL AND words <> ''"
        " ORDER BY ts LIMIT %(limit)s) found) AS unformed"
        f" FROM (SELECT) always {SETTINGS_JOIN}",
        {**namespace.person.ids, "dm": DM, "audience": namespace.audience, "limit": limit},
    )
    settings, turns = settings_of(row), row["unformed"] or []
    ends = accumulate(len(turn["words"]) for turn in turns)
    turns = turns[: 1 + sum(end < MAX_CHARACTERS for end in ends)]
    words = [
        PersonMessage(
            text=turn["words"],
            channel=turn["channel_id"],
            ts=turn["ts"],
            removal_proposed=turn["removal_proposed"],
            reply_to=final_question(turn["before"] or ""),
            # "Until Friday" is said where they are.
            zone=settings.zone,
        )
        for turn in turns
    ]
    return settings, [UUID(turn["id"]) for turn in turns], words


def final_question(reply: str) -> str | None:
    """Return the last sentence of a reply if it ends with a question mark, else None."""
    sentences = [one for one in _SENTENCES.split(reply.strip().rstrip("*_~` ")) if one]
    if not sentences or not sentences[-1].endswith(("?", "？", "؟")):
        return None
    return sentences[-1][-_MAX_QUESTION:]


async def mark_formed(
    connection: AsyncConnection[DictRow],
    person: Person,
    ids: Sequence[UUID],
    words: Sequence[PersonMessage],
) -> PersonSettings | None:
    """Record that memories were formed from these turns; return the person's current settings.

    None if the words of one have changed, because it was edited, deleted or forgotten, or if
    memories were formed from it meanwhile.
    """
    marked = await connection.execute(
        "WITH marked AS (UPDATE messages SET formed_at = now()"
        " FROM unnest(%(ids)s::uuid[], %(words)s::text[]) AS taken (id, words)"
        " WHERE messages.id = taken.id AND messages.team_id = %(team)s"
        " AND messages.user_id = %(user)s AND messages.words = taken.words"
        " AND messages.formed_at IS NULL"
        f" RETURNING 1) SELECT (SELECT count(*) FROM marked) AS marked, {SETTINGS}"
        f" FROM (SELECT) always {SETTINGS_JOIN}",
        {**person.ids, "ids": list(ids), "words": [one.text for one in words]},
    )
    [row] = await marked.fetchall()
    return settings_of(row) if row["marked"] == len(ids) else None


async def schedule_formation(
    connection: AsyncConnection[DictRow], queue: Queue, settings: Settings, namespace: Namespace
) -> None:
    """Schedule formation of unformed words, in the transaction that stores them.

    A waiting job is postponed: a burst of messages is one formation that sees all of them. It waits
    at most `MAX_DELAY_FACTOR` times the seconds of quiet.
    """
    if settings.formation != "off":
        quiet = 0.0 if settings.formation == "hot" else settings.formation_delay
        await form_after(connection, queue, namespace, quiet, at_most=quiet * MAX_DELAY_FACTOR)


async def form_after(
    connection: AsyncConnection[DictRow],
    queue: Queue,
    namespace: Namespace,
    delay: float,
    *,
    at_most: float = 0.0,
) -> None:
    """Let a job form memories after `delay` seconds; postponed, `at_most` so many in all."""
    person = namespace.person
    await queue.debounce(
        connection,
        FORM_MEMORIES,
        queue=BACKGROUND,
        lock=f"{BACKGROUND}:{namespace.prefix}",
        delay=delay,
        at_most=max(delay, at_most),
        team=person.team_id,
        user=person.user_id,
        audience=namespace.audience,
    )
