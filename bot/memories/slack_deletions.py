"""Deletes an erased person's files and, on request, the app's messages to them, in Slack.

The transaction that erases lists what is to be deleted. Jobs delete it within Slack's limits: no
job waits for a limit, the next one continues. Nothing that is stored for this names the person.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable, Mapping
from typing import Any, LiteralString
from uuid import UUID, uuid4

from psycopg import AsyncConnection
from psycopg.rows import DictRow
from slack_sdk.web.async_client import AsyncWebClient

from bot.locale import Language, known_language, say
from bot.logs import fault
from bot.queue.queue import BACKGROUND, Queue
from bot.slack.client import (
    NOTICE_METADATA,
    SLACK_FAULTS,
    Installations,
    delete_message,
    error_code,
    is_passing,
    next_cursor,
    retry_after,
)
from bot.slack.files import SentFile
from bot.users.offboarding import REFUSED
from bot.users.workspaces import AWAY
from memory import Person, Pool, execute_statement, transaction

log = logging.getLogger(__name__)

DELETE_IN_SLACK = "delete_in_slack"
_CALLS_AT_ONCE = 40
_PAGE = 100
_AGAIN_SECONDS = 30.0
_REFUSED_SECONDS = 600.0
_GIVEN_UP_AFTER = "7 days"
_THIS_ROW: LiteralString = (
    "erasure = %(erasure)s AND kind = %(kind)s AND channel = %(channel)s AND ref = %(ref)s"
)
_GONE = frozenset({"message_not_found", "file_not_found", "file_deleted", "thread_not_found"})


async def note_file(connection: AsyncConnection[DictRow], person: Person, file: str) -> None:
    """Store the id of a file with everything about a person, before it is sent to them."""
    await connection.execute(
        "INSERT INTO sent_files (team_id, user_id, file_id) VALUES (%s, %s, %s)"
        " ON CONFLICT DO NOTHING",
        (person.team_id, person.user_id, file),
    )


async def plan_deletions(
    connection: AsyncConnection[DictRow],
    queue: Queue,
    person: Person,
    language: Language,
    *,
    messages: bool,
    direct: str | None = None,
) -> tuple[int, bool]:
    """List what is to be deleted, in the transaction that erases, before its rows are deleted.

    `messages`: also the app's messages in the person's direct messages with it: in `direct`, or in
    those that are known. Returns how many files there are, and whether messages will be deleted.
    """
    values = person.ids
    found = await connection.execute(
        "SELECT 'file' AS kind, file_id AS ref FROM sent_files"
        " WHERE team_id = %(team)s AND user_id = %(user)s"
        " UNION ALL SELECT 'conversation', channel_id FROM ("
        " SELECT channel_id FROM turns WHERE team_id = %(team)s AND user_id = %(user)s"
        " UNION SELECT channel_id FROM inbox_events"
        " WHERE team_id = %(team)s AND user_id = %(user)s"
        ") AS known WHERE starts_with(channel_id, 'D')",
        values,
    )
    rows = await found.fetchall()
    files = [row["ref"] for row in rows if row["kind"] == "file"]
    known = [row["ref"] for row in rows if row["kind"] == "conversation"]
    channels = list(dict.fromkeys([*([direct] if direct else []), *known]))
    listed = [("file", "", file) for file in files]
    if messages:
        listed += [("conversation", channel, "") for channel in channels]
    if listed:
        channel = channels[0] if channels else None
        await _begin(
            connection, queue, person.team_id, channel, language, listed, messages=messages
        )
    return len(files), messages and bool(channels)


async def plan_deletion_of_file(
    connection: AsyncConnection[DictRow],
    queue: Queue,
    team_id: str,
    language: Language,
    file: SentFile,
) -> None:
    """List a file that was sent while its person was erased, and the message above it."""
    listed = [("file", "", file.id), ("message", file.channel, file.ts)]
    await _begin(connection, queue, team_id, file.channel, language, listed)


async def resume_deletions(pool: Pool, queue: Queue) -> None:
    """Add jobs for deletions that lost theirs while the workspace's token was revoked."""
    found = await execute_statement(
        pool,
        "SELECT id::text, team_id FROM slack_erasures WHERE NOT EXISTS (SELECT FROM"
        " procrastinate_jobs WHERE status IN ('todo', 'doing') AND lock = %s || ':' || id)"
        f" AND team_id NOT IN (SELECT team_id FROM workspaces WHERE {AWAY})",
        (DELETE_IN_SLACK,),
    )
    jobs = {
        f"{DELETE_IN_SLACK}:{row['id']}": {"team": row["team_id"], "erasure": row["id"]}
        for row in found
    }
    await queue.defer_each(pool, DELETE_IN_SLACK, jobs, queue=BACKGROUND)


