"""All that is kept of a person: exported as one document and sent as a file, or erased."""

from __future__ import annotations

import asyncio
import json
import logging
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any, LiteralString
from uuid import UUID

import aiohttp
from psycopg import AsyncConnection
from psycopg.rows import DictRow
from slack_sdk.errors import SlackApiError
from slack_sdk.web.async_client import AsyncWebClient
from slack_sdk.web.async_slack_response import AsyncSlackResponse

from bot.access import begin_request, check_request
from bot.app import App
from bot.config import Settings
from bot.logs import fault
from bot.memories.home import publish_later
from bot.memories.panel import data_flows
from bot.network import proxy_for
from bot.people import read_language
from bot.queue.queue import BACKGROUND, Queue
from bot.slack.client import (
    NOTICE_METADATA,
    PATIENCE_SECONDS,
    SLACK_FAULTS,
    Installations,
    error_code,
)
from bot.types import PersonErased
from bot.ui.panel import Click, Done
from memory import MemoryOff, Person, Pool, erase, export_memories
from memory.credentials import redact
from memory.postgres import person_transaction, transaction_timeout

log = logging.getLogger(__name__)

DELETE_FILE = "delete_file"
_DATABASE_SECONDS = 30.0
_UPLOAD_SECONDS = 30.0
_TIMEOUT = aiohttp.ClientTimeout(total=60.0)
# Without the scope for files, or in a workspace that takes no such files from apps.
_FORBIDDEN = frozenset(
    {
        "file_type_not_allowed",
        "file_upload_size_restricted",
        "file_uploads_disabled",
        "file_uploads_except_images_disabled",
        "missing_scope",
        "storage_limit_reached",
    }
)
_GONE = frozenset({"file_not_found", "file_deleted"})


# The parts of an export that are read here: a statement without its WHERE, and the order of rows.
_READ: dict[str, tuple[LiteralString, LiteralString]] = {
    "messages": (
        "SELECT channel_id AS channel, thread, ts, audience, status, received_at, ended_at,"
        " formed_at, message->>'text' AS text, question, reply, reply_ts, recalled FROM messages",
        "ts, channel_id",
    ),
    "feedback": (
        "SELECT turn.channel_id AS channel, turn.ts, rating, comment, changed_at"
        " FROM (SELECT * FROM feedback) f JOIN (SELECT id, channel_id, ts FROM messages)"
        " turn ON turn.id = f.turn_id",
        "changed_at",
    ),
    "settings": (
        "SELECT notices, eagerness, language, agreed_at, retention_days, locale, time_zone"
        " FROM person_settings",
        "1",
    ),
    "memory_off": (
        "SELECT scope, from_at, until_at FROM memory_off",
        "from_at, scope",
    ),
    "snoozes": ("SELECT key, day, asked_at FROM snoozes", "asked_at, key"),
    "files": ("SELECT file_id AS id, sent_at FROM sent_files", "sent_at"),
}
EXPORTED = ("memories", "statements", "proposals", "forgotten", *_READ)
"""The parts of an export that are about the person; all are empty for an unknown person."""

_OF_PERSON: LiteralString = "team_id = %(team)s AND user_id = %(user)s"
# A running job of an erased person ends by itself, and stores nothing.
_JOBS_OF_PERSON: LiteralString = (
    "status <> 'doing' AND args->>'team' = %(team)s AND args->>'user' = %(user)s"
)
# Every table of ours that holds rows of a person; a test compares it with the database.
TABLES: tuple[LiteralString, ...] = (
    "feedback",
    "notices",
    "unread_messages",
    "messages",
    "told",
    "requests_under_way",
    "reminders",
    "snoozes",
    "person_settings",
    "memory_off",
    "sent_files",
    "person_requests",
)
# Messages that are deleted at once. Slack delivers an event again for some minutes, and after an
# outage messages of a day are read: what was answered is not to be answered again.
_NOT_DELIVERED_AGAIN: LiteralString = "received_at < now() - interval '1 day'"
_ROWS_AT_ONCE = 20  # of up to 40,000 characters in each of two texts


async def export_person(pool: Pool, person: Person, settings: Settings) -> dict[str, Any]:
    """Return everything about a person as one document; docs/reference/export.md describes it."""
    memories = await export_memories(pool, person)
    async with person_transaction(pool, person) as connection:
        rows = {
            name: await _json_rows(
                connection, f"{select} WHERE {_OF_PERSON} ORDER BY {order}", person.ids
            )
            for name, (select, order) in _READ.items()
        }
    rows["messages"] = await asyncio.to_thread(_redacted, rows["messages"])
    return {
        # As in `memories`, but at the top of the file.
        "format": memories["format"],
        "version": memories["version"],
        "exported_at": datetime.now(UTC).isoformat(),
        "person": person.ids,
        "received_by": data_flows(settings),
        **memories,
        **rows,
        "settings": next(iter(rows["settings"]), {}),
    }


