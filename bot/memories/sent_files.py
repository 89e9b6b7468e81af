"""Exported files that were sent to a person, deleted in Slack when the person is erased.

The transaction that erases a person adds a job for each file. A job names no person.
"""

from __future__ import annotations

from functools import partial

from psycopg import AsyncConnection
from psycopg.rows import DictRow
from slack_sdk.errors import SlackApiError

from bot.queue.queue import BACKGROUND, Queue
from bot.slack.client import Installations, delete_message, error_code, retry_on_rate_limit
from bot.slack.files import SentFile
from memory import Person

DELETE_FILE = "delete_file"
_GONE = frozenset({"message_not_found", "file_not_found", "file_deleted"})


async def note_file(connection: AsyncConnection[DictRow], person: Person, file: str) -> None:
    """Store the id of a file with everything about a person, before it is sent to them."""
    await connection.execute(
        "INSERT INTO sent_files (team_id, user_id, file_id) VALUES (%s, %s, %s)"
        " ON CONFLICT DO NOTHING",
        (person.team_id, person.user_id, file),
    )


async def delete_files_later(
    connection: AsyncConnection[DictRow], queue: Queue, person: Person
) -> int:
    """Add the jobs that delete the files sent to a person; return how many files there are."""
    found = await connection.execute(
        "SELECT file_id FROM sent_files WHERE team_id = %(team)s AND user_id = %(user)s", person.ids
    )
    files = [row["file_id"] for row in await found.fetchall()]
    jobs = {f"{DELETE_FILE}:{file}": {"team": person.team_id, "file": file} for file in files}
    await queue.defer_each(connection, DELETE_FILE, jobs, queue=BACKGROUND)
    return len(files)


async def delete_sent_file_later(
    connection: AsyncConnection[DictRow], queue: Queue, team_id: str, file: SentFile
) -> None:
    """Add the job that deletes a file that was just sent, and the message above it."""
    await queue.defer(
        connection,
        DELETE_FILE,
        queue=BACKGROUND,
        lock=f"{DELETE_FILE}:{file.id}:{file.ts}",
        team=team_id,
        file=file.id,
        channel=file.channel,
        ts=file.ts,
    )


async def delete_file(
    slack: Installations, team: str, file: str, channel: str = "", ts: str = ""
) -> None:
    """Delete a file in Slack, and the message above it if one is given; run as a job.

    Raises what Slack raised, so that the job is tried again; what is gone already is no fault.
    """
    client = slack.client(team)
    try:
        await retry_on_rate_limit(partial(client.files_delete, file=file))
    except SlackApiError as error:
        if error_code(error) not in _GONE:
            raise
    if not ts:
        return
    try:
        await delete_message(client, channel, ts)
    except SlackApiError as error:
        if error_code(error) not in _GONE:
            raise
