"""All that is kept of a person: exported as one document, or erased."""

from __future__ import annotations

import logging
from datetime import UTC, datetime
from typing import Any, LiteralString

from psycopg import AsyncConnection
from psycopg.rows import DictRow

from bot.config import Settings
from bot.memories.home import has_opened_home, publish_later
from bot.memories.sent_files import delete_files_later
from bot.queue.erasing import delete_jobs_of_person
from bot.queue.queue import Queue
from bot.types import PersonErased
from bot.users.data_flows import data_flows
from bot.users.settings import read_settings
from memory import (
    Person,
    Pool,
    count_each,
    delete_each,
    erase,
    export_memories,
    person_transaction,
    redact_json,
)

log = logging.getLogger(__name__)

# The parts of an export that are read here: a statement without its WHERE, and the order of rows.
_READ: dict[str, tuple[LiteralString, LiteralString]] = {
    "conversation": (
        "SELECT channel_id AS channel, thread, question_ts AS ts, audience, question, reply,"
        " reply_ts, status, recalled, ended_at, formed_at FROM turns",
        "question_ts, channel_id",
    ),
    "feedback": (
        "SELECT turn.channel_id AS channel, turn.question_ts AS ts, rating, comment,"
        " changed_at"
        " FROM (SELECT * FROM feedback) f JOIN (SELECT id, channel_id, question_ts FROM turns)"
        " turn ON turn.id = f.turn_id",
        "changed_at",
    ),
    "messages": (
        "SELECT channel_id AS channel, ts, status, received_at, message->>'text' AS text"
        " FROM inbox_events",
        "ts, channel_id",
    ),
    "settings": (
        "SELECT pauses::text AS pauses, notices, language, consent, consent_at, retention_days,"
        " locale, time_zone, home_opened_at FROM person_settings",
        "1",
    ),
    "incognito_threads": (
        "SELECT thread, since, spans @> now() AS on, spans::text AS spans FROM incognito_threads",
        "since, thread",
    ),
    "files": ("SELECT file_id AS id, sent_at FROM sent_files", "sent_at"),
}
EXPORTED = ("memories", "changes", "questions", "forgotten", *_READ)
"""The parts of an export that are about the person; all are empty for an unknown person."""

_OF_PERSON: LiteralString = "team_id = %(team)s AND user_id = %(user)s"
# Every table of ours that holds rows of a person; a test compares it with the database.
TABLES: tuple[LiteralString, ...] = (
    "feedback",
    "change_notices",
    "turns",
    "inbox_events",
    "notices",
    "person_settings",
    "incognito_threads",
    "quiet_threads",
    "viewed",
    "sent_files",
    "person_requests",
)
# Events that are deleted at once. Slack delivers an event again for some minutes, and messages of
# an outage are read while any are listed: what was answered is not to be answered again.
_NOT_DELIVERED_AGAIN: LiteralString = (
    "received_at < now() - interval '15 minutes'"
    " AND NOT EXISTS (SELECT FROM catching_up WHERE team_id = %(team)s)"
)


async def export_person(pool: Pool, person: Person, settings: Settings) -> dict[str, Any]:
    """Return everything about a person as one document; docs/reference/export.md describes it."""
    memories = await export_memories(pool, person)
    async with person_transaction(pool, person) as connection:
        rows = {name: await _rows(connection, person, *read) for name, read in _READ.items()}
    return {
        # As in `memories`, but at the top of the file.
        "format": memories["format"],
        "version": memories["version"],
        "exported_at": datetime.now(UTC).isoformat(),
        "person": person.ids,
        "received_by": {
            flow.purpose: f"{flow.model} at {flow.host}" for flow in data_flows(settings)
        },
        **memories,
        **rows,
        "messages": redact_json(rows["messages"]),
        "settings": next(iter(rows["settings"]), {}),
    }


async def erase_person(pool: Pool, person: Person) -> PersonErased:
    """Erase everything of a person: memories, ledger, conversation, queue, settings.

    Jobs delete in Slack the files that the app has sent them; messages there stay. The ids of
    messages just delivered are kept, without text or author, until Slack no longer delivers them
    again.

    Work that runs for the person at that moment stores nothing afterwards. Erasing twice has the
    effect of erasing once.
    """
    queue = Queue(pool)
    files = 0
    remaining: DictRow = {}

    async def erase_rows_of_bot(connection: AsyncConnection[DictRow]) -> dict[str, int]:
        nonlocal files
        opened = await has_opened_home(connection, person)
        language = (await read_settings(connection, person)).reply_language()
        files = await delete_files_later(connection, queue, person)
        counts = await _erase_ours(connection, person)
        if opened:
            # It shows memories until it is published without them.
            await publish_later(connection, queue, person, erased=language)
        return counts

    async def count_left(connection: AsyncConnection[DictRow]) -> dict[str, int]:
        nonlocal remaining
        found = await connection.execute(_REMAINING, person.ids)
        [remaining] = await found.fetchall()
        conditions = dict.fromkeys(TABLES, _OF_PERSON)
        counts = await count_each(connection, conditions, person.ids)
        return {**counts, "procrastinate_jobs": remaining["jobs"]}

    erased = await erase(pool, person, also=erase_rows_of_bot, left=count_left)
    log.info("erased a person: %d row(s), %d left", erased.total, sum(erased.left.values()))
    return PersonErased(
        at=erased.at,
        counts=erased.counts,
        left=erased.left,
        files=files,
        never_formed_messages=remaining["places"],
    )


# What stays under a person's id, and jobs added during the erasing. Jobs with the argument `erased`
# update what the person sees in Slack, and are deleted when they end.
_REMAINING: LiteralString = (
    "SELECT (SELECT count(*) FROM forgotten_sources WHERE team_id = %(team)s"
    " AND user_id = %(user)s) AS places,"
    " (SELECT count(*) FROM procrastinate_jobs WHERE status <> 'doing'"
    " AND args->>'team' = %(team)s AND args->>'user' = %(user)s"
    " AND COALESCE(args->>'erased', '') = '') AS jobs"
)


async def _erase_ours(connection: AsyncConnection[DictRow], person: Person) -> dict[str, int]:
    values = person.ids
    # Stop what is being answered, and keep the ids of what Slack may deliver again.
    blanked = await connection.execute(
        "UPDATE inbox_events SET message = NULL, status = CASE status WHEN 'waiting' THEN"
        " 'withdrawn' ELSE status END, interrupted = true, finished_at = COALESCE(finished_at,"
        f" now()) WHERE {_OF_PERSON} AND message IS NOT NULL",
        values,
    )
    counts = {"procrastinate_jobs": await delete_jobs_of_person(connection, person)}
    conditions = dict.fromkeys(TABLES, _OF_PERSON)
    conditions["inbox_events"] += f" AND {_NOT_DELIVERED_AGAIN}"
    counts |= await delete_each(connection, conditions, values)
    counts["inbox_events"] += blanked.rowcount
    await connection.execute("SELECT forget_author_of_events()")
    return counts


async def _rows(
    connection: AsyncConnection[DictRow],
    person: Person,
    select: LiteralString,
    order: LiteralString,
) -> list[dict[str, Any]]:
    found = await connection.execute(f"{select} WHERE {_OF_PERSON} ORDER BY {order}", person.ids)
    return [_plain(row) for row in await found.fetchall()]


def _plain(row: DictRow) -> dict[str, Any]:
    return {
        name: value.isoformat() if isinstance(value, datetime) else value
        for name, value in row.items()
    }