async def _json_rows(
    connection: AsyncConnection[DictRow], select: LiteralString, values: Mapping[str, Any]
) -> list[dict[str, Any]]:
    """Return the rows of a query as JSON objects: ids and dates are strings.

    They are read a few at a time, so that parsing many long ones does not hold up the event loop.
    """
    async with connection.cursor(name="export") as cursor:
        cursor.itersize = _ROWS_AT_ONCE
        await cursor.execute(f"SELECT to_jsonb(r) AS row FROM ({select}) AS r", values)
        return [row["row"] async for row in cursor]


def _redacted(messages: list[DictRow]) -> list[DictRow]:
    """Return messages with no credential in their texts.

    Only the text of a message that waits may hold some: questions and replies are redacted before
    they are stored.
    """
    for message in messages:
        if message["text"]:
            message["text"] = redact(message["text"]).text
    return messages


async def erase_person(pool: Pool, person: Person, identity: UUID | None = None) -> PersonErased:
    """Erase everything of a person: memories, ledger, conversation, queue, settings.

    Jobs delete in Slack the files that the app has sent them; messages there stay. The ids of
    messages just delivered are kept, without text or author, until Slack no longer delivers them
    again.

    `identity` is that of the erasure that a backup does not have, for `forgotten_since`.

    Work that runs for the person at that moment stores nothing afterwards. Erasing twice has the
    effect of erasing once.
    """
    queue = Queue(pool)
    files = 0
    remaining: DictRow = {}

    async def erase_rows_of_bot(connection: AsyncConnection[DictRow]) -> dict[str, int]:
        nonlocal files
        language = await read_language(connection, person)
        files = await _delete_files_later(connection, queue, person)
        counts = await _erase_ours(connection, person)
        # Home shows memories until it is published without them.
        await publish_later(connection, queue, person, erased=language)
        return counts

    async def count_left(connection: AsyncConnection[DictRow]) -> dict[str, int]:
        nonlocal remaining
        found = await connection.execute(_REMAINING, person.ids)
        [remaining] = await found.fetchall()
        counts = {"procrastinate_jobs": remaining["jobs"]}
        for table in TABLES:
            rows = await connection.execute(f"SELECT FROM {table} WHERE {_OF_PERSON}", person.ids)
            counts[table] = rows.rowcount
        return counts

    erased = await erase(pool, person, identity, also=erase_rows_of_bot, left=count_left)
    log.info("erased a person: %d row(s), %d left", erased.total, sum(erased.left.values()))
    return PersonErased(
        at=erased.at,
        memories=erased.memories,
        counts=erased.counts,
        left=erased.left,
        files=files,
        never_formed_messages=remaining["places"],
    )


# What stays under a person's id, and jobs added during the erasing. Jobs with the argument `erased`
# update what the person sees in Slack, and are deleted when they end.
_REMAINING: LiteralString = (
    f"SELECT (SELECT count(*) FROM forgotten_sources WHERE {_OF_PERSON} AND what = 'message')"
    f" AS places, (SELECT count(*) FROM procrastinate_jobs WHERE {_JOBS_OF_PERSON}"
    " AND COALESCE(args->>'erased', '') = '') AS jobs"
)


async def _erase_ours(connection: AsyncConnection[DictRow], person: Person) -> dict[str, int]:
    counts: dict[str, int] = {}
    conditions = {"procrastinate_jobs": _JOBS_OF_PERSON, **dict.fromkeys(TABLES, _OF_PERSON)}
    conditions["messages"] += f" AND {_NOT_DELIVERED_AGAIN}"
    for table, which in conditions.items():
        gone = await connection.execute(f"DELETE FROM {table} WHERE {which}", person.ids)
        counts[table] = gone.rowcount
    # What is being answered stops; the ids of what Slack may deliver again are kept.
    found = await connection.execute("SELECT forget_author_of_messages() AS kept")
    [row] = await found.fetchall()
    counts["messages"] += row["kept"]
    return counts


# --- sent to the person, and deleted in Slack --------------------------------------------------


async def send_export(app: App, click: Click) -> Done:
    """Send the document to the person's direct messages with the app, and say so.

    A person who is erased before the file is uploaded gets none. Raises `AlreadyUnderWay` for a
    second click while the first file is made and sent.
    """
    with app.under_way.once(f"export {click.person.scope}"):
        return await _export(app, click)


