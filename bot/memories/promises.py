"""Reminders of promises: found each minute, posted once in the person's direct messages.

When a reminder is due follows from the promise and the person's time zone as they are now, so
nothing has to be moved or cancelled when either changes. A row of `notices` is written before the
message is posted; after a crash the message is looked for before it is posted again.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any, LiteralString

from psycopg.rows import DictRow
from slack_sdk.errors import SlackApiError
from slack_sdk.web.async_client import AsyncWebClient

from bot.app import App
from bot.people import PersonSettings, person_refusal, read_settings
from bot.queue.queue import REPLIES, Queue
from bot.slack.client import NOTICE_METADATA, PATIENCE_SECONDS, error_code, is_passing
from bot.slack.messages import API_TEAM
from bot.ui.blocks import Payload
from bot.ui.lines import memory_line
from bot.ui.messages import reminder_payload
from bot.ui.promises import due_of, is_open, remind_at
from memory import DM, Person, Pool
from memory.postgres import execute_statement, person_statement, person_transaction
from memory.store import find_memory

log = logging.getLogger(__name__)

REMIND = "remind"
AGAIN = timedelta(days=1)
"""After which an unanswered reminder comes once more."""
_AT_ONCE = 5_000
_KIND, _REFUSED = "reminder", "-"
_DUE: LiteralString = "SELECT * FROM promises_to_remind_of(%s)"
_INTEND: LiteralString = (
    "INSERT INTO notices (team_id, user_id, kind, message_id, expires_at)"
    " VALUES (%(team)s, %(user)s, %(kind)s, '', now() + interval '60 days')"
    " ON CONFLICT (team_id, user_id, kind) DO UPDATE SET kind = excluded.kind"
    " RETURNING message_id, expires_at - interval '60 days' AS begun_at,"
    " expires_at = now() + interval '60 days' AS is_first, (SELECT channel_id FROM messages"
    " WHERE team_id = %(team)s AND user_id = %(user)s AND audience = %(dm)s LIMIT 1) AS channel"
)
_POSTED: LiteralString = (
    "UPDATE notices SET message_id = %(ts)s"
    " WHERE (team_id, user_id, kind) = (%(team)s, %(user)s, %(kind)s)"
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
    await queue.defer(pool, REMIND, jobs, queue=REPLIES)


async def remind(app: App, team: str, user: str, key: str, due: str, number: int) -> None:
    """Remind a person of a promise, once; run as a job.

    Nothing is posted where it was kept, dropped, moved or forgotten since, and while memory is off.
    Raises a fault of Slack's that may pass.
    """
    person = Person(team, user)
    memory = await find_memory(app.pool, person, key)
    if memory is None or not is_open(memory.kind, memory.content) or due_of(memory.content) != due:
        return
    values = {**person.ids, "kind": f"{_KIND} {key} {due} {number}", "dm": DM}
    async with person_transaction(app.pool, person) as connection:
        settings = await read_settings(connection, person)
        if settings.off(app.settings.consent) or person_refusal(app.settings, person):
            return
        [row] = await (await connection.execute(_INTEND, values)).fetchall()
    if row["message_id"]:
        return
    client, kind = app.slack.client(person.team_id, patience=PATIENCE_SECONDS), values["kind"]
    ts = None if row["is_first"] else await _posted(client, row, kind)
    if ts is None:
        reader = await app.people.reader(person, settings=settings)
        payload = reminder_payload(reader, memory, memory_line(reader, memory))
        ts = await _post(client, row["channel"] or person.user_id, payload, kind)
    await person_statement(app.pool, person, _POSTED, {**values, "ts": ts})


async def _post(client: AsyncWebClient, channel: str, payload: Payload, kind: str) -> str:
    """Post a reminder and return its ts; ``-`` where Slack refuses it."""
    metadata = {**NOTICE_METADATA, "event_payload": {"reply": False, "reminder": kind}}
    try:
        answer = await client.chat_postMessage(
            channel=channel, unfurl_links=False, unfurl_media=False, metadata=metadata, **payload
        )
    except SlackApiError as error:
        if is_passing(error):
            raise
        log.warning("a reminder was refused: %s", error_code(error))
        return _REFUSED
    log.info("a person was reminded of a promise")
    return str(answer["ts"])


async def _posted(client: AsyncWebClient, row: DictRow, kind: str) -> str | None:
    """Return the ts of a reminder that an earlier attempt may have posted; None: it has not.

    In a conversation whose id is not known nothing can be looked for, and nothing is posted again.
    """
    if row["channel"] is None:
        return _REFUSED
    answer = await client.conversations_history(
        channel=row["channel"],
        oldest=f"{row['begun_at'].timestamp() - 60:.6f}",
        limit=100,
        include_all_metadata=True,
    )
    for one in answer.get("messages") or []:
        said = (one.get("metadata") or {}).get("event_payload") or {}
        if said.get("reminder") == kind:
            return str(one["ts"])
    return None