class SlackDeletions:
    """Deletes in Slack what the table `slack_deletions` lists."""

    def __init__(self, pool: Pool, queue: Queue, slack: Installations) -> None:
        self._pool = pool
        self._queue = queue
        self._slack = slack

    async def work(self, team: str, erasure: str) -> None:
        """Delete as much as Slack allows now, and leave the rest to another job.

        A message reports the end if the person asked for it. What Slack has refused for a week is
        given up.
        """
        key, client = UUID(erasure), self._slack.client(team)
        for _ in range(_CALLS_AT_ONCE):
            row, begun = await self._next(key)
            if begun is None:
                return
            try:
                if row is None or begun["over"]:
                    await self._end(client, key, begun)
                    return
                await self._do(client, begun, row)
            except SLACK_FAULTS as error:
                code = error_code(error)
                if is_passing(error) or (code in REFUSED and not begun["over"]):
                    await _defer(self._pool, self._queue, team, key, _delay(error))
                    return
                log.warning("something was not deleted in Slack: %s", code)
                if row is None:
                    await self._drop(key)
                    return
                await self._done(row, None if code in _GONE else "failed")
        await _defer(self._pool, self._queue, team, key)

    async def _next(self, erasure: UUID) -> tuple[DictRow | None, DictRow | None]:
        async with transaction(self._pool) as connection:
            found = await connection.execute(
                "SELECT *, begun_at < now() - %s::interval AS over FROM slack_erasures"
                " WHERE id = %s",
                (_GIVEN_UP_AFTER, erasure),
            )
            begun = await found.fetchone()
            # Messages before conversations, which add further ones, so that the list stays short.
            found = await connection.execute(
                "SELECT * FROM slack_deletions WHERE erasure = %s"
                " ORDER BY array_position(ARRAY['file', 'message', 'thread', 'conversation'], kind)"
                " LIMIT 1",
                (erasure,),
            )
            return await found.fetchone(), begun

    async def _do(self, client: AsyncWebClient, begun: DictRow, row: DictRow) -> None:
        channel, ref = row["channel"], row["ref"]
        if row["kind"] == "file":
            await client.files_delete(file=ref)
            await self._done(row, "files")
        elif row["kind"] == "message":
            await delete_message(client, channel, ref, seconds=0.0)
            await self._done(row, "messages")
        else:
            await self._look(client, begun, row)

    async def _look(self, client: AsyncWebClient, begun: DictRow, row: DictRow) -> None:
        """List the app's own messages of a page, and the threads in it."""
        channel, root = row["channel"], row["ref"]
        more: dict[str, Any] = {"latest": begun["before"], "limit": _PAGE}
        if row["cursor"]:
            more["cursor"] = row["cursor"]
        if root:
            answer = await client.conversations_replies(channel=channel, ts=root, **more)
        else:
            answer = await client.conversations_history(channel=channel, **more)
        cursor = next_cursor(answer)
        bot_user_id = await self._slack.bot_user_id(begun["team_id"])
        listed = list(_listed(channel, root, bot_user_id, answer.get("messages") or []))
        async with transaction(self._pool) as connection:
            await _list(connection, row["erasure"], listed)
            if cursor:
                await connection.execute(
                    f"UPDATE slack_deletions SET cursor = %(next)s WHERE {_THIS_ROW}",
                    {**row, "next": cursor},
                )
            else:
                await connection.execute(f"DELETE FROM slack_deletions WHERE {_THIS_ROW}", row)

    async def _done(self, row: DictRow, counter: LiteralString | None) -> None:
        """Delete a row of the list; `counter` is the column that counts it, if any does."""
        async with transaction(self._pool) as connection:
            await connection.execute(f"DELETE FROM slack_deletions WHERE {_THIS_ROW}", row)
            if counter:
                await connection.execute(
                    f"UPDATE slack_erasures SET {counter} = {counter} + 1 WHERE id = %(erasure)s",
                    row,
                )

    async def _end(self, client: AsyncWebClient, erasure: UUID, begun: DictRow) -> None:
        log.info(
            "deleted in Slack after an erasure: %d file(s), %d message(s), %d not",
            begun["files"],
            begun["messages"],
            begun["failed"],
        )
        language = known_language(begun["language"]) or "en"
        unfinished = begun["failed"] or begun["over"]
        if begun["channel_id"] and (begun["before"] or unfinished):
            lines = []
            if begun["before"]:
                lines.append(say(language, "erase_deleted_messages", count=begun["messages"]))
            if begun["files"]:
                lines.append(say(language, "erase_deleted_files", count=begun["files"]))
            key = "erase_deleted_not" if unfinished else "erase_deleted_yours"
            text = "\n".join([*lines, say(language, key)])
            await client.chat_postMessage(
                channel=begun["channel_id"], text=text, metadata=NOTICE_METADATA
            )
        await self._drop(erasure)

    async def _drop(self, erasure: UUID) -> None:
        await execute_statement(self._pool, "DELETE FROM slack_erasures WHERE id = %s", (erasure,))