async def _export(app: App, click: Click) -> Done:
    person = click.person
    reader = click.reader
    request = await begin_request(app.pool, person)
    with transaction_timeout(_DATABASE_SECONDS):
        document = await export_person(app.pool, person, app.settings)
    text = reader.say(
        "export_message",
        memories=reader.say("counted_memories", count=len(document["memories"])),
        messages=reader.say("counted_messages", count=len(document["messages"])),
    )
    content = await asyncio.to_thread(_file_of, document)
    name = f"kioku-{datetime.now(UTC).date().isoformat()}.json"
    try:
        key = await _send_file(app, person, request, name, content, text)
    except MemoryOff:
        key = "export_erased"
    return Done(line=reader.say(key))


def _file_of(document: dict[str, Any]) -> bytes:
    text = json.dumps(document, ensure_ascii=False, indent=2)
    return f"{text}\n".encode()


async def _note_file(pool: Pool, person: Person, request: str, file: str) -> None:
    """Store the id of a file before it is sent to the person."""
    async with person_transaction(pool, person, locked=True) as connection:
        # The next statement sees an erasing that came before, and a later one sees the file.
        await check_request(connection, person, request)
        await connection.execute(
            "INSERT INTO sent_files (team_id, user_id, file_id) VALUES (%s, %s, %s)"
            " ON CONFLICT DO NOTHING",
            (person.team_id, person.user_id, file),
        )


async def _delete_files_later(
    connection: AsyncConnection[DictRow], queue: Queue, person: Person
) -> int:
    """Add the jobs that delete the files sent to a person; return how many files there are.

    They wait for `_UPLOAD_SECONDS` each: the last file may be on its way to Slack.
    """
    found = await connection.execute(
        "SELECT file_id FROM sent_files WHERE team_id = %(team)s AND user_id = %(user)s", person.ids
    )
    files = [row["file_id"] for row in await found.fetchall()]
    jobs = {f"{DELETE_FILE}:{file}": {"team": person.team_id, "file": file} for file in files}
    await queue.defer(connection, DELETE_FILE, jobs, queue=BACKGROUND, spacing=_UPLOAD_SECONDS)
    return len(files)


async def delete_file(slack: Installations, team: str, file: str) -> None:
    """Delete a file in Slack; run as a job.

    Raises what Slack raised, so that the job is tried again; what is gone already is no fault.
    """
    try:
        await slack.client(team, patience=PATIENCE_SECONDS).files_delete(file=file)
    except SlackApiError as error:
        if error_code(error) not in _GONE:
            raise


async def _send_file(
    app: App, person: Person, request: str, name: str, content: bytes, text: str
) -> str:
    """Send a file to a person's direct messages with the app, below a message with `text`.

    No step is repeated that may have been carried out. Returns the key of the sentence for the
    person; raises `MemoryOff` if they were erased since the `request` began.
    """
    client = app.slack.client(person.team_id, patience=PATIENCE_SECONDS)
    sent: AsyncSlackResponse | None = None
    try:
        file = await _upload(client, name, content)
        await _note_file(app.pool, person, request, file)
        sent = await client.chat_postMessage(
            channel=person.user_id, text=text, unfurl_links=False, metadata=NOTICE_METADATA
        )
        await client.files_completeUploadExternal(
            files=[{"id": file, "title": name}],
            channel_id=str(sent["channel"]),
            thread_ts=str(sent["ts"]),
        )
    except SLACK_FAULTS as error:
        code = error_code(error)
        log.warning("a file was not sent: %s", code or fault(error))
        if code and sent:
            await _take_back(client, sent)
        return "export_no_scope" if code in _FORBIDDEN else "export_failed"
    return "exported"


async def _upload(client: AsyncWebClient, name: str, content: bytes) -> str:
    begun = await client.files_getUploadURLExternal(filename=name, length=len(content))
    url = str(begun["upload_url"])
    async with aiohttp.request(
        "POST", url, data=content, proxy=proxy_for(url), timeout=_TIMEOUT
    ) as answer:
        answer.raise_for_status()
    return str(begun["file_id"])


async def _take_back(client: AsyncWebClient, sent: AsyncSlackResponse) -> None:
    try:
        await client.chat_delete(channel=str(sent["channel"]), ts=str(sent["ts"]))
    except SLACK_FAULTS as error:
        log.warning("a message about a file stayed: %s", error_code(error) or fault(error))
