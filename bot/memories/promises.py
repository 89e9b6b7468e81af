"""Reminders of promises: found each minute, posted once in the person's direct messages.

When a reminder is due follows from the promise and the person's time zone as they are now, so
nothing has to be moved or cancelled when either changes. A row of `reminders` is written before
the message is posted; after a crash the message is looked for before it is posted again.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any, LiteralString

from psycopg.rows import DictRow
from slack_sdk.errors import SlackApiError

from bot.app import App
from bot.people import read_settings
from bot.queue.queue import REPLIES, Queue
from bot.slack.client import (
    NOTICE_METADATA,
    PATIENCE_SECONDS,
    error_code,
    is_passing,
)
from bot.slack.messages import API_TEAM
from bot.types import PersonSettings
from bot.ui.lines import memory_line
from bot.ui.messages import reminder_payload
from bot.ui.promises import due_of, is_open, remind_at
from bot.ui.reader import Reader
from memory import DM, Memory, Person, Pool
from memory.postgres import execute_statement, person_transaction
from memory.store import find_memory

log = logging.getLogger(__name__)

REMIND = "remind"
AGAIN = timedelta(days=1)
"""After which an unanswered reminder comes once more."""
_AT_ONCE = 5_000
_DUE: LiteralString = "SELECT * FROM promises_to_remind_of(%s)"
_OF_REMINDER: LiteralString = (
    "(team_id, user_id, key, due, number) = (%(team)s, %(user)s, %(key)s, %(due)s, %(number)s)"
)
_INTEND: LiteralString = (
    "INSERT INTO reminders (team_id, user_id, key, due, number, channel) VALUES (%(team)s,"
    " %(user)s, %(key)s, %(due)s, %(number)s, COALESCE((SELECT channel_id FROM messages"
    " WHERE team_id = %(team)s AND user_id = %(user)s AND audience = %(dm)s LIMIT 1), %(user)s))"
    " ON CONFLICT DO NOTHING RETURNING channel"
)


async def remind_of_due(pool: Pool, queue: Queue) -> None:
    """Add a job for each reminder that is due."""
    now = datetime.now(UTC)
    jobs: dict[str, Mapping[str, Any]] = {}
    for row in await execute_statement(pool, _DUE, (_AT_ONCE,)):
        zone = PersonSettings(time_zone=row["time_zone"]).zone
        at = remind_at(row["due"], row["said_at"], zone)
        if at is not None and row["last_at"] is not None:
            at = max(at, row["last_at"]) + AGAIN
        if at is not None and at <= now and row["team_id"] != API_TEAM:
            ids = {"team": row["team_id"], "user": row["user_id"], "key": row["key"]}
            number = row["posted"] + 1
            lock = f"{REMIND}:{':'.join(ids.values())}:{row['due']}:{number}"
            jobs[lock] = {**ids, "due": row["due"], "number": number}
    await queue.defer_each(pool, REMIND, jobs, queue=REPLIES)


async def remind(app: App, team: str, user: str, key: str, due: str, number: int) -> None:
    """Remind a person of a promise, once; run as a job.

    Nothing is posted where it was kept, dropped, moved or forgotten since, and while memory is off.
    Raises a fault of Slack's that may pass.
    """
    person = Person(team, user)
    memory = await find_memory(app.pool, person, key)
    if memory is None or not is_open(memory.kind, memory.content) or due_of(memory.content) != due:
        return
    values = {**person.ids, "key": key, "due": due, "number": number, "dm": DM}
    async with person_transaction(app.pool, person) as connection:
        settings = await read_settings(connection, person)
        if settings.off(app.settings.consent) or app.policy.refuses_person(person):
            return
        begun = await (await connection.execute(_INTEND, values)).fetchone()
        earlier = None
        if begun is None:
            found = await connection.execute(
                f"SELECT channel, begun_at, ts FROM reminders WHERE {_OF_REMINDER}", values
            )
            earlier = await found.fetchone()
    if earlier and earlier["ts"] is not None:
        return
    channel = str((begun or earlier or {})["channel"])
    name = f"{key} {due} {number}"
    ts = await _posted(app, person, earlier, name) if earlier else None
    if ts is None:
        ts = await _post(app, person, settings, memory, channel, name)
    async with person_transaction(app.pool, person) as connection:
        await connection.execute(
            f"UPDATE reminders SET ts = %(ts)s WHERE {_OF_REMINDER}", {**values, "ts": ts}
        )


async def _post(
    app: App, person: Person, settings: PersonSettings, memory: Memory, channel: str, name: str
) -> str:
    """Post a reminder and return its ts; empty where Slack refuses it."""
    reader = Reader.of(await app.people.settings(person, settings=settings))
    client = app.slack.client(person.team_id, patience=PATIENCE_SECONDS)
    payload = reminder_payload(reader, memory, memory_line(reader, memory))
    metadata = {
        "event_type": NOTICE_METADATA["event_type"],
        "event_payload": {"reply": False, "reminder": name},
    }
    try:
        answer = await client.chat_postMessage(
            channel=channel, unfurl_links=False, unfurl_media=False, metadata=metadata, **payload
        )
    except SlackApiError as error:
        if is_passing(error):
            raise
        log.warning("a reminder was refused: %s", error_code(error))
        return ""
    log.info("a person was reminded of a promise")
    return str(answer["ts"])


async def _posted(app: App, person: Person, earlier: DictRow, name: str) -> str | None:
    """Return the ts of a reminder that an earlier attempt may have posted; None: it has not.

    In a conversation whose id is not known nothing can be looked for, and nothing is posted again.
    """
    if not str(earlier["channel"]).startswith("D"):
        return ""
    client = app.slack.client(person.team_id, patience=PATIENCE_SECONDS)
    answer = await client.conversations_history(
        channel=earlier["channel"],
        oldest=f"{earlier['begun_at'].timestamp() - 60:.6f}",
        limit=100,
        include_all_metadata=True,
    )
    for one in answer.get("messages") or []:
        said = (one.get("metadata") or {}).get("event_payload") or {}
        if said.get("reminder") == name:
            return str(one["ts"])
    return None