def _listed(
    channel: str, root: str, bot_user_id: str, messages: Iterable[Mapping[str, Any]]
) -> Iterable[tuple[str, str, str]]:
    for message in messages:
        ts = str(message.get("ts") or "")
        if message.get("user") == bot_user_id and ts != root:
            yield "message", channel, ts
        if not root and message.get("reply_count"):
            yield "thread", channel, ts


def _delay(error: BaseException) -> float:
    if wait := retry_after(error):
        return wait
    log.warning("what is to be deleted in Slack waits: %s", error_code(error) or fault(error))
    return _REFUSED_SECONDS if error_code(error) in REFUSED else _AGAIN_SECONDS


async def _begin(
    connection: AsyncConnection[DictRow],
    queue: Queue,
    team_id: str,
    channel: str | None,
    language: Language,
    listed: list[tuple[str, str, str]],
    *,
    messages: bool = False,
) -> None:
    """Store what is to be deleted, and add the job that deletes it."""
    erasure = uuid4()
    await connection.execute(
        "INSERT INTO slack_erasures (id, team_id, channel_id, language, before) VALUES (%s, %s, %s,"
        " %s, CASE WHEN %s THEN extract(epoch FROM now())::numeric(16, 6)::text END)",
        (erasure, team_id, channel, language, messages),
    )
    await _list(connection, erasure, listed)
    await _defer(connection, queue, team_id, erasure)


async def _list(
    connection: AsyncConnection[DictRow], erasure: UUID, listed: list[tuple[str, str, str]]
) -> None:
    kinds, channels, refs = zip(*listed, strict=True) if listed else ((), (), ())
    await connection.execute(
        "INSERT INTO slack_deletions (erasure, kind, channel, ref)"
        " SELECT %s, * FROM unnest(%s::text[], %s::text[], %s::text[]) ON CONFLICT DO NOTHING",
        (erasure, list(kinds), list(channels), list(refs)),
    )


async def _defer(
    where: AsyncConnection[DictRow] | Pool,
    queue: Queue,
    team: str,
    erasure: UUID,
    delay: float = 0.0,
) -> None:
    await queue.defer(
        where,
        DELETE_IN_SLACK,
        queue=BACKGROUND,
        lock=f"{DELETE_IN_SLACK}:{erasure}",
        delay=delay,
        team=team,
        erasure=str(erasure),
    )
